import NetworkTypes
import PacketKit

/// Packets of every layer, as their decoding shall give them back.
enum Samples {
    static let client = MACAddress.mac("02:00:00:00:00:01")
    static let balancer = MACAddress.mac("02:00:00:00:00:02")
    static let link = Layer.ethernet(destination: balancer, source: client)
    static let v4 = Layer.ipv4(source: .ip("10.0.0.1"), destination: .ip("192.0.2.1"))
    static let v6 = Layer.ipv6(source: .ip("2001:db8::1"), destination: .ip("2001:db8:1::80"))
    static let syn = Layer.tcp(source: 40000, destination: 80, flags: [.syn], sequence: 7)
    static let datagram = Layer.udp(source: 40000, destination: 50000)
    static let text = Layer.payload(Array("hello, world".utf8))
    static let udpPacket = Packet(link, v4, datagram, text)

    static let all: [(name: String, packet: Packet)] = links + addresses + extensions + transports + control

    static let links: [(name: String, packet: Packet)] = [
        ("unknown type", Packet(.ethernet(destination: balancer, source: client, type: 0x9000), text)),
        ("802.3 length", Packet(.ethernet(destination: balancer, source: client, type: 12), text)),
        ("one tag", Packet(link, .vlan(100), v4, syn)),
        (
            "two tags",
            Packet(
                link, .vlan(100, priority: 5, dropEligible: true, tagProtocol: EtherType.serviceVLAN), .vlan(7), v6, syn
            )
        ),
        (
            "ARP request",
            Packet(link, .arpRequest(senderHardware: client, senderAddress: .ip("10.0.0.1"), target: .ip("10.0.0.2")))
                .padded(to: 60)
        ),
        (
            "ARP reply",
            Packet(
                link, .vlan(3),
                .arpReply(
                    senderHardware: client, senderAddress: .ip("10.0.0.1"), targetHardware: balancer,
                    targetAddress: .ip("10.0.0.2")))
        ),
    ]

    static let addresses: [(name: String, packet: Packet)] = [
        (
            "IPv4 with all fields",
            Packet(
                link,
                .ipv4(
                    source: .ip("10.0.0.1"), destination: .ip("192.0.2.1"), ttl: 3, options: [7, 7, 4, 1, 2, 3, 4, 0],
                    identification: 0xbeef, dontFragment: true, reservedFlag: true, tos: 0xb8), datagram, text)
        ),
        (
            "later IPv4 fragment",
            Packet(
                link,
                .ipv4(
                    source: .ip("10.0.0.1"), destination: .ip("192.0.2.1"), fragmentOffset: 185,
                    protocol: IPProtocol.udp),
                text)
        ),
        ("IPv4 without content", Packet(link, v4)),
        ("padded IPv4", Packet(link, v4, syn).padded(to: 60)),
        (
            "IPv6 with all fields",
            Packet(
                link,
                .ipv6(
                    source: .ip("fe80::1"), destination: .ip("ff02::1"), hopLimit: 255, trafficClass: 0xb8,
                    flowLabel: 0xabcde), datagram, text)
        ),
        ("IPv4 in IPv4", Packet(link, v4, .ipv4(source: .ip("10.1.0.1"), destination: .ip("10.1.0.2")), syn)),
        ("IPv6 in IPv4", Packet(link, v4, v6, datagram, text)),
        ("IPv4 in IPv6", Packet(link, v6, v4, syn, text)),
        (
            "IPv6 in IPv6, with slack at both ends",
            Packet(link, v6, v6, syn, .padding([1, 2], inside: 1), .padding([0, 0, 0]))
        ),
        ("slack outside only the outer", Packet(link, v4, v4, v4, syn, .padding([9], inside: 1), .padding([0, 0, 0]))),
        ("from the network layer", Packet(v4, syn)),
        ("from the network layer, IPv6", Packet(v6, syn)),
    ]

    static let extensions: [(name: String, packet: Packet)] = [
        ("hop-by-hop", Packet(link, v6, .hopByHop(options: [5, 2, 0, 0, 1, 0]), syn)),
        ("destination options", Packet(link, v6, .destinationOptions(options: [1, 4, 0, 0, 0, 0]), datagram, text)),
        (
            "routing header on its way",
            Packet(link, v6, .routing(segmentsLeft: 1, addresses: [.ip("2001:db8::7"), .ip("2001:db8::9")]), syn)
        ),
        (
            "segment routing at its end",
            Packet(link, v6, .routing(type: 4, segmentsLeft: 0, addresses: [.ip("2001:db8:1::80")]), syn)
        ),
        ("first IPv6 fragment", Packet(link, v6, .fragment(moreFragments: true, identification: 9), datagram, text)),
        (
            "later IPv6 fragment",
            Packet(link, v6, .fragment(offset: 181, identification: 9, nextHeader: IPProtocol.udp), text)
        ),
        (
            "authentication over IPv4",
            Packet(
                link, v4, .authentication(securityParametersIndex: 1, sequence: 2, integrityCheck: [1, 2, 3, 4]), syn)
        ),
        (
            "all extension headers",
            Packet(
                link, v6, .hopByHop(options: [1, 4, 0, 0, 0, 0]), .destinationOptions(options: [1, 4, 0, 0, 0, 0]),
                .routing(type: 2, segmentsLeft: 1, addresses: [.ip("2001:db8::7")]), .fragment(identification: 1),
                .authentication(
                    securityParametersIndex: 1, sequence: 2, integrityCheck: [UInt8](repeating: 7, count: 12)),
                syn, text)
        ),
        ("no next header", Packet(link, v6)),
    ]

    static let transports: [(name: String, packet: Packet)] = [
        (
            "TCP with all options",
            Packet(
                link, v4,
                .tcp(
                    source: 1, destination: 65535, flags: [.psh, .ack, .ece], sequence: .max, acknowledgement: 5,
                    window: 0,
                    urgentPointer: 9,
                    options: [
                        .maximumSegmentSize(1460), .selectiveAcknowledgementPermitted,
                        .timestamps(value: 1, echo: 2), .noOperation, .windowScale(7),
                        .selectiveAcknowledgement([.init(left: 1, right: 3)]), .other(kind: 254, data: [1, 2]),
                    ]), text)
        ),
        (
            "TCP with octets behind the end of options",
            Packet(link, v6, .tcp(source: 1, destination: 2, options: [.literal([0, 9, 9, 9])]))
        ),
        ("UDP without checksum", Packet(link, v4, .udp(source: 1, destination: 2, checksum: .zero), text)),
        ("UDP with a wrong length", Packet(link, v4, .udp(source: 1, destination: 2, length: 10), text)),
        ("TCP with a wrong checksum", Packet(link, v4, .tcp(source: 1, destination: 2, checksum: 0x1234), text)),
        (
            "IPv4 longer than the frame",
            Packet(link, .ipv4(source: .ip("10.0.0.1"), destination: .ip("10.0.0.2"), totalLength: 900), datagram, text)
        ),
        (
            "unknown protocol",
            Packet(link, .ipv4(source: .ip("10.0.0.1"), destination: .ip("10.0.0.2"), protocol: 132), text)
        ),
    ]

    static let control: [(name: String, packet: Packet)] = [
        ("echo request", Packet(link, v4, .icmp(.echoRequest(identifier: 1, sequence: 2)), text)),
        ("echo reply", Packet(link, v4, .icmp(.echoReply(identifier: 1, sequence: 2)), text)),
        ("port unreachable", Packet(link, v4, .icmp(.unreachable(code: 3)), .quoted(udpPacket, transportOctets: 8))),
        (
            "fragmentation needed",
            Packet(link, v4, .icmp(.fragmentationNeeded(mtu: 1400)), .quoted(Packet(v4, syn), transportOctets: 8))
        ),
        ("time exceeded", Packet(link, v4, .icmp(.timeExceeded()), .quoted(udpPacket))),
        ("ICMPv6 echo request", Packet(link, v6, .icmpv6(.echoRequest(identifier: 1, sequence: 2)), text)),
        ("ICMPv6 echo reply", Packet(link, v6, .icmpv6(.echoReply(identifier: 1, sequence: 2)))),
        ("packet too big", Packet(link, v6, .icmpv6(.packetTooBig(mtu: 1280)), .quoted(Packet(link, v6, syn)))),
        (
            "ICMPv6 unreachable",
            Packet(link, v6, .icmpv6(.unreachable(code: 4)), .quoted(Packet(link, v6, datagram, text)))
        ),
        ("ICMPv6 time exceeded", Packet(link, v6, .icmpv6(.timeExceeded()), .quoted(Packet(link, v6, syn)))),
        (
            "neighbour solicitation",
            Packet(
                link, v6, .neighbourSolicitation(target: .ip("2001:db8::2"), options: [.sourceLinkLayerAddress(client)])
            )
        ),
        ("duplicate address detection", Packet(link, v6, .neighbourSolicitation(target: .ip("2001:db8::2")))),
        (
            "neighbour advertisement",
            Packet(
                link, v6,
                .neighbourAdvertisement(
                    target: .ip("2001:db8::2"), flags: [.solicited, .override],
                    options: [
                        .targetLinkLayerAddress(client), NeighbourOption(type: 14, data: [1, 2, 3, 4, 5, 6]),
                    ]))
        ),
    ]
}
