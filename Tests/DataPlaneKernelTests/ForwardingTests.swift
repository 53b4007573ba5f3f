import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// Direct routing of packets in all the shapes that their headers come in.
    @Suite struct Forwarding {
        static let rigServices = [
            VirtualService.sample("v4", .ipv4, ports: "80", protocols: [.tcp, .udp], weights: [100]),
            VirtualService.sample("v6", .ipv6, ports: "80", protocols: [.tcp, .udp], weights: [100]),
        ]

        @Test func `a TCP connection goes to its server with nothing but the MAC addresses changed`() throws {
            let rig = try Rig(Self.rigServices)
            for (number, shape) in Shape.all.enumerated() {
                let client = Client(family: shape.family, number: number)
                for (what, packet, counter) in [
                    ("SYN", client.syn, "forward.new"), ("SYN again", client.syn, "forward.new"),
                    ("ACK", client.ack, "forward.confirmed"),
                    ("data", client.tcp([.psh, .ack], payload: "GET / HTTP/1.1"), "forward.flow"),
                    ("FIN", client.tcp([.fin, .ack]), "forward.flow"), ("last ACK", client.ack, "forward.flow"),
                ] {
                    let packet = shape.apply(to: packet)
                    try rig.expect("\(shape): \(what)", packet, .sent(packet.routed(to: shape.family.server(1)), counter))
                }
            }
            #expect(try rig.flowCount == Shape.all.count)
        }

        @Test func `datagrams go to their server with nothing but the MAC addresses changed`() throws {
            let rig = try Rig(Self.rigServices)
            for (number, shape) in Shape.all.enumerated() {
                let client = Client(family: shape.family, number: number)
                for counter in ["forward.new", "forward.confirmed", "forward.flow", "forward.flow"] {
                    let packet = shape.apply(to: client.udp())
                    try rig.expect("\(shape)", packet, .sent(packet.routed(to: shape.family.server(1)), counter))
                }
            }
            #expect(try rig.flowCount == Shape.all.count)
        }

        @Test(arguments: Family.allCases)
        func `a server on another interface gets the packet by redirection`(_ family: Family) throws {
            let service = VirtualService.sample("web", family, weights: [100])
            let rig = try Rig([service])
            try rig.apply([service]) { NextHop(interface: 2, mac: Link.mac(of: $0), sourceMAC: Link.farSide) }
            let client = Client(family: family)
            for (packet, counter) in [
                (client.syn, "forward.new"), (client.ack, "forward.confirmed"), (client.ack, "forward.flow"),
            ] {
                try rig.expect(
                    "to the far side", packet,
                    .redirected(packet.routed(to: family.server(1), from: Link.farSide), counter))
            }
        }

        @Test func `the padding of a short frame goes along`() throws {
            let rig = try Rig(Self.rigServices)
            let client = Client()
            for (packet, counter) in [(client.syn, "forward.new"), (client.ack, "forward.confirmed")] {
                let padded = packet.padded(to: 60)
                try rig.expect("padded", padded, .sent(padded.routed(to: Family.ipv4.server(1)), counter))
            }
            // Traffic counts IP packets, not frames: two TCP headers of 20 octets behind two IP headers of 20.
            #expect(try rig.plane.statistics()["v4"]?.servers["s1"]?.bytes == 80)
        }

        @Test func `a changed MAC address is used by the next packet of a flow`() throws {
            let service = VirtualService.sample(weights: [100])
            let rig = try Rig([service])
            let client = Client()
            try rig.open(client)
            let fresh = MACAddress.mac("02:00:00:00:77:77")
            let writes = rig.plane.refreshNextHops(of: [Family.ipv4.server(1)]) { _ in
                NextHop(interface: 1, mac: fresh, sourceMAC: Link.balancer)
            }
            #expect(writes.byMap == ["real_servers": 1])
            var expected = client.ack.routed(to: Family.ipv4.server(1))
            expected.ethernet?.destination = fresh
            try rig.expect("to the new address", client.ack, .sent(expected, "forward.flow"))
        }

        @Test(arguments: [ForwardingMode.dr, .nat])
        func `without a known neighbour nothing begins, and flows wait`(_ mode: ForwardingMode) throws {
            let service = VirtualService.sample(mode: mode, weights: [100])
            func sent(_ client: Client, _ packet: Packet, _ counter: String) -> Outcome {
                let direct = packet.routed(to: Family.ipv4.server(1))
                return .sent(mode == .dr ? direct : Conversation(client, server: 1).inside(packet), counter)
            }
            let rig = try Rig([service])
            let (old, new) = (Client(port: 1), Client(port: 2))
            try rig.open(old)
            _ = rig.plane.refreshNextHops { _ in nil }
            try rig.expect("of a flow", old.ack, .dropped("drop.no-neighbour"))
            try rig.expect("new", new.syn, .dropped("drop.no-neighbour"))
            #expect(try rig.flowCount == 1 && rig.halfOpen() == ["s1": 0])
            _ = rig.plane.refreshNextHops(Link.nextHop)
            try rig.expect("of the flow", old.ack, sent(old, old.ack, "forward.flow"))
            try rig.expect("new again", new.syn, sent(new, new.syn, "forward.new"))
        }

        @Test(arguments: Family.allCases)
        func `without a server new connections are refused at once and counted`(_ family: Family) throws {
            for weights in [[], [0, 0]] {
                let rig = try Rig([.sample("web", family, protocols: [.tcp, .udp], weights: weights)])
                let client = Client(family: family)
                try rig.expect("SYN", client.syn, .sent(client.syn.resetInReturn, "reply.refused"))
                try rig.expect("datagram", client.udp(), .sent(client.udp().error(.portUnreachable), "reply.refused"))
                #expect(try rig.plane.statistics()["web"]?.refused == 2)
                #expect(try rig.flowCount == 0)
            }
        }
    }
}

/// What may stand between the Ethernet and the transport header.
struct Shape: CustomStringConvertible {
    let description: String
    let family: Family
    let tags: [Layer]
    /// IPv4 options.
    var options: [UInt8] = []
    /// IPv6 extension headers.
    var extensions: [Layer] = []

    func apply(to packet: Packet) -> Packet {
        var result = packet
        result.ipv4?.options = options
        if let network = result.layers.firstIndex(where: { if case .ipv6 = $0 { true } else { false } }) {
            result.layers.insert(contentsOf: extensions, at: network + 1)
        }
        return result.tagged(tags)
    }

    static let tags: [(name: String, layers: [Layer])] = [
        ("untagged", []), ("one tag", [.vlan(7, priority: 3)]),
        ("two tags", [.vlan(100, tagProtocol: EtherType.serviceVLAN), .vlan(7)]),
        ("two customer tags", [.vlan(4095, dropEligible: true), .vlan(0)]),
    ]

    static let all: [Shape] = tags.flatMap { tag in
        options.map { Shape(description: "IPv4, \(tag.name), \($0.0)", family: .ipv4, tags: tag.layers, options: $0.1) }
            + extensions.map {
                Shape(description: "IPv6, \(tag.name), \($0.0)", family: .ipv6, tags: tag.layers, extensions: $0.1)
            }
    }

    private static let options: [(String, [UInt8])] = [
        ("no options", []), ("router alert", [148, 4, 0, 0]),
        ("forty octets of options", [UInt8](repeating: 1, count: 40)),
    ]

    private static let extensions: [(String, [Layer])] = [
        ("no extension headers", []),
        ("hop-by-hop", [.hopByHop(options: [5, 2, 0, 0])]),
        ("routing", [.routing(type: 2, segmentsLeft: 0, addresses: [.ip("2001:db8::7")])]),
        ("atomic fragment", [.fragment(identification: 77)]),
        (
            "authentication",
            [.authentication(securityParametersIndex: 1, sequence: 2, integrityCheck: [UInt8](repeating: 3, count: 12))]
        ),
        ("eight destination options", (0..<8).map { _ in .destinationOptions(options: [1, 4, 0, 0, 0, 0]) }),
        ("destination options of 2 KiB", [.destinationOptions(options: [UInt8](repeating: 0, count: 2046))]),
    ]
}
