import LoadBalancing
import NetworkTypes

/// The keys that a service may take from `defaults`. What is `nil` is not given, or wrong and reported.
struct SharedKeys {
    static let names = [
        "mode", "encapsulation", "source", "protocol", "scheduler", "persistence", "check", "fallback", "expire",
        "clients",
    ]
    /// The keys that mean something in one mode only.
    static let modes: [(key: String, mode: ForwardingMode)] = [("encapsulation", .tunnel), ("source", .snat)]

    /// The places of the keys that are given, right or wrong.
    var given: [String: Place] = [:]
    var mode: ForwardingMode?
    var encapsulation: Encapsulation?
    var source: SourceDraft?
    var protocols: Set<TransportProtocol>?
    var scheduler: Scheduler?
    var persistence: PersistenceDraft?
    var fallback: FallbackDraft?
    var resetsOrphans: Bool?
    var clients: ClientsDraft?

    init(_ table: Table, _ findings: inout Findings) {
        for key in Self.names { given[key] = table.keyPlace(key) }
        if let field = table["mode"] {
            mode = field.choice(&findings)
            if let mode { findings.refuseNotYet("mode", mode.rawValue, at: field.place) }
        }
        encapsulation = table["encapsulation"]?.choice(&findings)
        source = table["source"].flatMap { Self.source($0, &findings) }
        protocols = table["protocol"].flatMap { Self.protocols($0, &findings) }
        scheduler = table["scheduler"]?.choice(&findings)
        persistence = table["persistence"].flatMap { Self.persistence($0, &findings) }
        if let field = table["check"] { CheckReader.read(field, &findings) }
        fallback = table["fallback"].flatMap { Self.fallback($0, &findings) }
        resetsOrphans = table["expire"]?.flag(&findings)
        clients = table["clients"].flatMap { ClientsReader.read($0, &findings) }
    }

    /// Whether a service of this mode has a use for this key.
    static func applies(_ key: String, in mode: ForwardingMode?) -> Bool {
        mode == nil || modes.allSatisfy { $0.key != key || $0.mode == mode }
    }

    private static func protocols(_ field: Field, _ findings: inout Findings) -> Set<TransportProtocol>? {
        switch field.choice(among: ["tcp", "udp", "tcp/udp", "http"], &findings) {
        case "tcp": return [.tcp]
        case "udp": return [.udp]
        case "tcp/udp": return [.tcp, .udp]
        case let word?:
            findings.refuseNotYet("protocol", word, at: field.place)
            return nil
        case nil: return nil
        }
    }

    private static func persistence(_ field: Field, _ findings: inout Findings) -> PersistenceDraft? {
        guard let isOff = field.isOff(else: "{ prefix: 32, timeout: 5m }", &findings) else { return nil }
        if isOff { return .off }
        guard let table = field.table(["prefix", "timeout"], &findings) else { return nil }
        let prefix = table["prefix"].flatMap { field in
            field.integer(in: 1...128, &findings).map { Located(value: $0, place: field.place) }
        }
        let timeout = table["timeout"]?.duration(in: .seconds(1) ... .seconds(7 * 86_400), &findings)
        return .on(prefix: prefix, timeout: timeout ?? .seconds(300))
    }

    private static func fallback(_ field: Field, _ findings: inout Findings) -> FallbackDraft? {
        guard let isOff = field.isOff(else: "{ address: 192.0.2.200 }", &findings) else { return nil }
        if isOff { return .off }
        guard let table = field.table(["address", "port"], &findings) else { return nil }
        let address = table.required("address", "write the address of the fallback server", &findings)
            .flatMap { $0.located(&findings) { $0.address(&$1) } }
        let port = table["port"].flatMap { $0.located(&findings) { $0.integer(in: 1...65535, &$1) } }
        return FallbackDraft(address: address, port: port)
    }

    private static func source(_ field: Field, _ findings: inout Findings) -> SourceDraft? {
        guard let table = field.table(["addresses", "ports"], &findings) else { return nil }
        var source = SourceDraft()
        if let list = table["addresses"] {
            source.addresses = list.addresses("source address", &findings)
            if source.addresses.count > SourceRules.addressLimit {
                findings.error(
                    at: source.addresses[SourceRules.addressLimit].place,
                    "there are more than \(SourceRules.addressLimit) source addresses",
                    "delete this one and those after it")
            }
        }
        if let field = table["ports"], let ports = SourceRules.ports(field, &findings) { source.ports = ports }
        return source
    }
}

/// What a pool of source addresses and ports may be, whatever service uses it.
private enum SourceRules {
    static let addressLimit = 8
    /// Fewer would leave some processor without any.
    static let fewestPorts = 64
    /// What Linux takes for connections of its own: the default of net.ipv4.ip_local_port_range.
    static let linuxPorts: ClosedRange<UInt16> = 32768...60999

    static func ports(_ field: Field, _ findings: inout Findings) -> ClosedRange<UInt16>? {
        let standard = PortSet([SourcePool.standardPorts])
        guard let ports = field.ports(&findings) else { return nil }
        guard ports.ranges.count == 1, let range = ports.ranges.first else {
            findings.error(
                at: field.place, "source ports are a single range", "write one range such as \(standard)")
            return nil
        }
        if range.count < fewestPorts {
            findings.error(
                at: field.place, "\(ports) is less than \(fewestPorts) ports",
                "write a range of at least \(fewestPorts) ports, such as \(standard)")
        } else if range.overlaps(linuxPorts) {
            findings.warning(
                at: field.place,
                "\(ports) overlaps \(PortSet([linuxPorts])), which Linux takes for connections of its own",
                "write a range outside it, such as \(standard), or move net.ipv4.ip_local_port_range")
        }
        return range
    }
}

extension Field {
    /// Whether this is the word `off`, and not a mapping; `nil`, reported, if it is any other single value.
    fileprivate func isOff(else mapping: String, _ findings: inout Findings) -> Bool? {
        guard case .scalar = value.content else { return false }
        let rule = "write off, or \(mapping)"
        guard let text = text(rule, &findings) else { return nil }
        if text == "off" { return true }
        findings.error(at: place, "\(text.quoted) is neither off nor a mapping", rule)
        return nil
    }
}
