/// What the configuration language has and this version cannot do. A feature that lands takes its row away, here and in
/// docs/configuration.md.
struct NotYet: Sendable {
    /// The key, within its section if that is `cluster`, and the value where only that value is missing.
    var key: String
    var value: String?
    /// What this version cannot do.
    var what: String
    var cure: String

    static let table = [
        NotYet(key: "mode", value: "proxy", what: "layer 7 (mode proxy)", cure: "write dr, nat, snat or tunnel"),
        NotYet(key: "protocol", value: "http", what: "layer 7 (protocol http)", cure: "write tcp"),
        NotYet(key: "cluster.local", what: "high-availability pairs (cluster.local)", cure: "delete local"),
        NotYet(key: "cluster.peer", what: "high-availability pairs (cluster.peer)", cure: "delete peer"),
        NotYet(key: "cluster.heartbeat", what: "high-availability pairs (cluster.heartbeat)", cure: "delete heartbeat"),
        NotYet(
            key: "cluster.ping-nodes", what: "high-availability pairs (cluster.ping-nodes)", cure: "delete ping-nodes"),
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
