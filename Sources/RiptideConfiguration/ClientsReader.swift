import LoadBalancing
import NetworkTypes

/// Reads a `clients` mapping.
enum ClientsReader {
    static let keys = ["allow", "deny", "rate", "burst"]
    private static let rates = 1...1_000_000

    static func read(_ field: Field, _ findings: inout Findings) -> ClientsDraft? {
        guard let table = field.table(keys, &findings) else { return nil }
        var clients = ClientsDraft(allowPlace: table.keyPlace("allow"))
        var seen: [Prefix: (key: String, line: Int)] = [:]
        clients.allow = prefixes("allow", of: table, &seen, &findings)
        clients.deny = prefixes("deny", of: table, &seen, &findings)
        clients.rate = table["rate"]?.integer(in: rates, &findings)
        clients.burst = table["burst"]?.integer(in: rates, &findings)
        if let place = table.keyPlace("burst"), table["rate"] == nil, !table.isMisspelt("rate") {
            findings.error(at: place, "there is no rate for it to exceed", "write rate as well, or delete burst")
        }
        return clients
    }

    /// A prefix that stands in the list twice is read once; one in both lists would say nothing.
    private static func prefixes(
        _ key: String, of table: Table, _ seen: inout [Prefix: (key: String, line: Int)], _ findings: inout Findings
    ) -> [Located<Prefix>] {
        var prefixes: [Located<Prefix>] = []
        for element in table[key]?.elements("prefix", &findings) ?? [] {
            guard let prefix = element.prefix(&findings) else { continue }
            if let former = seen[prefix] {
                if former.key == key {
                    findings.warning(
                        at: element.place, "\(prefix) is already given in line \(former.line)", "delete one of the two")
                } else {
                    findings.error(
                        at: element.place, "\(prefix) stands under \(former.key) as well, in line \(former.line)",
                        "keep one of the two")
                }
                continue
            }
            seen[prefix] = (key, element.place.line)
            prefixes.append(Located(value: prefix, place: element.place))
        }
        return prefixes
    }
}
