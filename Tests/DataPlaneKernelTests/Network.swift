import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit

/// The network that all these tests play in: a client, the balancer with one interface of index 1, and real servers.
enum Family: CaseIterable, CustomStringConvertible {
    case ipv4, ipv6

    var description: String { self == .ipv4 ? "IPv4" : "IPv6" }

    var vip: IPAddress { self == .ipv4 ? .ip("192.168.94.110") : .ip("2001:db8:94::110") }
    /// An address that no service has.
    var bystander: IPAddress { self == .ipv4 ? .ip("192.168.94.111") : .ip("2001:db8:94::111") }

    /// Clients of different numbers differ in the last octets: those of 256 neighbours share a /24, and all a /64.
    func client(_ number: Int = 1) -> IPAddress {
        self == .ipv4
            ? IPAddress(ipv4: 0x0a01_0000 + UInt32(number))
            : IPAddress(high: 0x2001_0db8_00c1_0000, low: UInt64(number))
    }

    /// The balancer's own, towards the servers.
    var balancer: IPAddress { self == .ipv4 ? .ip("192.168.255.254") : .ip("2001:db8:94::2:fffe") }

    func server(_ number: Int) -> IPAddress {
        self == .ipv4
            ? IPAddress(ipv4: 0xc0a8_0000 + UInt32(number))
            : IPAddress(high: 0x2001_0db8_0094_0000, low: 0x1_0000 + UInt64(number))
    }

    func layer(from source: IPAddress, to destination: IPAddress) -> Layer {
        self == .ipv4
            ? .ipv4(source: source, destination: destination) : .ipv6(source: source, destination: destination)
    }
}

enum Link {
    static let client = MACAddress.mac("02:00:00:00:00:01")
    static let balancer = MACAddress.mac("02:00:00:00:00:02")
    /// The balancer's other interface, of index 2.
    static let farSide = MACAddress.mac("02:00:00:00:00:03")
    static let stranger = MACAddress.mac("02:00:00:00:00:99")
    static let toBalancer = Layer.ethernet(destination: balancer, source: client)

    static let serverBase: UInt64 = 0x0200_0001_0000

    /// The MAC address of the server with this address: its last octets, which tests read back as the server's number.
    static func mac(of address: IPAddress) -> MACAddress { MACAddress(serverBase | address.low & 0xffff) }

    /// Every server is a neighbour on interface 1.
    static func nextHop(_ address: IPAddress) -> NextHop? {
        NextHop(interface: 1, mac: mac(of: address), sourceMAC: balancer, source: family(of: address).balancer)
    }

    /// Every server is a neighbour on interface 2.
    static func farHop(_ address: IPAddress) -> NextHop? {
        NextHop(interface: 2, mac: mac(of: address), sourceMAC: farSide, source: family(of: address).balancer)
    }

    private static func family(of address: IPAddress) -> Family { address.family == .ipv4 ? .ipv4 : .ipv6 }

    /// The number of the server that a frame is bound for; `nil` if it is none.
    static func server(of frame: [UInt8]) -> Int? {
        guard frame.count >= 6, frame[..<4].elementsEqual([2, 0, 0, 1]) else { return nil }
        return Int(frame[4]) << 8 | Int(frame[5])
    }
}

extension VirtualService {
    /// A service with real servers `firstServer` and up, one for each weight, named `s1` and so on. `port` is the port that
    /// they have, in the modes that translate; `inside` is their family, in those that wrap.
    static func sample(
        _ name: String = "web", _ family: Family = .ipv4, mode: ForwardingMode = .dr, address: IPAddress? = nil,
        ports: String = "80", protocols: Set<TransportProtocol> = [.tcp], scheduler: Scheduler = .wrr,
        persistence: Persistence? = nil, weights: [Int] = [100, 100, 100], firstServer: Int = 1, port: UInt16? = nil,
        inside: Family? = nil
    ) -> VirtualService {
        let servers = weights.enumerated().map { index, weight in
            let number = firstServer + index
            return RealServer(
                name: "s\(number)", address: (inside ?? family).server(number), weight: weight, port: port)
        }
        // A literal of this file that is no port list is a mistake of the test's author.
        let ports = (try? PortSet(parsing: ports)) ?? PortSet([])
        return VirtualService(
            name: name, mode: mode, address: address ?? family.vip, ports: ports, protocols: protocols, scheduler: scheduler,
            persistence: persistence, servers: servers)
    }

    /// The same with one real server changed.
    func with(_ server: String, _ change: (inout RealServer) -> Void) -> VirtualService {
        var result = self
        for index in servers.indices where servers[index].name == server { change(&result.servers[index]) }
        return result
    }

    func without(_ server: String) -> VirtualService {
        var result = self
        result.servers.removeAll { $0.name == server }
        return result
    }
}

/// One end of a conversation with a service: packets from it differ in nothing but what the test is about.
struct Client {
    var family: Family = .ipv4
    var number = 1
    var port: UInt16 = 40000
    var service: UInt16 = 80
    var vip: IPAddress?

    private var network: Layer { family.layer(from: family.client(number), to: vip ?? family.vip) }

    func tcp(_ flags: TCPFlags, payload: String = "") -> Packet {
        let content: [Layer] = payload.isEmpty ? [] : [.payload(Array(payload.utf8))]
        return Packet(
            layers: [
                Link.toBalancer, network,
                .tcp(source: port, destination: service, flags: flags, sequence: 1000, acknowledgement: 2000),
            ] + content)
    }

    func udp(_ payload: String = "datagram", checksum: Checksum = .computed) -> Packet {
        Packet(
            Link.toBalancer, network, .udp(source: port, destination: service, checksum: checksum),
            .payload(Array(payload.utf8)))
    }

    var syn: Packet { tcp(.syn) }
    var ack: Packet { tcp(.ack) }
}

extension Packet {
    /// The frame as direct routing sends it to a real server.
    func routed(to server: IPAddress, from source: MACAddress = Link.balancer) -> Packet {
        var result = self
        result.ethernet?.destination = Link.mac(of: server)
        result.ethernet?.source = source
        return result
    }

    /// The packet with these layers behind its Ethernet header.
    func tagged(_ tags: [Layer]) -> Packet {
        Packet(layers: Array(layers[..<1]) + tags + Array(layers[1...]))
    }
}

/// TCP packets and datagrams by the hundred thousand: one frame whose source address and ports are overwritten in place.
/// Their checksums are not right, which direct routing does not look at.
struct FrameStamp {
    private(set) var frame: [UInt8]
    private let source: Int
    private let transport: Int

    init(_ client: Client, _ packet: (Client) -> Packet = \.syn) {
        frame = packet(client).bytes
        source = 14 + (client.family == .ipv4 ? 12 + 2 : 8 + 14)
        transport = 14 + (client.family == .ipv4 ? 20 : 40)
    }

    /// Sets the last two octets of the client's address, its port, and the service's port.
    mutating func stamp(client: Int? = nil, port: UInt16? = nil, service: UInt16? = nil) {
        if let client { store(UInt16(truncatingIfNeeded: client), at: source) }
        if let port { store(port, at: transport) }
        if let service { store(service, at: transport + 2) }
    }

    mutating func stamp(flags: TCPFlags) { frame[transport + 13] = UInt8(truncatingIfNeeded: flags.rawValue) }

    /// Sets the whole address, which must be IPv4.
    mutating func stamp(address: UInt32) {
        store(UInt16(truncatingIfNeeded: address >> 16), at: source - 2)
        store(UInt16(truncatingIfNeeded: address), at: source)
    }

    private mutating func store(_ value: UInt16, at offset: Int) {
        frame[offset] = UInt8(truncatingIfNeeded: value >> 8)
        frame[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}

extension SeededGenerator {
    /// Any octets, so many.
    mutating func octets(_ count: ClosedRange<Int>) -> [UInt8] {
        (0..<Int.random(in: count, using: &self)).map { _ in .random(in: 0...255, using: &self) }
    }
}
