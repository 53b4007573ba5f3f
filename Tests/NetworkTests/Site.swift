import NetworkTypes
import TestSupport

/// A network with routers, for the modes that reach beyond one switch. Every part of it is a namespace.
///
///     outside 10.81.0.0/24 fd81::/64   router .1   balancer .2, if it has two arms   client .10, unless inside
///     inside  10.82.0.0/24 fd82::/64   router .1   balancer .2   client .10, if inside   servers .11 …, unless far
///     far     10.83.0.0/24 fd83::/64   branch .1   servers .11 …, if far
///     middle  10.84.0.0/24 fd84::/64   router .1   branch .2
///
/// VIPs are .101 and up of the outside; with one arm of the inside, to which the router leads. The balancer's interfaces are
/// `in` and, with two arms, `out`; all other hosts have `eth0`.
final class Site {
    enum Arms: String { case one, two }

    /// Where the real servers stand, and what their default gateway is.
    enum Place {
        case behindBalancer, besideRouter
        /// Two routers away from the balancer.
        case far
    }

    enum Network: Int {
        case outside = 81
        case inside = 82
        case far = 83
        case middle = 84

        func at(_ number: Int, _ family: IPAddress.Family) -> IPAddress {
            address(family == .ipv4 ? "10.\(rawValue).0.\(number)" : "fd\(rawValue)::\(number)")
        }
    }

    let balancer: Host
    let client: Host
    let servers: [Host]
    let router: TestNamespace
    /// Of the balancer's `out`.
    static let outerMAC = MACAddress(0x0281_0000_0102)
    private let arms: Arms
    private let branch: TestNamespace
    private let switches: TestNamespace

    /// - Parameter clientIsInside: the client is a neighbour of the balancer's inner side.
    /// - Parameter middleMTU: between the two routers.
    init(
        _ arms: Arms, servers place: Place, count: Int = 2, clientIsInside: Bool = false, middleMTU: Int = 1500
    ) throws {
        self.arms = arms
        switches = try TestNamespace("switches")
        router = try TestNamespace("router")
        branch = try TestNamespace("branch")
        let clientNetwork: Network = clientIsInside ? .inside : .outside
        let serverNetwork: Network = place == .far ? .far : .inside
        balancer = try Self.host("balancer", .inside, 2)
        client = try Self.host("client", clientNetwork, 10)
        servers = try (1...count).map { try Self.host("server\($0)", serverNetwork, 10 + $0) }

        for scope in ["all", "default"] {
            try switches.sysctl("net", "ipv6", "conf", scope, "disable_ipv6", value: 1)
        }
        for network in [Network.outside, .inside] { try switches.addBridge("\(network)") }
        try branch.addBridge("far")
        try branch.ip(batch: Self.addresses(.far, 1).map { "addr add \($0) dev far" })
        try TestNamespace.connect(
            CableEnd(router, "middle", addresses: Self.addresses(.middle, 1)),
            CableEnd(branch, "middle", addresses: Self.addresses(.middle, 2)), mtu: middleMTU)
        for network in [Network.outside, .inside] {
            try plug(CableEnd(router, "\(network)", addresses: Self.addresses(network, 1)), network, port: "r-\(network)")
        }
        try plug(
            CableEnd(balancer.namespace, "in", mac: balancer.mac, addresses: Self.addresses(.inside, 2)), .inside,
            port: "b-in")
        if arms == .two {
            try plug(
                CableEnd(balancer.namespace, "out", mac: Self.outerMAC, addresses: Self.addresses(.outside, 2)), .outside,
                port: "b-out")
        }
        try plug(client.cableEnd, clientNetwork, port: "client")
        for server in servers { try plug(server.cableEnd, serverNetwork, port: server.name) }
        let passing = try XDPProgram.passing()
        for interface in interfaces { try passing.attach(to: "b-\(interface)", in: switches) }

        for namespace in [router, branch] { try namespace.forwardPackets() }
        try router.addRoutes(to: .far, via: .middle, 2)
        try branch.addRoutes(via: .middle, 1)
        try balancer.namespace.addRoutes(via: .inside, 1)
        try client.namespace.addRoutes(via: clientNetwork, 1)
        for server in servers { try server.namespace.addRoutes(via: serverNetwork, place == .behindBalancer ? 2 : 1) }
    }

    /// The balancer's.
    var interfaces: [String] { arms == .two ? ["out", "in"] : ["in"] }

    func vip(_ number: Int, _ family: IPAddress.Family) -> IPAddress {
        (arms == .two ? Network.outside : .inside).at(100 + number, family)
    }

    /// Makes the servers real servers of direct routing, and ends of tunnels, for these VIPs.
    func giveServers(_ vips: [IPAddress]) throws {
        let unwrapping = try XDPProgram.unwrapping()
        for server in servers {
            try server.namespace.takeVIPs(vips)
            try unwrapping.attach(to: "eth0", in: server.namespace)
        }
    }

    private func plug(_ end: CableEnd, _ network: Network, port: String) throws {
        let place = network == .far ? branch : switches
        try TestNamespace.connect(CableEnd(place, port), end)
        try place.ip("link set \(port) master \(network)")
    }

    private static func host(_ name: String, _ network: Network, _ number: Int) throws -> Host {
        Host(
            name: name, namespace: try TestNamespace(name), mac: MACAddress(0x0282_0000_0000 + UInt64(number)),
            ipv4: network.at(number, .ipv4), ipv6: network.at(number, .ipv6))
    }

    private static func addresses(_ network: Network, _ number: Int) -> [String] {
        ["\(network.at(number, .ipv4))/24", "\(network.at(number, .ipv6))/64"]
    }
}

extension Host {
    fileprivate var cableEnd: CableEnd {
        CableEnd(namespace, "eth0", mac: mac, addresses: ["\(ipv4)/24", "\(ipv6)/64"])
    }
}

extension TestNamespace {
    /// Without an address it sends nothing of its own.
    fileprivate func addBridge(_ name: String) throws {
        try ip("link add \(name) type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        try ip("link set \(name) up")
    }

    fileprivate func forwardPackets() throws {
        try sysctl("net", "ipv4", "ip_forward", value: 1)
        try sysctl("net", "ipv6", "conf", "all", "forwarding", value: 1)
    }

    /// Of both families; the default routes if no target is given.
    fileprivate func addRoutes(to target: Site.Network? = nil, via network: Site.Network, _ number: Int) throws {
        for family in [IPAddress.Family.ipv4, .ipv6] {
            let prefix = target.map { "\($0.at(0, family))/\(family == .ipv4 ? 24 : 64)" } ?? "default"
            try ip("\(family == .ipv4 ? "-4" : "-6") route replace \(prefix) via \(network.at(number, family))")
        }
    }
}
