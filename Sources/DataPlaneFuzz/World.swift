import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit

/// A real server, or a service's fallback, as the world has it.
struct Server {
    /// Its MAC address and its address end with this.
    let number: Int
    let service: Int
    var real: RealServer
    var isFallback = false
    var isPresent = true
    var hop: NextHop?

    /// Whether it keeps the flows that it has.
    var keepsFlows: Bool { isPresent && real.state != .halt }
    var takesConnections: Bool { isPresent && real.state == .online && real.weight > 0 }
}

struct Service {
    /// Without its servers.
    let virtual: VirtualService
    /// The servers' numbers.
    let servers: [Int]
    let fallback: Int?
    /// Whether a server was halted, removed or made unreachable since the world began.
    var hasLostServers = false

    var mode: ForwardingMode { virtual.mode }
    var isTranslating: Bool { mode == .nat || mode == .snat }
    var family: IPAddress.Family { virtual.address.family }
}

/// The configuration that packets meet: services of every mode in both families, with all else drawn by chance.
struct World {
    static let ownMAC = MACAddress(0x0200_0000_0002)
    static let farMAC = MACAddress(0x0200_0000_0003)
    static let serverMACs: UInt64 = 0x0200_0001_0000
    static let clientMACs: UInt64 = 0x0200_0002_0000

    /// Clients of this prefix are denied where a service denies any.
    static let denied: [IPAddress.Family: Prefix] = [.ipv4: Prefix("10.66.0.0/16")!, .ipv6: Prefix("2001:db8:66::/48")!]

    let settings: DataPathSettings
    /// Whether the flow table has room for all flows that can come: then none may be lost.
    let isRoomy: Bool
    private(set) var isActive = true
    private(set) var services: [Service] = []
    private(set) var servers: [Server] = []
    private var servicesByAddress: [IPAddress: [Int]] = [:]

    init(_ random: inout Random) {
        isRoomy = random.chance(40)
        settings = DataPathSettings(
            flows: isRoomy ? 131_072 : random.pick([1024, 4096, 16384]), persistence: random.pick([256, 4096]),
            timeouts: .init(udp: .seconds(random.chance(20) ? 1 : 300)))
        // As for the data plane, number 0 is none.
        servers = [Server(number: 0, service: 0, real: RealServer(name: "none", address: .ip("0.0.0.0")), isPresent: false)]
        for family in [IPAddress.Family.ipv4, .ipv6] {
            for mode in [ForwardingMode.dr, .nat, .snat, .tunnel] {
                addService(family, mode, ports: "80,443,5000-5007", &random)
                if random.chance(50) { addService(family, random.pick([.dr, .nat, .snat, .tunnel]), ports: "8080", &random) }
            }
        }
        for (index, service) in services.enumerated() {
            servicesByAddress[service.virtual.address, default: []].append(index)
        }
    }

    // MARK: Making it

    /// The second service of an address comes after its first.
    private mutating func addService(
        _ family: IPAddress.Family, _ mode: ForwardingMode, ports: String, _ random: inout Random
    ) {
        let isSecond = ports == "8080"
        let address = isSecond ? services.last!.virtual.address : Self.vip(services.count, family)
        var service = VirtualService(
            name: "service-\(services.count)", mode: mode, address: address, ports: try! PortSet(parsing: ports),
            protocols: [.tcp, .udp], scheduler: random.pick(Scheduler.allCases),
            persistence: random.chance(40) ? Self.persistence(family, &random) : nil, servers: [])
        service.encapsulation = random.pick(Encapsulation.allCases)
        service.resetsOrphans = random.chance(50)
        service.clients = Self.clients(family, &random)
        if mode == .snat { service.source = Self.pool(services.count, family, &random) }
        let count = random.pick([1, 2, 3, 5, 20])
        let numbers = (0..<count).map { _ in addServer(service, &random) }
        var fallback: Int?
        if random.chance(30) {
            fallback = addServer(service, isFallback: true, &random)
            service.fallback = Fallback(address: servers[fallback!].real.address, port: servers[fallback!].real.port)
        }
        services.append(Service(virtual: service, servers: numbers, fallback: fallback))
    }

    private mutating func addServer(_ service: VirtualService, isFallback: Bool = false, _ random: inout Random) -> Int {
        let number = servers.count
        // Tunnels lead from each family into each.
        let family = service.mode == .tunnel && random.chance(50) ? Self.other(service.address.family) : service.address.family
        let translates = (service.mode == .nat || service.mode == .snat) && random.chance(50)
        let real = RealServer(
            name: "s\(number)", address: Self.serverAddress(number, family), weight: random.pick([0, 1, 100, 100, 100, 250]),
            port: translates ? 7000 : nil, maxConnections: isFallback || random.chance(80) ? 0 : random.pick([1, 5, 50]))
        let hop = random.chance(95) ? Self.hop(number, family, isTunnel: service.mode == .tunnel, &random) : nil
        servers.append(
            Server(number: number, service: services.count, real: real, isFallback: isFallback, hop: hop))
        return servers.count - 1
    }

    private static func other(_ family: IPAddress.Family) -> IPAddress.Family { family == .ipv4 ? .ipv6 : .ipv4 }

    private static func vip(_ number: Int, _ family: IPAddress.Family) -> IPAddress {
        family == .ipv4
            ? IPAddress(ipv4: 0xc000_0200 + UInt32(number)) : IPAddress(high: 0x2001_0db8_000f_0000, low: UInt64(number))
    }

    private static func serverAddress(_ number: Int, _ family: IPAddress.Family) -> IPAddress {
        family == .ipv4
            ? IPAddress(ipv4: 0x0ac8_0000 + UInt32(number)) : IPAddress(high: 0x2001_0db8_0005_0000, low: UInt64(number))
    }

    private static func hop(
        _ number: Int, _ family: IPAddress.Family, isTunnel: Bool, _ random: inout Random
    ) -> NextHop {
        let isFar = random.chance(25)
        return NextHop(
            interface: isFar ? 2 : 1, mac: MACAddress(serverMACs + UInt64(number)), sourceMAC: isFar ? farMAC : ownMAC,
            vlan: random.chance(90) ? 0 : 100,
            source: family == .ipv4 ? IPAddress(ipv4: 0x0ac8_fffe) : IPAddress(high: 0x2001_0db8_0005_0000, low: 0xfffe),
            mtu: random.pick([1280, 1400, 1500, 9000]), isRouted: isTunnel && random.chance(50))
    }

    private static func persistence(_ family: IPAddress.Family, _ random: inout Random) -> Persistence {
        Persistence(
            prefix: random.pick(family == .ipv4 ? [8, 24, 32] : [32, 64, 128]), timeout: .seconds(random.pick([1, 30, 300])))
    }

    private static func clients(_ family: IPAddress.Family, _ random: inout Random) -> ClientRules {
        var rules = ClientRules()
        if random.chance(25) { rules.deny = [denied[family]!] }
        if random.chance(10) { rules.allow = [Prefix(family == .ipv4 ? "10.0.0.0/8" : "2001:db8::/32")!] }
        if random.chance(10) { (rules.rate, rules.burst) = (random.pick([1, 1000]), random.pick([1, 10])) }
        return rules
    }

    private static func pool(_ number: Int, _ family: IPAddress.Family, _ random: inout Random) -> SourcePool {
        let addresses = (0..<random.pick([0, 1, 3, 8])).map { index in
            family == .ipv4
                ? IPAddress(ipv4: 0x0ac8_f000 + UInt32(number * 8 + index))
                : IPAddress(high: 0x2001_0db8_0005_0001, low: UInt64(number * 8 + index))
        }
        return SourcePool(addresses: addresses, ports: random.pick([1024...1087, 1024...32767, 40000...40999]))
    }

    // MARK: Asking it

    /// The service that the packet is for.
    func service(_ address: IPAddress, _ port: UInt16) -> Int? {
        servicesByAddress[address]?.first { services[$0].virtual.ports.contains(port) }
    }

    func isVIP(_ address: IPAddress) -> Bool { servicesByAddress[address] != nil }

    func services(at address: IPAddress) -> [Int] { servicesByAddress[address] ?? [] }

    /// The server whose MAC address this is; `nil` if it is none's.
    func server(mac: UInt64) -> Server? {
        guard mac & ~0xffff == Self.serverMACs, case let number = Int(mac & 0xffff), (1..<servers.count).contains(number)
        else { return nil }
        return servers[number]
    }

    /// What the data plane shall be told.
    var configuration: [VirtualService] {
        services.map { service in
            var virtual = service.virtual
            virtual.servers = service.servers.filter { servers[$0].isPresent }.map { servers[$0].real }
            return virtual
        }
    }

    func nextHop(_ address: IPAddress) -> NextHop? {
        let number = address.family == .ipv4 ? Int(address.low & 0xffff) : Int(truncatingIfNeeded: address.low)
        guard (1..<servers.count).contains(number), servers[number].real.address == address else { return nil }
        return servers[number].hop
    }

    func denies(_ client: IPAddress, _ service: Int) -> Bool {
        let rules = services[service].virtual.clients
        let allowed = rules.allow.filter { $0.contains(client) }.map(\.length).max()
        let denied = rules.deny.filter { $0.contains(client) }.map(\.length).max()
        guard let denied else { return !rules.allow.isEmpty && allowed == nil }
        return denied > allowed ?? -1
    }

    // MARK: Changing it

    /// Something happens to a few servers, or to the node.
    mutating func change(_ random: inout Random) {
        isActive = random.chance(85)
        for _ in 0..<random.within(1...30) {
            let number = random.within(1...(servers.count - 1))
            switch random.below(10) {
            case 0...2: servers[number].real.state = .halt
            case 3: servers[number].real.state = .drain
            case 4...6: servers[number].real.state = .online
            case 7: servers[number].isPresent.toggle()
            case 8: servers[number].real.weight = random.pick([0, 1, 100])
            default:
                servers[number].hop =
                    servers[number].hop == nil
                    ? Self.hop(number, servers[number].real.address.family, isTunnel: false, &random) : nil
            }
            // A fallback is not configured apart from its service.
            if servers[number].isFallback {
                servers[number].isPresent = true
                servers[number].real.state = .online
            }
            services[servers[number].service].hasLostServers = true
        }
    }
}
