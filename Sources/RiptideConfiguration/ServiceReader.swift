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
        let elsewhere = own.merging(clientKeys) { own, _ in own }
        return field.table(SharedKeys.names, elsewhere: elsewhere, &findings).map { SharedKeys($0, &findings) }
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

    private static let keys = [
        "name", "mode", "encapsulation", "source", "address", "ports", "protocol", "scheduler", "persistence", "check",
        "fallback", "expire", "clients", "servers",
    ]
    private static let elsewhere = clientKeys.merging(
        ["port": "write ports", "max-connections": "write it at each real server"]) { own, _ in own }
    private static let clientKeys = Dictionary(
        uniqueKeysWithValues: ClientsReader.keys.map { ($0, "write it under clients") })

    private mutating func readService(_ field: Field, _ findings: inout Findings) -> ServiceDraft? {
        guard let table = field.table(Self.keys, elsewhere: Self.elsewhere, &findings) else { return nil }
        let own = SharedKeys(table, &findings)
        let mode = mode(own)
        usedDefaults.formUnion(
            SharedKeys.names.filter { own.given[$0] == nil && SharedKeys.applies($0, in: mode) })
        func value<T>(_ key: String, _ path: KeyPath<SharedKeys, T?>, else standard: T) -> T {
            guard SharedKeys.applies(key, in: mode) else { return standard }
            return keys(for: key, own)?[keyPath: path] ?? standard
        }

        let name = table.required("name", "write a name for the service", &findings)
            .flatMap { $0.located(&findings) { $0.name(&$1) } }
        let address = table.required("address", "write the virtual address of the service", &findings)
            .flatMap { $0.located(&findings) { $0.address(&$1) } }
        let ports = table.required("ports", "write ports such as 80,443,8000-8010", &findings)
            .flatMap { $0.located(&findings) { $0.ports(&$1) } }
        let servers = table["servers"]?.elements("real server", &findings)
        return ServiceDraft(
            label: field.path.label, place: field.place, given: own.given, name: name, mode: mode, address: address,
            ports: ports,
            protocols: value("protocol", \.protocols, else: [.tcp]),
            scheduler: value("scheduler", \.scheduler, else: .wlc),
            persistence: value("persistence", \.persistence, else: .standard),
            encapsulation: value("encapsulation", \.encapsulation, else: .ipip),
            source: value("source", \.source, else: SourceDraft()),
            fallback: value("fallback", \.fallback, else: .off),
            resetsOrphans: value("expire", \.resetsOrphans, else: false),
            clients: value("clients", \.clients, else: ClientsDraft()),
            serversPlace: table.keyPlace("servers") ?? field.place,
            servers: servers?.compactMap { Self.readServer($0, &findings) } ?? [])
    }

    /// The keys that decide about `key`: the service's own if it is given there, else the defaults.
    private func keys(for key: String, _ own: SharedKeys) -> SharedKeys? {
        own.given[key] == nil ? defaults : own
    }

    /// The mode of a service that gives these keys; `nil` where it is written wrongly.
    private func mode(_ own: SharedKeys) -> ForwardingMode? {
        guard let keys = keys(for: "mode", own), keys.given["mode"] != nil else { return .dr }
        return keys.mode
    }

    private static func readServer(_ field: Field, _ findings: inout Findings) -> ServerDraft? {
        let keys = ["name", "address", "weight", "port", "max-connections", "state"]
        guard let table = field.table(keys, &findings) else { return nil }
        let name = table.required("name", "write a name for the real server", &findings)
            .flatMap { $0.located(&findings) { $0.name(&$1) } }
        let address = table.required("address", "write the address of the real server", &findings)
            .flatMap { $0.located(&findings) { $0.address(&$1) } }
        return ServerDraft(
            place: field.place, name: name, address: address,
            weight: table["weight"]?.integer(in: 0...65535, &findings) ?? 100,
            port: table["port"].flatMap { $0.located(&findings) { $0.integer(in: 1...65535, &$1) } },
            maxConnections: table["max-connections"]?.integer(in: 0...Int(Int32.max), &findings) ?? 0,
            state: table["state"].flatMap { $0.choice(&findings) } ?? .online)
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
