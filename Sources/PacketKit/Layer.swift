/// One layer of a packet: a header, or octets that no header describes.
///
/// A field that follows from the rest of the packet (a length, a type, a checksum) is optional or a `Checksum`: left out, it
/// is computed; given, it is written as it is, so that malformed packets can be built too.
package enum Layer: Hashable, Sendable {
    case ethernet(EthernetHeader)
    case vlan(VLANTag)
    case arp(ARPMessage)
    case ipv4(IPv4Header)
    case ipv6(IPv6Header)
    case hopByHop(OptionsHeader)
    case destinationOptions(OptionsHeader)
    case routing(RoutingHeader)
    case fragment(FragmentHeader)
    case authentication(AuthenticationHeader)
    case tcp(TCPHeader)
    case udp(UDPHeader)
    case icmp(ICMPv4Header)
    case icmpv6(ICMPv6Header)
    case neighbour(NeighbourMessage)
    /// The beginning of the datagram that an ICMP error is about, from its IP header on.
    case quoted([UInt8])
    /// What the layers above carry.
    case payload([UInt8])
    /// Octets that should be a header but are too few for it, or contradict themselves.
    case raw([UInt8])
    /// Octets behind the end of a datagram. `inside` is the number of IP headers whose lengths still count them: zero for
    /// the padding of an Ethernet frame, more for slack inside a tunnel.
    case padding([UInt8], inside: Int = 0)

    /// The layer's name as descriptions and differences show it.
    package var name: String {
        switch self {
        case .ethernet: "ethernet"
        case .vlan: "vlan"
        case .arp: "arp"
        case .ipv4: "ipv4"
        case .ipv6: "ipv6"
        case .hopByHop: "hop-by-hop"
        case .destinationOptions: "destination-options"
        case .routing: "routing"
        case .fragment: "fragment"
        case .authentication: "authentication"
        case .tcp: "tcp"
        case .udp: "udp"
        case .icmp: "icmp"
        case .icmpv6: "icmpv6"
        case .neighbour: "neighbour"
        case .quoted: "quoted"
        case .payload: "payload"
        case .raw: "raw"
        case .padding: "padding"
        }
    }

    /// The octets of a layer that is nothing but octets.
    var content: [UInt8]? {
        switch self {
        case .quoted(let bytes), .payload(let bytes), .raw(let bytes), .padding(let bytes, _): bytes
        default: nil
        }
    }

    /// Whether this is an IP header, whose length field bounds what follows.
    var isNetwork: Bool {
        switch self {
        case .ipv4, .ipv6: true
        default: false
        }
    }

    /// Whether this is an Ethernet header or a tag behind one.
    var isLink: Bool {
        switch self {
        case .ethernet, .vlan: true
        default: false
        }
    }
}

/// EtherType numbers (IANA "IEEE 802 Numbers").
package enum EtherType {
    package static let ipv4: UInt16 = 0x0800
    package static let arp: UInt16 = 0x0806
    package static let ipv6: UInt16 = 0x86dd
    /// IEEE 802.1Q customer tag.
    package static let vlan: UInt16 = 0x8100
    /// IEEE 802.1ad service tag.
    package static let serviceVLAN: UInt16 = 0x88a8
    /// IEEE 802 local experimental EtherType 1: what a header gets whose content has no type of its own.
    package static let experimental: UInt16 = 0x88b5
}

/// IP protocol and IPv6 next-header numbers (IANA "Protocol Numbers").
package enum IPProtocol {
    package static let hopByHop: UInt8 = 0
    package static let icmp: UInt8 = 1
    package static let ipv4: UInt8 = 4
    package static let tcp: UInt8 = 6
    package static let udp: UInt8 = 17
    package static let ipv6: UInt8 = 41
    package static let routing: UInt8 = 43
    package static let fragment: UInt8 = 44
    package static let authentication: UInt8 = 51
    package static let icmpv6: UInt8 = 58
    /// What a header gets whose content has no protocol of its own.
    package static let noNextHeader: UInt8 = 59
    package static let destinationOptions: UInt8 = 60
}

extension Layer {
    /// The EtherType that announces this layer, and the one for content without any.
    static func etherType(of next: Layer?) -> UInt16 {
        switch next {
        case .vlan(let tag): tag.tagProtocol
        case .arp: EtherType.arp
        case .ipv4: EtherType.ipv4
        case .ipv6: EtherType.ipv6
        default: EtherType.experimental
        }
    }

    /// The protocol number that announces this layer, and the one for content without any.
    static func ipProtocol(of next: Layer?) -> UInt8 {
        switch next {
        case .ipv4: IPProtocol.ipv4
        case .ipv6: IPProtocol.ipv6
        case .hopByHop: IPProtocol.hopByHop
        case .destinationOptions: IPProtocol.destinationOptions
        case .routing: IPProtocol.routing
        case .fragment: IPProtocol.fragment
        case .authentication: IPProtocol.authentication
        case .tcp: IPProtocol.tcp
        case .udp: IPProtocol.udp
        case .icmp: IPProtocol.icmp
        case .icmpv6, .neighbour: IPProtocol.icmpv6
        default: IPProtocol.noNextHeader
        }
    }
}
