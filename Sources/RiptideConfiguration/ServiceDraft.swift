import LoadBalancing
import NetworkTypes

/// A virtual service as far as it could be read. What is `nil` was missing or wrong, and has been reported.
struct ServiceDraft {
    /// The service's name, or its index where it has no good one.
    var label: String
    var place: Place
    /// The keys of `SharedKeys` that stand in the service itself, and where.
    var given: [String: Place]
    var name: Located<String>?
    /// Without it, what depends on the mode cannot be judged.
    var mode: ForwardingMode?
    var address: Located<IPAddress>?
    var ports: Located<PortSet>?
    var protocols: Set<TransportProtocol>
    var scheduler: Scheduler
    var persistence: PersistenceDraft
    /// The standard one unless the mode is `tunnel`.
    var encapsulation: Encapsulation
    /// The standard one unless the mode is `snat`.
    var source: SourceDraft
    var fallback: FallbackDraft
    var resetsOrphans: Bool
    var clients: ClientsDraft
    /// Where to point for what concerns all real servers.
    var serversPlace: Place
    var servers: [ServerDraft]

    /// The service, if nothing is missing.
    var service: VirtualService? {
        guard let name, let mode, let address, let ports else { return nil }
        var service = VirtualService(
            name: name.value, mode: mode, address: address.value, ports: ports.value, protocols: protocols,
            scheduler: scheduler, persistence: persistence.persistence(for: address.value),
            servers: servers.compactMap(\.server))
        service.encapsulation = encapsulation
        service.source = SourcePool(addresses: source.addresses.map(\.value), ports: source.ports)
        service.fallback = fallback.fallback
        service.resetsOrphans = resetsOrphans
        service.clients = clients.rules(for: address.value.family)
        return service
    }
}

extension ServiceDraft {
    /// The cure, and how to make an exception where the value of this key comes from `defaults`.
    func cure(_ cure: String, inDefaults key: String?) -> String {
        guard let key, given[key] == nil else { return cure }
        return "\(cure), or write \(key) in service \(label)"
    }
}

/// A real server as far as it could be read.
struct ServerDraft {
    var place: Place
    var name: Located<String>?
    var address: Located<IPAddress>?
    var weight: Int
    var port: Located<Int>?
    var maxConnections: Int
    var state: AdministrativeState

    var server: RealServer? {
        guard let name, let address else { return nil }
        return RealServer(
            name: name.value, address: address.value, weight: weight, port: port.map { UInt16($0.value) },
            maxConnections: maxConnections, state: state)
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

struct SourceDraft: Sendable {
    var addresses: [Located<IPAddress>] = []
    var ports = SourcePool.standardPorts
}

struct FallbackDraft: Sendable {
    /// Without an address there is no fallback server.
    var address: Located<IPAddress>?
    var port: Located<Int>?

    static let off = FallbackDraft()

    var fallback: Fallback? {
        address.map { Fallback(address: $0.value, port: port.map { UInt16($0.value) }) }
    }
}

struct ClientsDraft: Sendable {
    /// Where the `allow` list stands.
    var allowPlace: Place?
    var allow: [Located<Prefix>] = []
    var deny: [Located<Prefix>] = []
    var rate: Int?
    var burst: Int?

    /// The rules for a service of this family. Prefixes of the other one, which it may have from `defaults`, are left
    /// out: none of its clients can match them.
    func rules(for family: IPAddress.Family) -> ClientRules {
        func own(_ prefixes: [Located<Prefix>]) -> [Prefix] {
            prefixes.map(\.value).filter { $0.address.family == family }
        }
        return ClientRules(allow: own(allow), deny: own(deny), rate: rate, burst: burst ?? rate ?? 1)
    }
}

extension IPAddress.Family {
    var name: String { self == .ipv4 ? "IPv4" : "IPv6" }
}
