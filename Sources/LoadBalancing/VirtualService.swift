package import NetworkTypes

/// How packets reach the real servers (features.md, section 1).
package enum ForwardingMode: String, Hashable, Sendable, CaseIterable {
    case dr, nat, snat, tunnel, proxy
}

/// Which real server a new connection gets.
package enum Scheduler: String, Hashable, Sendable, CaseIterable {
    /// Fewest connections for its weight.
    case wlc
    /// Fewest connections, weights other than 0 ignored.
    case lc
    /// In turn, each as often as its weight says.
    case wrr
    /// In turn, weights other than 0 ignored.
    case rr
    /// By a hash of the client's address, shares by weight.
    case sh
    /// By a hash of both addresses, both ports and the protocol, shares by weight.
    case maglev
}

/// Affinity of a client prefix to a real server, for all ports and protocols of a service.
package struct Persistence: Hashable, Sendable {
    /// How many leading bits of the client's address make it one client: up to 32, or 128 for IPv6.
    package var prefix: Int
    /// How long after the client's last packet its real server is remembered; at least a second.
    package var timeout: Duration

    package init(prefix: Int, timeout: Duration = .seconds(300)) {
        self.prefix = prefix
        self.timeout = timeout
    }
}

/// The state that an operator wants for a real server.
package enum AdministrativeState: String, Hashable, Sendable, CaseIterable {
    /// Takes new connections.
    case online
    /// No new clients; established connections and remembered clients run out.
    case drain
    /// No new connections, and the existing ones are cut.
    case halt
}

/// One real server (RIP) of a virtual service.
package struct RealServer: Hashable, Sendable {
    package var name: String
    package var address: IPAddress
    /// 0 to 65535; 0 drains.
    package var weight: Int
    /// The port to translate to; `nil` is the port that the client used. Always `nil` in `dr` and `tunnel`.
    package var port: UInt16?
    /// 0 is unlimited.
    package var maxConnections: Int
    package var state: AdministrativeState

    package init(
        name: String, address: IPAddress, weight: Int = 100, port: UInt16? = nil, maxConnections: Int = 0,
        state: AdministrativeState = .online
    ) {
        self.name = name
        self.address = address
        self.weight = weight
        self.port = port
        self.maxConnections = maxConnections
        self.state = state
    }
}

/// How a tunnel wraps packets.
package enum Encapsulation: String, Hashable, Sendable, CaseIterable {
    /// IP in IP: 4in4, 6in6, 4in6 and 6in4 (RFC 2003, RFC 2473, RFC 4213).
    case ipip
    /// Generic UDP encapsulation, variant 1: the IP packet directly in UDP, to port 6080 (`ip fou add port 6080 gue`).
    case gue
}

/// What `snat` puts in the place of the client's address and port.
package struct SourcePool: Hashable, Sendable {
    /// At most 8, of the real servers' family; empty is the balancer's own address on the way to each real server.
    package var addresses: [IPAddress]
    package var ports: ClosedRange<UInt16>

    /// Below the ports that Linux gives to its own connections (net.ipv4.ip_local_port_range).
    package static let standardPorts: ClosedRange<UInt16> = 1024...32767

    package init(addresses: [IPAddress] = [], ports: ClosedRange<UInt16> = SourcePool.standardPorts) {
        self.addresses = addresses
        self.ports = ports
    }
}

/// Where new connections go when no real server takes them.
package struct Fallback: Hashable, Sendable {
    package var address: IPAddress
    /// `nil` is the port that the client used.
    package var port: UInt16?

    package init(address: IPAddress, port: UInt16? = nil) {
        self.address = address
        self.port = port
    }
}

/// Which clients may begin connections, and how fast. Connections that are established are not asked. Prefixes are of
/// the service's family.
package struct ClientRules: Hashable, Sendable {
    /// Empty: all that are not denied.
    package var allow: [Prefix]
    /// Where both lists match, the longer prefix counts.
    package var deny: [Prefix]
    /// New connections a second that one source address may begin; `nil` is unlimited.
    package var rate: Int?
    /// How many it may begin at once after a pause; at least 1.
    package var burst: Int

    package init(allow: [Prefix] = [], deny: [Prefix] = [], rate: Int? = nil, burst: Int = 1) {
        self.allow = allow
        self.deny = deny
        self.rate = rate
        self.burst = burst
    }
}

/// One virtual service: an address (VIP), its ports and protocols, and the real servers behind it.
package struct VirtualService: Hashable, Sendable {
    /// Unique among services.
    package var name: String
    package var mode: ForwardingMode
    package var address: IPAddress
    package var ports: PortSet
    package var protocols: Set<TransportProtocol>
    package var scheduler: Scheduler
    /// `nil`: off.
    package var persistence: Persistence?
    /// In the order of the configuration; names are unique within the service.
    package var servers: [RealServer]
    /// Of `tunnel`.
    package var encapsulation = Encapsulation.ipip
    /// Of `snat`.
    package var source = SourcePool()
    package var fallback: Fallback?
    /// Whether a TCP client whose real server is gone is told so by a reset; else its packets are dropped silently.
    package var resetsOrphans = false
    package var clients = ClientRules()

    package init(
        name: String, mode: ForwardingMode = .dr, address: IPAddress, ports: PortSet,
        protocols: Set<TransportProtocol> = [.tcp], scheduler: Scheduler = .wlc, persistence: Persistence?,
        servers: [RealServer]
    ) {
        self.name = name
        self.mode = mode
        self.address = address
        self.ports = ports
        self.protocols = protocols
        self.scheduler = scheduler
        self.persistence = persistence
        self.servers = servers
    }
}

extension Set<TransportProtocol> {
    /// `tcp`, `udp` or `tcp/udp`.
    package var listed: String { map(\.description).sorted().joined(separator: "/") }
}
