package import ControlAPI

/// The parameters after the question mark, each known and given once at most.
package struct Query: Sendable {
    private let values: [String: String]

    /// Throws a problem that names the parameter.
    package init(_ text: String?, allowed: [String]) throws(APIProblem) {
        var values: [String: String] = [:]
        for pair in (text ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // In a query a space may also be a plus.
            guard let name = Self.decode(parts[0]), let value = Self.decode(parts.count > 1 ? parts[1] : "") else {
                throw .badParameter(String(parts[0]), "not percent-encoded UTF-8")
            }
            guard allowed.contains(name) else {
                let cure =
                    if let near = nearest(to: name, among: allowed) {
                        "did you mean \(near)?"
                    } else {
                        allowed.isEmpty ? "leave it out" : "there are: \(allowed.joined(separator: ", "))"
                    }
                throw .badParameter(name, "this path has no such parameter", cure: cure)
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw .badParameter(name, "given more than once", cure: "give it once")
            }
        }
        self.values = values
    }

    private static func decode(_ text: Substring) -> String? {
        ControlPath.decode(String(text.map { $0 == "+" ? " " : $0 }))
    }

    /// `nil`: not given.
    package func text(_ name: String) throws(APIProblem) -> String? {
        guard let value = values[name] else { return nil }
        guard !value.isEmpty else { throw .badParameter(name, "empty", cure: "give a value, or leave it out") }
        return value
    }

    /// `nil`: not given.
    package func number(_ name: String, in range: ClosedRange<Int>) throws(APIProblem) -> Int? {
        guard let value = try text(name) else { return nil }
        guard let number = Int(value), range.contains(number) else {
            throw .badParameter(
                name, "\(value) is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// `false`: not given, or given as such.
    package func flag(_ name: String) throws(APIProblem) -> Bool {
        switch try text(name) {
        case nil, "false": return false
        case "true": return true
        case let value?: throw .badParameter(name, "\(value) is neither true nor false")
        }
    }
}
