import LoadBalancing
import NetworkTypes

/// Reads the `defaults` and `services` sections into drafts; the rules between services come after it.
struct ServiceReader {
    let defaults: SharedKeys?
    private var usedDefaults: Set<String> = []

    init(defaults: SharedKeys?) { self.defaults = defaults }

    static func readDefaults(_ field: Field, _ findings: inout Findings) -> SharedKeys? {
        let own = Dictionary(
            uniqueKeysWithValues: ["name", "address", "ports", "servers"].map { ($0, "write it in each service") })
        return field.table(SharedKeys.names, elsewhere: own, &findings).map { SharedKeys($0, &findings) }
    }

    mutating func read(_ field: Field, _ findings: inout Findings) -> [ServiceDraft] {
        var drafts: [ServiceDraft] = []
        for element in field.elements("service", &findings) ?? [] {
            if let draft = readService(element, &findings) { drafts.append(draft) }
        }
        return drafts
    }

    /// Warns of defaults that every service overrides, or that no service is there to use.
    func reportUnusedDefaults(_ findings: inout Findings) {
        for (key, place) in defaults?.given ?? [:] where !usedDefaults.contains(key) {
            findings.warning(at: place, "no service uses this default", "delete it, or the values in the services")
        }
    }

    private mutating func readService(_ field: Field, _ findings: inout Findings) -> ServiceDraft? {
        let keys = [
            "name", "mode", "address", "ports", "protocol", "scheduler", "persistence", "check", "fallback", "servers",
        ]
        guard let table = field.table(keys, elsewhere: ["port": "write ports"], &findings) else { return nil }
        let shared = SharedKeys(table, &findings)
        usedDefaults.formUnion(SharedKeys.names.filter { shared.given[$0] == nil })

        let name = table.required("name", "write a name for the service", &findings)
            .flatMap { $0.located(&findings) { $0.name(&$1) } }
        let address = table.required("address", "write the virtual address of the service", &findings)
            .flatMap { $0.located(&findings) { $0.address(&$1) } }
        let ports = table.required("ports", "write ports such as 80,443,8000-8010", &findings)
            .flatMap { $0.located(&findings) { $0.ports(&$1) } }
        let servers = table["servers"]?.elements("real server", &findings)
        return ServiceDraft(
            label: field.path.label, place: field.place, name: name,
            mode: shared.mode ?? defaultValue("mode", shared, \.mode) ?? .dr, address: address, ports: ports,
            protocols: shared.protocols ?? defaultValue("protocol", shared, \.protocols) ?? [.tcp],
            scheduler: shared.scheduler ?? defaultValue("scheduler", shared, \.scheduler) ?? .wlc,
            persistence: shared.persistence ?? defaultValue("persistence", shared, \.persistence) ?? .standard,
            serversPlace: table.keyPlace("servers") ?? field.place,
            servers: servers?.compactMap { Self.readServer($0, &findings) } ?? [])
    }

    /// The default of a key that the service does not give itself.
    private func defaultValue<T>(_ key: String, _ own: SharedKeys, _ path: KeyPath<SharedKeys, T?>) -> T? {
        own.given[key] == nil ? defaults?[keyPath: path] : nil
    }

    private static func readServer(_ field: Field, _ findings: inout Findings) -> ServerDraft? {
        let keys = ["name", "address", "weight", "port", "max-connections", "state"]
        guard let table = field.table(keys, &findings) else { return nil }
        let name = table.required("name", "write a name for the real server", &findings)
            .flatMap { $0.located(&findings) { $0.name(&$1) } }
        let address = table.required("address", "write the address of the real server", &findings)
            .flatMap { $0.located(&findings) { $0.address(&$1) } }
        if let field = table["max-connections"], let limit = field.integer(in: 0...Int(Int32.max), &findings), limit > 0 {
            findings.refuseNotYet("max-connections", at: field.place)
        }
        return ServerDraft(
            place: field.place, name: name, address: address,
            weight: table["weight"]?.integer(in: 0...65535, &findings) ?? 100,
            port: table["port"].flatMap { $0.located(&findings) { $0.integer(in: 1...65535, &$1) } },
            state: table["state"].flatMap { $0.choice(&findings) } ?? .online)
    }
}

extension Field {
    /// Reads this value and keeps its place with the result.
    fileprivate func located<T: Sendable>(
        _ findings: inout Findings, _ read: (Field, inout Findings) -> T?
    ) -> Located<T>? {
        read(self, &findings).map { Located(value: $0, place: place) }
    }
}

extension Path {
    /// The last part alone.
    fileprivate var label: String {
        switch self {
        case .root: ""
        case .key(let label, _), .element(let label, _): label
        }
    }
}
