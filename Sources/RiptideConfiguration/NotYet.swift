/// What the configuration language has and this version cannot do. A feature that lands takes its row away, here and in
/// docs/configuration.md.
struct NotYet: Sendable {
    /// The key, and the value where only that value is missing.
    var key: String
    var value: String?
    /// What this version cannot do.
    var what: String
    var cure: String

    static let table = [
        NotYet(key: "mode", value: "nat", what: "network address translation (mode nat)", cure: "write dr"),
        NotYet(key: "mode", value: "snat", what: "source address translation (mode snat)", cure: "write dr"),
        NotYet(key: "mode", value: "tunnel", what: "tunnels (mode tunnel)", cure: "write dr"),
        NotYet(key: "mode", value: "proxy", what: "layer 7 (mode proxy)", cure: "write dr"),
        NotYet(key: "protocol", value: "http", what: "layer 7 (protocol http)", cure: "write tcp"),
        NotYet(key: "cluster", what: "high-availability pairs", cure: "delete cluster"),
        NotYet(key: "fallback", what: "fallback servers", cure: "delete fallback"),
        NotYet(key: "max-connections", what: "connection limits", cure: "write 0 or delete max-connections"),
    ]

    static func row(key: String, value: String? = nil) -> NotYet? {
        table.first { $0.key == key && $0.value == value }
    }
}

extension Findings {
    /// Reports that this version cannot do what `key` (with `value`) asks for, if that is so.
    mutating func refuseNotYet(_ key: String, _ value: String? = nil, at place: Place) {
        guard let row = NotYet.row(key: key, value: value) else { return }
        error(at: place, "this version cannot do \(row.what) yet", row.cure)
    }
}
