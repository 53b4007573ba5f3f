import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// Later fragments have no ports: they go where the first of their packet went.
    @Suite struct Fragments {
        static let modes: [ForwardingMode] = [.nat, .snat]

        static func service(_ family: Family, _ mode: ForwardingMode = .dr, weights: [Int] = [1, 1]) -> VirtualService {
            .sample(
                "web", family, mode: mode, protocols: [.tcp, .udp], scheduler: .rr, weights: weights,
                port: modes.contains(mode) ? 8080 : nil)
        }

        /// A packet of a hundred octets' content in pieces of 32.
        private static func pieces(_ packet: Packet, _ identification: UInt32) -> [Packet] {
            let fragments = packet.fragmented(payloadOctets: 32, identification: identification)
            #expect(fragments.count > 2)
            return fragments
        }

        private static let content = String(repeating: "fragmented ", count: 9)

        // MARK: To the server

        @Test(arguments: Family.allCases)
        func `direct routing sends all of a packet's fragments to one server`(_ family: Family) throws {
            let rig = try Rig([Self.service(family)])
            for number in 0..<8 {
                let client = Client(family: family, number: number)
                for (shape, tags) in Shape.tags {
                    let fragments = Self.pieces(client.udp(Self.content).tagged(tags), UInt32(number))
                    let server = try #require(try rig.server(fragments[0]))
                    for later in fragments.dropFirst() {
                        try rig.expect(shape, later, .sent(later.routed(to: family.server(server)), "forward.fragment"))
                    }
                }
            }
            #expect(try rig.flowCount == 8)
        }

        @Test(arguments: Family.allCases, modes)
        func `translated fragments add up to the translated packet, both ways`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            let rig = try Rig([Self.service(family, mode, weights: [1])])
            for number in 0..<4 {
                let client = Client(family: family, number: number)
                let ours = try rig.begin(client, client.udp())
                for (round, counter) in ["forward.confirmed", "forward.flow", "forward.flow"].enumerated() {
                    let question = client.udp(Self.content)
                    let (sent, got) = (Self.pieces(question, UInt32(round)), Self.pieces(ours.inside(question), UInt32(round)))
                    for (index, (before, after)) in zip(sent, got).enumerated() {
                        try rig.expect("\(index)", before, .sent(after, index == 0 ? counter : "forward.fragment"))
                    }
                    let answer = ours.datagram(Self.content)
                    let (said, heard) = (Self.pieces(answer, UInt32(round)), Self.pieces(ours.outside(answer), UInt32(round)))
                    for (index, (before, after)) in zip(said, heard).enumerated() {
                        try rig.expect("\(index)", before, .sent(after, index == 0 ? "forward.answer" : "forward.fragment"))
                    }
                }
            }
        }

        @Test(arguments: Family.allCases, modes)
        func `the first packet of all may come in fragments, and so may its answer`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            let rig = try Rig([Self.service(family, mode, weights: [1])])
            let client = Client(family: family)
            let question = client.udp(Self.content)
            let sent = Self.pieces(question, 7)
            let result = try rig.plane.test(sent[0].bytes)
            let seen = Packet(decoding: result.packet)
            let ours = Conversation(
                client, server: 1, port: 8080, source: seen.ipv4?.source ?? seen.ipv6?.source, sourcePort: seen.udp?.source)
            let got = Self.pieces(ours.inside(question), 7)
            #expect(Packet.difference(got[0], result.packet) == [])
            for (before, after) in zip(sent, got).dropFirst() {
                try rig.expect("later", before, .sent(after, "forward.fragment"))
            }
            let answer = ours.datagram(Self.content)
            for (index, (before, after)) in zip(Self.pieces(answer, 7), Self.pieces(ours.outside(answer), 7)).enumerated() {
                try rig.expect("\(index)", before, .sent(after, index == 0 ? "forward.answer" : "forward.fragment"))
            }
        }

        @Test(arguments: Tunnel.all)
        func `a tunnel carries each fragment in a packet of its own, all on one path`(_ tunnel: Tunnel) throws {
            let rig = try Rig([tunnel.service()])
            let client = Client(family: tunnel.inside)
            for (round, counter) in ["forward.new", "forward.confirmed", "forward.flow"].enumerated() {
                let fragments = Self.pieces(client.udp(Self.content), UInt32(round))
                let first = try rig.expect("first", fragments[0], counter) { tunnel.wrapped(fragments[0], as: $0) }
                for later in fragments.dropFirst() {
                    try rig.expect("later", later, "forward.fragment") { _ in tunnel.wrapped(later, as: first) }
                }
            }
        }

        @Test(arguments: Family.allCases, modes)
        func `segments in fragments are translated, too`(_ family: Family, _ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(family, mode, weights: [1])])
            let client = Client(family: family)
            let ours = try rig.begin(client)
            _ = try rig.server(client.ack)
            let segment = client.tcp([.psh, .ack], payload: Self.content)
            for (index, (before, after)) in zip(Self.pieces(segment, 1), Self.pieces(ours.inside(segment), 1)).enumerated() {
                try rig.expect("\(index)", before, .sent(after, index == 0 ? "forward.flow" : "forward.fragment"))
            }
        }

        // MARK: Which packet a fragment is of

        @Test(arguments: Family.allCases)
        func `clients, identifications and protocols are told apart`(_ family: Family) throws {
            let rig = try Rig([Self.service(family)])
            let clients = (0..<6).map { Client(family: family, number: $0 / 2, port: UInt16(1000 + $0)) }
            var parts: [(later: Packet, server: Int)] = []
            for (number, client) in clients.enumerated() {
                for packet in [client.udp(Self.content), client.tcp(.syn, payload: Self.content)] {
                    let fragments = Self.pieces(packet, UInt32(number))
                    parts.append((fragments[1], try #require(try rig.server(fragments[0]))))
                }
            }
            #expect(Set(parts.map(\.server)) == [1, 2])
            for (later, server) in parts {
                try rig.expect("later", later, .sent(later.routed(to: family.server(server)), "forward.fragment"))
            }
            let unknown = [
                Self.pieces(clients[0].udp(Self.content), 99)[1],
                Self.pieces(Client(family: family, number: 7).udp(Self.content), 0)[1],
            ]
            for later in unknown { try rig.expect("unknown", later, .dropped("drop.fragment")) }
        }

        @Test(arguments: Family.allCases, [.dr, .tunnel] + modes)
        func `a later fragment that overtakes its first is dropped`(_ family: Family, _ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(family, mode, weights: [1])])
            let fragments = Self.pieces(Client(family: family).udp(Self.content), 3)
            for later in fragments.dropFirst() { try rig.expect("too early", later, .dropped("drop.fragment")) }
            #expect(try rig.server(fragments[0]) == 1)
            for later in fragments.dropFirst() { #expect(try rig.server(later) == 1) }
        }

        @Test(arguments: Family.allCases, modes)
        func `a later fragment of a server whose first did not come is the kernel's`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            let rig = try Rig([Self.service(family, mode, weights: [1])])
            let client = Client(family: family)
            let ours = try rig.begin(client, client.udp())
            for later in Self.pieces(ours.datagram(Self.content), 3).dropFirst() {
                try rig.expect("too early", later, .passed("pass.not-vip"))
            }
        }

        /// Of a packet that lacks its beginning nobody can make anything.
        @Test(arguments: Family.allCases, [.tunnel] + modes)
        func `where the first fragment of a flow's packet ended, the later ones end`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            let rig = try Rig([Self.service(family, mode, weights: [1])])
            let client = Client(family: family)
            for _ in 0..<2 { #expect(try rig.server(client.udp()) == 1) }
            let fragments = Self.pieces(client.udp(Self.content), 3)
            let first = fragments[0].living(1)
            try rig.expect("first", first, .sent(first.error(.timeExceeded), "reply.expired"))
            for later in fragments.dropFirst() { try rig.expect("later", later, .dropped("drop.fragment")) }
        }

        // MARK: What else holds for fragments

        @Test(arguments: Family.allCases, modes)
        func `a later fragment whose time is out is dropped without a word`(_ family: Family, _ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(family, mode, weights: [1])])
            let client = Client(family: family)
            let question = Self.pieces(client.udp(Self.content), 3)
            _ = try rig.server(question[0])
            let ours = try rig.begin(client, client.udp(), counter: "forward.confirmed")
            let answer = Self.pieces(ours.datagram(Self.content), 3)
            _ = try rig.plane.test(answer[0].bytes)
            for later in [question[1], answer[1]] { try rig.expect("old", later.living(1), .dropped("drop.expired")) }
        }

        @Test(arguments: Family.allCases, [.dr, .tunnel] + modes)
        func `later fragments of a server that is halted are dropped`(_ family: Family, _ mode: ForwardingMode) throws {
            let service = Self.service(family, mode, weights: [1])
            let rig = try Rig([service])
            let fragments = Self.pieces(Client(family: family).udp(Self.content), 3)
            #expect(try rig.server(fragments[0]) == 1)
            try rig.apply([service.with("s1") { $0.state = .halt }])
            try rig.expect("later", fragments[1], .dropped("drop.server-gone"))
        }

        @Test(arguments: [.dr, .tunnel] + modes)
        func `fragments for another machine pass`(_ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(.ipv4, mode, weights: [1])])
            let fragments = Self.pieces(Client().udp(Self.content), 3)
            #expect(try rig.server(fragments[0]) == 1)
            let misled = fragments[1].sent(to: Link.stranger, from: Link.client)
            try rig.expect("later", misled, .passed("pass.other-host"))
        }

        @Test func `a fragment that is too long for a tunnel is dropped, and its first is answered`() throws {
            let tunnel = Tunnel.all[0]
            let rig = try Rig([tunnel.service()])
            let packet = Client().udp(String(repeating: "x", count: 2968))
            let long = packet.fragmented(payloadOctets: 1480, identification: 4)
            let short = packet.fragmented(payloadOctets: 1456, identification: 4)
            try rig.expect("first", long[0], .sent(long[0].error(.tooBig(1480)), "reply.too-big"))
            #expect(try rig.server(short[0]) == 1)
            try rig.expect("later", long[1], .dropped("drop.too-big"))
            try rig.expect("later, shorter", short[1], "forward.fragment") { tunnel.wrapped(short[1], as: $0) }
        }

        @Test(arguments: Family.allCases, modes)
        func `what fragments carry counts as their server's, in their direction`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            let rig = try Rig([Self.service(family, mode, weights: [1])])
            let client = Client(family: family)
            let ours = try rig.begin(client, client.udp())
            let before = try #require(try rig.plane.statistics()["web"]?.servers["s1"])
            let (question, answer) = (Self.pieces(client.udp(Self.content), 1), Self.pieces(ours.datagram(Self.content), 1))
            for piece in question + answer { _ = try rig.plane.test(piece.bytes) }
            let after = try #require(try rig.plane.statistics()["web"]?.servers["s1"])
            func octets(_ packets: [Packet]) -> UInt64 { packets.reduce(0) { $0 + UInt64($1.networkBytes.count) } }
            #expect(after.packets - before.packets == UInt64(question.count) && after.bytes - before.bytes == octets(question))
            #expect(after.answerPackets == UInt64(answer.count) && after.answerBytes == octets(answer))
        }
    }
}
