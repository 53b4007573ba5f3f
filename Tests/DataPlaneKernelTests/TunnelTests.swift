import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

/// A tunnel: what is inside, what is outside, and how it is wrapped.
struct Tunnel: CustomStringConvertible, Hashable {
    let inside: Family
    let outside: Family
    let encapsulation: Encapsulation

    var description: String { "\(inside) in \(outside), \(encapsulation.rawValue)" }

    static let all = Family.allCases.flatMap { inside in
        Family.allCases.flatMap { outside in
            Encapsulation.allCases.map { Tunnel(inside: inside, outside: outside, encapsulation: $0) }
        }
    }

    var overhead: Int { (outside == .ipv4 ? 20 : 40) + (encapsulation == .gue ? 8 : 0) }

    func service(weights: [Int] = [100]) -> VirtualService {
        var service = VirtualService.sample(
            "web", inside, mode: .tunnel, protocols: [.tcp, .udp], weights: weights, inside: outside)
        service.encapsulation = encapsulation
        return service
    }

    /// The client's packet as the tunnel carries it to the server. The port that a router spreads by is taken from `frame`.
    func wrapped(_ packet: Packet, server: Int = 1, from own: MACAddress = Link.balancer, as frame: [UInt8]) -> Packet {
        let inner = packet.forwarded.sent(to: Link.mac(of: outside.server(server)), from: own)
        let network = inner.layers.firstIndex { layer in
            switch layer {
            case .ipv4, .ipv6: true
            default: false
            }
        }!
        let service = packet.ipv4?.tos ?? packet.ipv6?.trafficClass ?? 0
        let (source, destination) = (outside.balancer, outside.server(server))
        var outer: [Layer] =
            outside == .ipv4
            ? [.ipv4(source: source, destination: destination, dontFragment: true, tos: service)]
            : [.ipv6(source: source, destination: destination, trafficClass: service)]
        if encapsulation == .gue {
            let source = Self.port(of: frame, at: Self.start(network) + overhead - 8)
            outer.append(.udp(source: source, destination: 6080, checksum: .zero))
        }
        return Packet(layers: inner.layers[..<network] + outer + inner.layers[network...])
    }

    /// Where the first IP header lies behind so many link headers.
    private static func start(_ links: Int) -> Int { 14 + 4 * (links - 1) }

    static func port(of frame: [UInt8], at offset: Int) -> UInt16 {
        guard frame.count >= offset + 2 else { return 0 }
        return UInt16(frame[offset]) << 8 | UInt16(frame[offset + 1])
    }
}

extension DataPlaneKernelTests {
    /// Mode `tunnel`: the client's packet in another, to a server any number of hops away.
    @Suite struct Tunnels {
        private func rig(_ tunnel: Tunnel, mtu: Int = 1500) throws -> Rig {
            let services = [tunnel.service()]
            let rig = try Rig(services)
            try rig.apply(services) { Self.hop($0, mtu: mtu) }
            return rig
        }

        /// Behind a router, which a tunnel does not mind.
        private static func hop(_ address: IPAddress, interface: UInt32 = 1, mtu: Int = 1500) -> NextHop {
            NextHop(
                interface: interface, mac: Link.mac(of: address), sourceMAC: interface == 1 ? Link.balancer : Link.farSide,
                source: (address.family == .ipv4 ? Family.ipv4 : .ipv6).balancer, mtu: mtu, isRouted: true)
        }

        @Test(arguments: Tunnel.all)
        func `a conversation travels whole inside, whatever its headers hold`(_ tunnel: Tunnel) throws {
            let rig = try rig(tunnel, mtu: 3000)
            for (number, shape) in Shape.all.filter({ $0.family == tunnel.inside }).enumerated() {
                let client = Client(family: tunnel.inside, number: number)
                for (what, packet, counter) in [
                    ("SYN", client.syn, "forward.new"), ("SYN again", client.syn, "forward.new"),
                    ("ACK", client.ack, "forward.confirmed"),
                    ("data", client.tcp([.psh, .ack], payload: "GET / HTTP/1.1"), "forward.flow"),
                    ("FIN", client.tcp([.fin, .ack]), "forward.flow"), ("last ACK", client.ack, "forward.flow"),
                    ("datagram", client.udp(), "forward.new"), ("second", client.udp("odd"), "forward.confirmed"),
                    ("third", client.udp(checksum: .zero), "forward.flow"),
                ] {
                    let packet = shape.apply(to: packet)
                    try rig.expect("\(shape): \(what)", packet, counter) { tunnel.wrapped(packet, as: $0) }
                }
            }
        }

        @Test(arguments: Tunnel.all)
        func `the class of service and congestion marks are copied, and a hop is counted`(_ tunnel: Tunnel) throws {
            let rig = try rig(tunnel)
            for (number, service) in ([0, 1, 2, 3, 0x28, 0xb8, 0xfc, 0xff] as [UInt8]).enumerated() {
                for hops: UInt8 in [255, 64, 2] {
                    var packet = Client(family: tunnel.inside, number: number).syn.living(hops)
                    packet.ipv4?.tos = service
                    packet.ipv4?.identification = 0x1234
                    packet.ipv4?.dontFragment = true
                    packet.ipv6?.trafficClass = service
                    packet.ipv6?.flowLabel = 0xabcde
                    try rig.expect("class \(service)", packet, "forward.new") { tunnel.wrapped(packet, as: $0) }
                }
            }
            for hops: UInt8 in [0, 1] {
                let last = Client(family: tunnel.inside, number: 99).syn.living(hops)
                try rig.expect("\(hops) hops", last, .sent(last.error(.timeExceeded), "reply.expired"))
            }
            #expect(try rig.halfOpen() == ["s1": 8])
        }

        @Test(arguments: Family.allCases)
        func `routers can tell flows apart by the source port, which stays`(_ family: Family) throws {
            let tunnel = Tunnel(inside: family, outside: family, encapsulation: .gue)
            let rig = try rig(tunnel)
            var ports: Set<UInt16> = []
            for number in 1...200 {
                let client = Client(family: family, number: number)
                let found = try [client.syn, client.ack, client.ack].map { packet in
                    Tunnel.port(of: try rig.plane.test(packet.bytes).packet, at: 14 + tunnel.overhead - 8)
                }
                #expect(Set(found).count == 1 && found[0] >= 49152)
                ports.insert(found[0])
            }
            #expect(ports.count > 190)
        }

        // MARK: Length

        @Test(arguments: Tunnel.all)
        func `a packet that is too long is answered with the length that fits`(_ tunnel: Tunnel) throws {
            let header = tunnel.inside == .ipv4 ? 40 : 60
            let rig = try rig(tunnel)
            for mtu in [1500, 1492, 1400, 9000] {
                _ = rig.plane.refreshNextHops { Self.hop($0, mtu: mtu) }
                let limit = mtu - tunnel.overhead
                for (number, (_, tags)) in Shape.tags.enumerated() {
                    let client = Client(family: tunnel.inside, number: number, port: UInt16(mtu))
                    func segment(_ length: Int) -> Packet {
                        client.tcp([.psh, .ack], payload: String(repeating: "x", count: length - header)).tagged(tags)
                    }
                    for (counter, length) in [
                        ("forward.stray", limit), ("forward.confirmed", limit - 1), ("forward.flow", limit),
                    ] {
                        let fitting = segment(length)
                        for length in [limit + 1, limit + 2, limit + 3, 2 * limit] {
                            let long = segment(length)
                            try rig.expect("\(length) octets", long, .sent(long.error(.tooBig(limit)), "reply.too-big"))
                        }
                        try rig.expect("\(length) octets", fitting, counter) { tunnel.wrapped(fitting, as: $0) }
                    }
                }
            }
        }

        @Test(arguments: Tunnel.all)
        func `what a router on the way takes is learned and told on`(_ tunnel: Tunnel) throws {
            let rig = try rig(tunnel)
            let client = Client(family: tunnel.inside)
            _ = try rig.server(client.syn)
            let ack = client.ack
            let carried = try rig.expect("ACK", ack, "forward.confirmed") { tunnel.wrapped(ack, as: $0) }
            let long = client.tcp([.psh, .ack], payload: String(repeating: "x", count: 1380))
            try rig.expect("fits", long, "forward.flow") { tunnel.wrapped(long, as: $0) }
            func complaint(_ mtu: Int, quoting frame: [UInt8], octets: Int) -> Packet {
                let quotation = Layer.quoted(Packet(decoding: frame), transportOctets: octets)
                let router = tunnel.outside == .ipv4 ? IPAddress.ip("192.168.200.1") : .ip("2001:db8:94::3:1")
                return Packet(
                    Link.toBalancer, tunnel.outside.layer(from: router, to: tunnel.outside.balancer),
                    Complaint.tooBig(mtu).layer(tunnel.outside), quotation)
            }
            // Too little to know of which flow it speaks; less than any path has to take; about a packet that was never sent.
            let stranger = tunnel.wrapped(Client(family: tunnel.inside, number: 77).ack, as: carried).bytes
            for (mtu, frame, octets) in [(1400, carried, 8), (200, carried, 68), (1400, stranger, 68)] {
                try rig.expect("ignored", complaint(mtu, quoting: frame, octets: octets), .passed("pass.not-vip"))
            }
            #expect(try rig.plane.statistics()["web"]?.servers["s1"]?.pathMTU == nil)
            for (mtu, learned) in [(1400, 1400), (1450, 1400), (1300, 1300)] {
                try rig.expect("complaint", complaint(mtu, quoting: carried, octets: 68), .passed("pass.not-vip"))
                #expect(try rig.plane.statistics()["web"]?.servers["s1"]?.pathMTU == learned)
                let answer = long.error(.tooBig(learned - tunnel.overhead))
                try rig.expect("too long now", long, .sent(answer, "reply.too-big"))
            }
        }

        // MARK: The way to the server

        @Test(arguments: Tunnel.all)
        func `a server behind another interface gets the packet by redirection`(_ tunnel: Tunnel) throws {
            let rig = try rig(tunnel)
            try rig.plane.setInterface(2, mac: Link.farSide)
            try rig.apply([tunnel.service()]) { Self.hop($0, interface: 2) }
            let client = Client(family: tunnel.inside)
            for (packet, counter) in [
                (client.syn, "forward.new"), (client.ack, "forward.confirmed"), (client.ack, "forward.flow"),
            ] {
                guard tunnel.encapsulation == .ipip else { continue }
                try rig.expect(
                    "to the far side", packet, .redirected(tunnel.wrapped(packet, from: Link.farSide, as: []), counter))
            }
            for other in [Link.stranger, Link.farSide] {
                try rig.expect("misled", client.ack.sent(to: other, from: Link.client), .passed("pass.other-host"))
            }
            try rig.expect("tagged", client.ack.tagged([.vlan(5)]), .dropped("drop.vlan"))
        }

        @Test(arguments: [nil, "source"])
        func `without a way or an address of its own towards the server nothing begins, and flows wait`(_ has: String?) throws {
            let tunnel = Tunnel.all[0]
            let rig = try rig(tunnel)
            let (old, new) = (Client(port: 1), Client(port: 2))
            try rig.open(old)
            _ = rig.plane.refreshNextHops { address in
                has == nil ? nil : NextHop(interface: 1, mac: Link.mac(of: address), sourceMAC: Link.balancer)
            }
            try rig.expect("of a flow", old.ack, .dropped("drop.no-neighbour"))
            try rig.expect("new", new.syn, .dropped("drop.no-neighbour"))
            #expect(try rig.flowCount == 1 && rig.halfOpen() == ["s1": 0])
            _ = rig.plane.refreshNextHops { Self.hop($0) }
            try rig.expect("of the flow", old.ack, "forward.flow") { tunnel.wrapped(old.ack, as: $0) }
            try rig.expect("new", new.syn, "forward.new") { tunnel.wrapped(new.syn, as: $0) }
        }

        @Test func `direct routing does not go by a router`() throws {
            let service = VirtualService.sample(weights: [1])
            let rig = try Rig([service])
            try rig.apply([service]) { Self.hop($0) }
            try rig.expect("SYN", Client().syn, .dropped("drop.no-neighbour"))
        }

        @Test(arguments: Family.allCases)
        func `what the servers carry is counted by the client's packets`(_ family: Family) throws {
            let tunnel = Tunnel(inside: family, outside: .ipv6, encapsulation: .gue)
            let rig = try rig(tunnel)
            let client = Client(family: family)
            for packet in [client.syn, client.ack, client.ack] { #expect(try rig.server(packet) == 1) }
            let statistics = try #require(try rig.plane.statistics()["web"]?.servers["s1"])
            #expect(statistics.packets == 3 && statistics.bytes == UInt64(3 * client.ack.networkBytes.count))
            #expect(statistics.connections == 1 && statistics.established == 1)
            #expect(try rig.flows().allSatisfy { $0.inside == nil && $0.answerPackets == 0 })
        }
    }
}
