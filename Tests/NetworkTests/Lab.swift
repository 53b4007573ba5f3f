import NetworkTypes
import TestSupport

/// A host of the lab: a namespace with one interface, `eth0`, on the lab's switch.
struct Host {
    let name: String
    let namespace: TestNamespace
    let mac: MACAddress
    let ipv4: IPAddress
    let ipv6: IPAddress

    func address(_ family: IPAddress.Family) -> IPAddress { family == .ipv4 ? ipv4 : ipv6 }

    /// Which of the lab's VIPs the host has on `lo`, in the lab's order.
    func vipsOnLoopback() throws -> [IPAddress] {
        let text = try namespace.ip("-o addr show dev lo")
        return Lab.vips.filter { text.contains(" \($0)/\($0.bitWidth) ") }
    }
}

/// Clients, a balancer and real servers on one switch, which is a namespace too: the machine's own network stays as it is.
///
///     client1  10.77.1.1 fd77::1:1    also 10.77.16.0-10.77.31.255     client2  10.77.1.2 …  also 10.77.32.0-10.77.47.255
///     balancer 10.77.0.2 fd77::2
///     server1  10.77.0.11 fd77::11    VIPs on lo, silent to ARP for them
///
/// All in 10.77.0.0/16 and fd77::/64. VIPs are 10.77.0.100, .101 and fd77::100, ::101.
final class Lab {
    let network: TestNamespace
    let balancer: Host
    let clients: [Host]
    let servers: [Host]

    static let vip = address("10.77.0.100")
    static let vip6 = address("fd77::100")
    static let secondVIP = address("10.77.0.101")
    static let secondVIP6 = address("fd77::101")
    static let vips = [vip, vip6, secondVIP, secondVIP6]

    var client: Host { clients[0] }

    init(clients: Int = 1, servers: Int = 3) throws {
        network = try TestNamespace("switch")
        // The switch has no address, and sends nothing of its own.
        for scope in ["all", "default"] {
            try network.sysctl("net", "ipv6", "conf", scope, "disable_ipv6", value: 1)
        }
        try network.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        try network.ip("link set br0 up")
        balancer = try Self.host("balancer", 2, "10.77.0.2", "fd77::2")
        self.clients = try (1...clients).map { try Self.host("client\($0)", 0x0100 + $0, "10.77.1.\($0)", "fd77::1:\($0)") }
        self.servers = try (1...servers).map { try Self.host("server\($0)", 0x10 + $0, "10.77.0.\(10 + $0)", "fd77::1\($0)") }
        for host in [balancer] + self.clients + self.servers { try connect(host) }
        try acceptTransmittedFrames(of: balancer)
        for (index, client) in self.clients.enumerated() {
            // Each address in there is the client's own, to send from and to answer ARP for.
            try client.namespace.ip("route add local 10.77.\(16 * (index + 1)).0/20 dev lo")
        }
        for server in self.servers { try server.namespace.takeVIPs(Self.vips) }
    }

    private static func host(_ name: String, _ number: Int, _ ipv4: String, _ ipv6: String) throws -> Host {
        Host(
            name: name, namespace: try TestNamespace(name), mac: MACAddress(0x0277_0000_0000 + UInt64(number)),
            ipv4: address(ipv4), ipv6: address(ipv6))
    }

    /// Plugs the host's cable in: `eth0` there, and a port of the host's name here.
    func connect(_ host: Host) throws {
        try TestNamespace.connect(
            CableEnd(network, host.name),
            CableEnd(host.namespace, "eth0", mac: host.mac, addresses: ["\(host.ipv4)/16", "\(host.ipv6)/64"]))
        try network.ip("link set \(host.name) master br0")
    }

    /// Makes the switch take what the host sends by XDP.
    func acceptTransmittedFrames(of host: Host) throws { try network.acceptTransmittedFrames(port: host.name) }

    /// Sets the switch's port, as by pulling the host's cable and plugging it in again.
    func setPort(of host: Host, up: Bool) throws {
        try network.ip("link set \(host.name) \(up ? "up" : "down")")
    }
}

extension TestNamespace {
    /// Makes the port take what its peer sends by XDP.
    func acceptTransmittedFrames(port: String) throws { try XDPProgram.passing().attach(to: port, in: self) }

    /// Makes this a direct-routing real server: it has the VIPs, and leaves ARP for them to the balancer. IPv6 needs no switch:
    /// neighbour solicitations are answered only for addresses of the interface that they come in by.
    func takeVIPs(_ vips: [IPAddress]) throws {
        for scope in ["all", "eth0"] {
            try sysctl("net", "ipv4", "conf", scope, "arp_ignore", value: 1)
            try sysctl("net", "ipv4", "conf", scope, "arp_announce", value: 2)
        }
        try sysctl("net", "ipv6", "conf", "eth0", "ndisc_notify", value: 1)
        try ip(batch: vips.map { "addr add \($0)/\($0.bitWidth) dev lo" + ($0.family == .ipv6 ? " nodad" : "") })
    }
}

/// An address that is written in a test.
func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { fatalError("\(text) is not an address") }
    return address
}
