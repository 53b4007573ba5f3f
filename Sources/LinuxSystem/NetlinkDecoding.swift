internal import CLibNL
internal import Glibc
internal import NetworkTypes

// What the kernel's messages say, as values. Each decoder returns nil for a message that is not about its subject, such
// as a bridge's view of a link or of a forwarding entry, which share the message types.

extension Link {
    package init?(_ message: NetlinkMessage) {
        guard let header = message.header(ifinfomsg.self), Int32(header.ifi_family) == AF_UNSPEC else { return nil }
        var name: String?
        var mac: MACAddress?
        var mtu: UInt32?
        var kind = ""
        var parent: UInt32?
        var vlanID: UInt16?
        var master: UInt32?
        for attribute in message.attributes(after: ifinfomsg.self) {
            switch attribute.type {
            case Int(IFLA_IFNAME): name = attribute.string
            case Int(IFLA_ADDRESS): mac = attribute.mac
            case Int(IFLA_MTU): mtu = attribute.uint32
            case Int(IFLA_LINK): parent = attribute.uint32
            case Int(IFLA_MASTER): master = attribute.uint32
            case Int(IFLA_LINKINFO):
                for part in attribute.nested {
                    if part.isType(IFLA_INFO_KIND) { kind = part.string }
                    if part.isType(IFLA_INFO_DATA), kind == "vlan" {
                        vlanID = part.nested.first { $0.isType(IFLA_VLAN_ID) }?.uint16
                    }
                }
            default: break
            }
        }
        // Wireless events are of this type too and name no MTU.
        guard let name, let mtu else { return nil }
        let flags = header.ifi_flags
        let needed = UInt32(IFF_UP.rawValue | IFF_RUNNING.rawValue) | 1 << 16  // 1 << 16: IFF_LOWER_UP, the carrier
        self.init(
            index: UInt32(bitPattern: header.ifi_index), name: name, mac: mac, mtu: Int(mtu),
            isUp: flags & needed == needed, isLoopback: flags & UInt32(IFF_LOOPBACK.rawValue) != 0,
            isEthernet: header.ifi_type == UInt16(ARPHRD_ETHER), kind: kind,
            vlan: parent.flatMap { parent in vlanID.map { VLAN(parent: parent, id: $0) } }, master: master,
            peer: kind == "veth" ? parent : nil)
    }
}

extension InterfaceAddress {
    /// What `AddressManager` writes into IFA_PROTO; the kernel's own values end at 3.
    static let mark: UInt8 = 0x52

    package init?(_ message: NetlinkMessage) {
        guard let header = message.header(ifaddrmsg.self) else { return nil }
        var local: IPAddress?
        var peer: IPAddress?
        var flags = UInt32(header.ifa_flags)
        var mark: UInt8 = 0
        for attribute in message.attributes(after: ifaddrmsg.self) {
            switch attribute.type {
            case Int(IFA_LOCAL): local = attribute.address
            case Int(IFA_ADDRESS): peer = attribute.address
            case Int(IFA_FLAGS): flags = attribute.uint32 ?? flags
            case Int(IFA_PROTO): mark = attribute.uint8 ?? 0
            default: break
            }
        }
        guard let address = local ?? peer, let prefix = Prefix(peer ?? address, length: Int(header.ifa_prefixlen))
        else {
            return nil
        }
        self.init(
            interface: header.ifa_index, address: address, prefix: prefix,
            isTentative: flags & UInt32(IFA_F_TENTATIVE) != 0, isDuplicate: flags & UInt32(IFA_F_DADFAILED) != 0,
            isOurs: mark == Self.mark, isSecondary: flags & UInt32(IFA_F_SECONDARY) != 0,
            isDeprecated: flags & UInt32(IFA_F_DEPRECATED) != 0)
    }
}

extension Neighbour {
    package static func decode(_ message: NetlinkMessage) -> (key: NeighbourKey, neighbour: Neighbour)? {
        guard let header = message.header(ndmsg.self),
            [AF_INET, AF_INET6].contains(Int32(header.ndm_family)), header.ndm_flags & UInt8(NTF_PROXY) == 0
        else { return nil }
        var address: IPAddress?
        var mac: MACAddress?
        for attribute in message.attributes(after: ndmsg.self) {
            if attribute.isType(NDA_DST) { address = attribute.address }
            if attribute.isType(NDA_LLADDR) { mac = attribute.mac }
        }
        return address.map {
            (
                NeighbourKey(interface: UInt32(bitPattern: header.ndm_ifindex), address: $0),
                Neighbour(mac: mac, state: State(kernel: header.ndm_state))
            )
        }
    }
}

extension Neighbour.State {
    init(kernel state: UInt16) {
        self =
            switch Int32(state) {
            case NUD_INCOMPLETE: .incomplete
            case NUD_REACHABLE: .reachable
            case NUD_STALE: .stale
            case NUD_DELAY: .delay
            case NUD_PROBE: .probe
            case NUD_FAILED: .failed
            case NUD_NOARP: .noarp
            case NUD_PERMANENT: .permanent
            default: .none
            }
    }
}

extension Route {
    /// The route's next hops, each as a route of its own; empty for what is not a unicast route of the main table.
    package static func decode(_ message: NetlinkMessage) -> [Route] {
        guard let header = message.header(rtmsg.self), Int(header.rtm_type) == Int(RTN_UNICAST),
            [AF_INET, AF_INET6].contains(Int32(header.rtm_family)), header.rtm_flags & UInt32(RTM_F_CLONED) == 0
        else { return [] }
        var table = UInt32(header.rtm_table)
        var address = Int32(header.rtm_family) == AF_INET ? IPAddress(ipv4: 0) : IPAddress(high: 0, low: 0)
        var metric: UInt32 = 0
        var source: IPAddress?
        var mtu: Int?
        var hops: [(interface: UInt32, gateway: IPAddress?)] = []
        var gateway: IPAddress?
        var interface: UInt32?
        for attribute in message.attributes(after: rtmsg.self) {
            switch attribute.type {
            case Int(RTA_TABLE.rawValue): table = attribute.uint32 ?? table
            case Int(RTA_DST.rawValue): address = attribute.address ?? address
            case Int(RTA_PRIORITY.rawValue): metric = attribute.uint32 ?? 0
            case Int(RTA_PREFSRC.rawValue): source = attribute.address
            case Int(RTA_METRICS.rawValue):
                mtu = attribute.nested.first { $0.isType(RTAX_MTU) }?.uint32.map { Int($0) }
            case Int(RTA_OIF.rawValue): interface = attribute.uint32
            case Int(RTA_GATEWAY.rawValue), Int(RTA_VIA.rawValue): gateway = attribute.routeGateway
            case Int(RTA_MULTIPATH.rawValue): hops = nextHops(attribute.value)
            default: break
            }
        }
        guard table == mainTable, let destination = Prefix(address, length: Int(header.rtm_dst_len)) else { return [] }
        if let interface, header.rtm_flags & UInt32(RTNH_F_DEAD) == 0 { hops.append((interface, gateway)) }
        return hops.map {
            Route(
                destination: destination, gateway: $0.gateway, interface: $0.interface, table: table, metric: metric,
                preferredSource: source, mtu: mtu)
        }
    }

    private static func nextHops(_ bytes: UnsafeRawBufferPointer) -> [(interface: UInt32, gateway: IPAddress?)] {
        let headerSize = MemoryLayout<rtnexthop>.size
        var hops: [(interface: UInt32, gateway: IPAddress?)] = []
        var rest = bytes[...]
        while rest.count >= headerSize {
            let header = rest.loadUnaligned(as: rtnexthop.self)
            let length = Int(header.rtnh_len)
            guard length >= headerSize, length <= rest.count else { break }
            let attributes = NetlinkAttributes(
                UnsafeRawBufferPointer(rebasing: rest.prefix(length).dropFirst(headerSize)))
            if header.rtnh_flags & UInt8(RTNH_F_DEAD) == 0 {
                let gateway = attributes.lazy.compactMap(\.routeGateway).first
                hops.append((UInt32(bitPattern: header.rtnh_ifindex), gateway))
            }
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return hops
    }
}

extension NetlinkAttribute {
    /// The router of a route: of the route's family, or of the other one with the family before it (RFC 5549).
    fileprivate var routeGateway: IPAddress? {
        if isType(RTA_GATEWAY.rawValue) { return address }
        if isType(RTA_VIA.rawValue), value.count > 2 {
            return IPAddress(netlink: UnsafeRawBufferPointer(rebasing: value.dropFirst(2)))
        }
        return nil
    }
}
