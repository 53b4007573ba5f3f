/// Paths of the API, built and percent-encoded in one place.
package struct ControlPath: Hashable, Sendable {
    /// Encoded, with the query.
    package let text: String

    /// - Parameters:
    ///   - segments: What stands between the slashes after `/v1`, not yet encoded.
    ///   - query: Parameters in order, not yet encoded; those that are `nil` are left out.
    package init(_ segments: [String], query: [(name: String, value: String?)] = []) {
        var text = "/v1"
        for segment in segments { text += "/" + Self.encode(segment) }
        var separator = "?"
        for (name, value) in query {
            guard let value else { continue }
            text += separator + Self.encode(name) + "=" + Self.encode(value)
            separator = "&"
        }
        self.text = text
    }

    /// Percent-encodes all but the unreserved characters of RFC 3986.
    package static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return encoded
    }

    /// Undoes `encode`. `nil`: not percent-encoded UTF-8.
    package static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(), let value = hexadecimal(high, low) else {
                return nil
            }
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ high: UInt8, _ low: UInt8) -> UInt8? {
        func digit(_ byte: UInt8) -> UInt8? { Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init) }
        guard let high = digit(high), let low = digit(low) else { return nil }
        return high << 4 | low
    }
}
