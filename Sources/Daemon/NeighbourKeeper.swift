import DataPlane
import LinuxSystem
import Logging
import NetworkTypes

/// Keeps the real servers' neighbour entries alive: the data plane bypasses the kernel's own sending, so nobody else asks for
/// them. Answers arrive as changes of the network monitor.
struct NeighbourKeeper: ~Copyable {
    private var prober: NeighbourProber
    private let announcer: Announcer
    private var round = 0

    /// A known neighbour is asked once in so many calls of `maintain`: every five seconds, and less often where there are
    /// thousands, so that no more than a few hundred are asked in a second.
    private static func period(for servers: Int) -> Int { max(5, servers / 200) }

    init() throws {
        let prober = try NeighbourProber()
        announcer = try Announcer()
        self.prober = prober
    }

    /// Makes the kernel's neighbour tables large enough for so many servers: by default they hold 1 024 entries, and the rest
    /// would push each other out. A network namespace other than the first shares the limits of the first and cannot set them.
    static func makeRoom(for servers: Int, logger: Logger) {
        for family in ["ipv4", "ipv6"] {
            for (name, room) in [("gc_thresh3", servers * 2), ("gc_thresh2", servers * 3 / 2), ("gc_thresh1", servers)] {
                let limit = Sysctl("net", family, "neigh", "default", name)
                guard let now = try? limit.readInteger(), now < room else { continue }
                do {
                    try limit.write(room)
                } catch {
                    logger.warning("neighbour table not enlarged", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    /// Where a server is reached, if the way leads through one of `interfaces` and the next hop's MAC address is known.
    static func nextHop(to address: IPAddress, in network: NetworkState, interfaces: Set<UInt32>) -> NextHop? {
        guard let key = neighbour(towards: address, in: network), let link = network.links[key.interface], link.isUp,
            let source = link.mac, let neighbour = network.neighbours[key], neighbour.isUsable, let mac = neighbour.mac
        else { return nil }
        // A VLAN's frames go through the interface that carries it, unless the program is on the VLAN's own.
        let vlan = link.vlan.flatMap { interfaces.contains($0.parent) ? $0 : nil }
        let interface = vlan?.parent ?? link.index
        guard interfaces.contains(interface) else { return nil }
        return NextHop(
            interface: interface, mac: mac, sourceMAC: source, vlan: vlan?.id ?? 0,
            source: network.sourceAddress(for: address), mtu: network.pathMTU(to: address) ?? link.mtu,
            isRouted: key.address != address)
    }

    /// The neighbour that packets to the address are handed to: itself on its own link, else a router.
    static func neighbour(towards address: IPAddress, in network: NetworkState) -> NeighbourKey? {
        if let link = network.linkForDestination(address) { return NeighbourKey(interface: link.index, address: address) }
        return network.nextHop(for: address).map { NeighbourKey(interface: $0.interface, address: $0.address) }
    }

    /// To be called each second: asks for those that are unknown, and in turn whether the known are still there.
    mutating func maintain(_ addresses: Set<IPAddress>, in network: NetworkState) {
        round += 1
        let period = Self.period(for: addresses.count)
        var (unknown, due): ([NeighbourKey], [NeighbourKey]) = ([], [])
        for key in Set(addresses.compactMap({ Self.neighbour(towards: $0, in: network) })) {
            guard let link = network.links[key.interface], link.isUp else { continue }
            guard let neighbour = network.neighbours[key], neighbour.isUsable else {
                unknown.append(key)
                continue
            }
            switch neighbour.state {
            case .permanent, .noarp: continue
            // It has not answered at the address that we know: it may have moved without a word.
            case .probe: solicit(key, link, in: network)
            default: if (key.address.spreadValue &+ round) % period == 0 { due.append(key) }
            }
        }
        prober.probe(unknown)
        prober.revalidate(due)
    }

    /// Asks for neighbours at once.
    mutating func probe(_ addresses: some Sequence<IPAddress>, in network: NetworkState) {
        prober.probe(addresses.compactMap { Self.neighbour(towards: $0, in: network) })
    }

    private func solicit(_ key: NeighbourKey, _ link: Link, in network: NetworkState) {
        let own = network.addresses.first {
            $0.interface == link.index && $0.address.family == key.address.family
                && $0.address.isLinkLocal == (key.address.family == .ipv6)
        }
        guard let own, let mac = link.mac else { return }
        // A link that went down in this moment comes back as a change; nothing is lost by not asking.
        try? announcer.solicit(key.address, from: own.address, mac: mac, interface: link.index)
    }
}

extension IPAddress {
    /// Spreads addresses over the rounds.
    fileprivate var spreadValue: Int { Int(truncatingIfNeeded: (high ^ low) & 0xffff) }
}
