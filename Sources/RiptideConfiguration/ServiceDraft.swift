import LoadBalancing
import NetworkTypes

/// A virtual service as far as it could be read. What is `nil` was missing or wrong, and has been reported.
struct ServiceDraft {
    /// The service's name, or its index where it has no good one.
    var label: String
    var place: Place
    var name: Located<String>?
    var mode: ForwardingMode
    var address: Located<IPAddress>?
    var ports: Located<PortSet>?
    var protocols: Set<TransportProtocol>
    var scheduler: Scheduler
    var persistence: PersistenceDraft
    /// Where to point for what concerns all real servers.
    var serversPlace: Place
    var servers: [ServerDraft]

    /// The service, if nothing is missing.
    var service: VirtualService? {
        guard let name, let address, let ports else { return nil }
        return VirtualService(
            name: name.value, mode: mode, address: address.value, ports: ports.value, protocols: protocols,
            scheduler: scheduler, persistence: persistence.persistence(for: address.value),
            servers: servers.compactMap(\.server))
    }
}

/// A real server as far as it could be read.
struct ServerDraft {
    var place: Place
    var name: Located<String>?
    var address: Located<IPAddress>?
    var weight: Int
    var port: Located<Int>?
    var state: AdministrativeState

    var server: RealServer? {
        guard let name, let address else { return nil }
        return RealServer(
            name: name.value, address: address.value, weight: weight, port: port.map { UInt16($0.value) }, state: state)
    }
}

enum PersistenceDraft: Sendable {
    case off
    /// Without a prefix it is the address of a client alone.
    case on(prefix: Located<Int>?, timeout: Duration)

    static let standard = PersistenceDraft.on(prefix: nil, timeout: .seconds(300))

    func persistence(for address: IPAddress) -> Persistence? {
        switch self {
        case .off: nil
        case .on(let prefix, let timeout): Persistence(prefix: prefix?.value ?? address.bitWidth, timeout: timeout)
        }
    }
}

/// The keys that a service may take from `defaults`. What is `nil` is not given, or wrong and reported.
struct SharedKeys {
    static let names = ["mode", "protocol", "scheduler", "persistence", "check", "fallback"]

    /// The places of the keys that are given, right or wrong.
    var given: [String: Place] = [:]
    var mode: ForwardingMode?
    var protocols: Set<TransportProtocol>?
    var scheduler: Scheduler?
    var persistence: PersistenceDraft?

    init(_ table: Table, _ findings: inout Findings) {
        for key in Self.names { given[key] = table.keyPlace(key) }
        if let field = table["mode"] {
            mode = field.choice(&findings)
            if let mode { findings.refuseNotYet("mode", mode.rawValue, at: field.place) }
        }
        if let field = table["protocol"] { protocols = Self.protocols(field, &findings) }
        if let field = table["scheduler"] { scheduler = field.choice(&findings) }
        if let field = table["persistence"] { persistence = Self.persistence(field, &findings) }
        if let field = table["check"] { CheckReader.read(field, &findings) }
        if let place = table.keyPlace("fallback") { findings.refuseNotYet("fallback", at: place) }
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
        let rule = "write off, or { prefix: 32, timeout: 5m }"
        guard case .scalar = field.value.content else {
            guard let table = field.table(["prefix", "timeout"], &findings) else { return nil }
            let prefix = table["prefix"].flatMap { field in
                field.integer(in: 1...128, &findings).map { Located(value: $0, place: field.place) }
            }
            let timeout = table["timeout"]?.duration(in: .seconds(1) ... .seconds(7 * 86_400), &findings)
            return .on(prefix: prefix, timeout: timeout ?? .seconds(300))
        }
        guard let text = field.text(rule, &findings) else { return nil }
        if text == "off" { return .off }
        findings.error(at: field.place, "\(text.quoted) is neither off nor a mapping", rule)
        return nil
    }
}
