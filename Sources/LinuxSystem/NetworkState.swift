package import NetworkTypes

/// What the kernel knows about the network of one namespace, at one moment.
package struct NetworkState: Sendable, Equatable {
    /// By interface index.
    package let links: [UInt32: Link]
    /// Sorted by interface, then address.
    package let addresses: [InterfaceAddress]
    package let neighbours: [NeighbourKey: Neighbour]
    /// The unicast routes of the main table, IPv4 and IPv6, one entry per next hop.
    package let routes: [Route]

    /// What is reached without a router: from addresses and routes, the longest prefix first.
    private let connected: [Route]

    package init(
        links: [UInt32: Link] = [:], addresses: [InterfaceAddress] = [], neighbours: [NeighbourKey: Neighbour] = [:],
        routes: [Route] = []
    ) {
        self.links = links
        self.addresses = addresses
        self.neighbours = neighbours
        self.routes = routes
        let fromAddresses = addresses.map {
            Route(destination: $0.prefix, gateway: nil, interface: $0.interface, metric: .max)
        }
        connected = (routes.filter { $0.gateway == nil } + fromAddresses)
            .filter { links[$0.interface]?.isLoopback == false }
            .sorted(by: Route.isPreferred)
    }

    /// The interface by its name.
    package func link(named name: String) -> Link? { links.values.first { $0.name == name } }

    /// The interface on whose link the address lies, with no router between: the one with the longest prefix that contains
    /// it, whether the link is up or not; never a loopback interface. `nil` if there is none, and for a link-local
    /// address that could lie on several.
    package func linkForDestination(_ address: IPAddress) -> Link? {
        guard let best = connected.first(where: { $0.destination.contains(address) }) else { return nil }
        if address.isLinkLocal {
            let all = connected.filter { $0.destination == best.destination }
            guard all.allSatisfy({ $0.interface == best.interface }) else { return nil }
        }
        return links[best.interface]
    }

    /// Where a packet to the address goes next: the interface, and the router or, on the link itself, the address.
    /// By the main table's longest prefix and then its lowest metric; routes through links that are down do not count.
    package func nextHop(for address: IPAddress) -> (interface: UInt32, address: IPAddress)? {
        route(to: address).map { ($0.interface, $0.gateway ?? address) }
    }

    /// The route that ``nextHop(for:)`` follows.
    func route(to address: IPAddress) -> Route? {
        routes.lazy
            .filter { $0.destination.contains(address) && links[$0.interface]?.isUp == true }
            .min(by: Route.isPreferred)
    }

    /// The neighbour's entry on the link where the address lies.
    package func neighbour(at address: IPAddress) -> Neighbour? {
        linkForDestination(address).flatMap { neighbours[NeighbourKey(interface: $0.index, address: address)] }
    }
}

/// A network interface.
package struct Link: Sendable, Equatable {
    package let index: UInt32
    package let name: String
    /// `nil` if the link has no 48-bit address.
    package let mac: MACAddress?
    /// Octets, without the Ethernet header.
    package let mtu: Int
    /// Whether it can carry packets: set up by the administrator, with a carrier, and operational (RFC 2863).
    package let isUp: Bool
    package let isLoopback: Bool
    package let isEthernet: Bool
    /// The driver's kind: "veth", "vlan", "bridge", …; empty for hardware.
    package let kind: String
    package let vlan: VLAN?
    /// The bridge or bond that this is a port of.
    package let master: UInt32?
    /// Of a veth: the other end's index, in the namespace where that is, which may be another one.
    package let peer: UInt32?

    /// A VLAN interface's tag and the interface that carries it.
    package struct VLAN: Sendable, Equatable {
        package let parent: UInt32
        package let id: UInt16

        package init(parent: UInt32, id: UInt16) {
            self.parent = parent
            self.id = id
        }
    }

    package init(
        index: UInt32, name: String, mac: MACAddress? = nil, mtu: Int = 1500, isUp: Bool = true,
        isLoopback: Bool = false, isEthernet: Bool = true, kind: String = "", vlan: VLAN? = nil, master: UInt32? = nil,
        peer: UInt32? = nil
    ) {
        self.index = index
        self.name = name
        self.mac = mac
        self.mtu = mtu
        self.isUp = isUp
        self.isLoopback = isLoopback
        self.isEthernet = isEthernet
        self.kind = kind
        self.vlan = vlan
        self.master = master
        self.peer = peer
    }
}

/// An address of an interface.
package struct InterfaceAddress: Sendable, Hashable {
    package let interface: UInt32
    package let address: IPAddress
    /// What is on the link: the address's own prefix or, on a point-to-point link, the peer's.
    package let prefix: Prefix
    /// IPv6: duplicate address detection has not ended yet.
    package let isTentative: Bool
    /// IPv6: another node has the address.
    package let isDuplicate: Bool
    /// Whether ``AddressManager`` added it. Kernels before 5.18 do not keep the mark.
    package let isOurs: Bool
    /// IPv4: another address of the same prefix was there before. IPv6: a temporary address (RFC 8981).
    package let isSecondary: Bool
    /// IPv6: its preferred lifetime is over, so nothing new should come from it (RFC 4862 §5.5.4).
    package let isDeprecated: Bool

    package init(
        interface: UInt32, address: IPAddress, prefix: Prefix, isTentative: Bool = false, isDuplicate: Bool = false,
        isOurs: Bool = false, isSecondary: Bool = false, isDeprecated: Bool = false
    ) {
        self.interface = interface
        self.address = address
        self.prefix = prefix
        self.isTentative = isTentative
        self.isDuplicate = isDuplicate
        self.isOurs = isOurs
        self.isSecondary = isSecondary
        self.isDeprecated = isDeprecated
    }
}

/// What names an entry of the neighbour tables (ARP and IPv6 neighbour discovery).
package struct NeighbourKey: Sendable, Hashable {
    package let interface: UInt32
    package let address: IPAddress

    package init(interface: UInt32, address: IPAddress) {
        self.interface = interface
        self.address = address
    }
}

/// What the kernel knows of a neighbour.
package struct Neighbour: Sendable, Hashable {
    /// `nil` until the neighbour has answered for the first time.
    package let mac: MACAddress?
    package let state: State

    /// The kernel's states (NUD_…, RFC 4861 §7.3.2).
    package enum State: Sendable, Hashable {
        case none, incomplete, reachable, stale, delay, probe, failed, noarp, permanent
    }

    package init(mac: MACAddress?, state: State) {
        self.mac = mac
        self.state = state
    }

    /// Whether the kernel itself would send to `mac` now. A stale entry is usable: it is merely unconfirmed.
    package var isUsable: Bool {
        switch state {
        case .reachable, .stale, .delay, .probe, .noarp, .permanent: mac != nil
        case .none, .incomplete, .failed: false
        }
    }
}

/// A unicast route, to one next hop.
package struct Route: Sendable, Hashable {
    package let destination: Prefix
    /// `nil` if the destination is on the link.
    package let gateway: IPAddress?
    package let interface: UInt32
    package let table: UInt32
    /// Lower is preferred.
    package let metric: UInt32
    /// The address that packets by this route come from, unless their sender chose one.
    package let preferredSource: IPAddress?
    /// Octets, if the route has a limit of its own.
    package let mtu: Int?

    /// The number of the main table (RT_TABLE_MAIN).
    package static let mainTable: UInt32 = 254

    package init(
        destination: Prefix, gateway: IPAddress?, interface: UInt32, table: UInt32 = Route.mainTable,
        metric: UInt32 = 0, preferredSource: IPAddress? = nil, mtu: Int? = nil
    ) {
        self.destination = destination
        self.gateway = gateway
        self.interface = interface
        self.table = table
        self.metric = metric
        self.preferredSource = preferredSource
        self.mtu = mtu
    }

    /// Longest prefix, then lowest metric, then lowest interface index, so that the order is total and repeatable.
    static func isPreferred(_ a: Route, _ b: Route) -> Bool {
        (b.destination.length, a.metric, a.interface) < (a.destination.length, b.metric, b.interface)
    }
}
