/// Checks the form of a `check` mapping. Health checks are not run by this version, so nothing of it is kept.
enum CheckReader {
    private static let types = ["connect", "http", "https", "ping", "external", "dns", "udp", "tls", "none"]

    static func read(_ field: Field, _ findings: inout Findings) {
        let keys = [
            "type", "method", "request", "host", "sni", "expect", "port", "interval", "timeout", "rise", "fall",
            "source-address", "via",
        ]
        guard let table = field.table(keys, &findings) else { return }
        let type = table["type"].map { $0.choice(among: types, &findings) } ?? "connect"
        _ = table["method"]?.choice(among: ["GET", "HEAD", "OPTIONS"], &findings)
        for key in ["request", "host", "sni", "via"] { _ = table[key]?.text("write a text", &findings) }
        _ = table["port"]?.integer(in: 1...65535, &findings)
        for key in ["interval", "timeout"] {
            _ = table[key]?.duration(in: .milliseconds(100) ... .seconds(3600), &findings)
        }
        for key in ["rise", "fall"] { _ = table[key]?.integer(in: 1...100, &findings) }
        _ = table["source-address"]?.address(&findings)
        if let expect = table["expect"]?.table(["status", "equals", "contains", "matches"], &findings) {
            _ = expect["status"]?.integer(in: 100...599, &findings)
            for key in ["equals", "contains", "matches"] { _ = expect[key]?.text("write a text", &findings) }
        }
        if let type, type != "none" {
            findings.warning(
                at: field.place, "this version does not run checks yet: every real server counts as up",
                "write type: none to silence this")
        }
    }
}
