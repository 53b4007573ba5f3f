/// The body of `PATCH /v1/services/{name}/servers/{server}`: what is `nil` stays as it is.
package struct ServerChange: Codable, Hashable, Sendable {
    /// `online`, `drain` or `halt`.
    package var state: String?
    package var weight: Weight?

    /// The states that a change may ask for.
    package static let states = ["online", "drain", "halt"]
    /// The weights that a change may ask for; 0 drains.
    package static let weights = 0...65_535

    /// A number, or in JSON the word `configured`: back to what the configuration says.
    package enum Weight: Codable, Hashable, Sendable {
        case value(Int)
        case configured

        package init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let value = try? container.decode(Int.self) {
                self = .value(value)
            } else if let word = try? container.decode(String.self), word == "configured" {
                self = .configured
            } else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "neither a whole number nor the word configured")
            }
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .value(let value): try container.encode(value)
            case .configured: try container.encode("configured")
            }
        }
    }

    package init(state: String? = nil, weight: Weight? = nil) {
        self.state = state
        self.weight = weight
    }
}
