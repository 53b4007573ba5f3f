import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import TestSupport
import Testing

extension DataPlaneKernelTests {
    /// Mode `nat`: what the server sees, and what its client gets back.
    @Suite struct NAT {
        static let services = Family.allCases.map {
            VirtualService.sample(
                $0.description, $0, mode: .nat, protocols: [.tcp, .udp], weights: [100], port: 8080)
        }

        static func service(_ family: Family = .ipv4, weights: [Int] = [100, 100], scheduler: Scheduler = .rr) -> VirtualService {
            .sample("web", family, mode: .nat, protocols: [.tcp, .udp], scheduler: scheduler, weights: weights, port: 8080)
        }

        // MARK: Both directions

        @Test func `a connection is translated both ways, whatever its headers hold`() throws {
            let rig = try Rig(Self.services)
            for (number, shape) in Shape.all.enumerated() {
                let client = Client(family: shape.family, number: number)
                let ours = Conversation(client, server: 1, port: 8080)
                let syn = shape.apply(to: client.syn)
                try rig.expect("\(shape): SYN", syn, .sent(ours.inside(syn), "forward.new"))
                try rig.expect(ours, in: shape)
            }
            #expect(try rig.flowCount == Shape.all.count)
        }

        @Test(arguments: [Checksum.computed, .zero])
        func `datagrams are translated both ways, with and without a checksum`(_ checksum: Checksum) throws {
            let rig = try Rig(Self.services)
            for (number, shape) in Shape.all.enumerated() {
                let client = Client(family: shape.family, number: number)
                let ours = Conversation(client, server: 1, port: 8080)
                for counter in ["forward.new", "forward.confirmed", "forward.flow"] {
                    let question = shape.apply(to: client.udp("odd", checksum: checksum))
                    try rig.expect("\(shape)", question, .sent(ours.inside(question), counter))
                    let answer = shape.apply(to: ours.datagram("answer", checksum: checksum))
                    try rig.expect("\(shape): answer", answer, .sent(ours.outside(answer), "forward.answer"))
                }
            }
            #expect(try rig.flowCount == Shape.all.count)
        }

        @Test(arguments: Family.allCases)
        func `without a port of its own the server gets the client's`(_ family: Family) throws {
            let rig = try Rig([.sample("web", family, mode: .nat, ports: "1000-2000", weights: [100])])
            for port: UInt16 in [1000, 1500, 2000] {
                let client = Client(family: family, service: port)
                let ours = Conversation(client, server: 1)
                try rig.expect("SYN", client.syn, .sent(ours.inside(client.syn), "forward.new"))
                let answer = ours.answer([.syn, .ack])
                try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
            }
        }

        /// Sums of ones' complement have two zeros and many carries: what a few packets get right may be luck.
        @Test(arguments: Family.allCases)
        func `4 000 random packets have the checksums that they would have been sent with`(_ family: Family) throws {
            let rig = try Rig(Self.services, settings: DataPathSettings(flows: 32768, persistence: 1024))
            var random = SeededGenerator(seed: 7)
            for _ in 0..<1000 {
                let client = Client(
                    family: family, number: .random(in: 1...0xffffff, using: &random),
                    port: .random(in: 1...65535, using: &random))
                let ours = Conversation(client, server: 1, port: 8080)
                func filled(_ packet: Packet) -> Packet {
                    var packet = packet
                    packet.payload = random.octets(0...64)
                    packet.ipv4?.identification = .random(in: 0...65535, using: &random)
                    packet.ipv4?.tos = .random(in: 0...255, using: &random)
                    packet.tcp?.sequence = .random(in: 0...UInt32.max, using: &random)
                    return packet.living(.random(in: 2...255, using: &random))
                }
                for (packet, isAnswer) in [
                    (client.tcp(.syn, payload: "x"), false), (ours.answer(.ack, payload: "x"), true),
                    (client.udp(), false), (ours.datagram(), true),
                ] {
                    let packet = filled(packet)
                    let expected = isAnswer ? ours.outside(packet) : ours.inside(packet)
                    let result = try rig.plane.test(packet.bytes)
                    let difference = Packet.difference(expected, result.packet)
                    guard result.action == 3, difference == [] else {
                        Issue.record("\(difference) of \(packet)")
                        return
                    }
                }
            }
        }

        /// A datagram's checksum of 0 means that there is none.
        @Test(arguments: Family.allCases)
        func `a datagram whose sum comes to nothing is sent with 0xffff`(_ family: Family) throws {
            let rig = try Rig(Self.services)
            let client = Client(family: family)
            let ours = Conversation(client, server: 1, port: 8080)
            /// The packet with the content that makes the sum of what becomes of it all ones.
            func balanced(_ packet: Packet, _ change: (Packet) -> Packet) -> Packet {
                var packet = packet
                packet.payload = [0, 0]
                let octets = change(packet).bytes
                let header = octets.count - 10
                packet.payload = [octets[header + 6], octets[header + 7]]
                #expect(change(packet).bytes[(header + 6)...(header + 7)].elementsEqual([0xff, 0xff]))
                return packet
            }
            let question = balanced(client.udp(), { ours.inside($0) })
            try rig.expect("question", question, .sent(ours.inside(question), "forward.new"))
            let answer = balanced(ours.datagram(), ours.outside)
            try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
        }

        @Test func `the padding of a short frame goes along`() throws {
            let rig = try Rig(Self.services)
            let ours = Conversation(Client(), server: 1, port: 8080)
            let padded = Client().syn.padded(to: 60)
            try rig.expect("SYN", padded, .sent(ours.inside(padded), "forward.new"))
            let answer = ours.answer(.rst).padded(to: 60)
            try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
        }

        // MARK: Time to live

        @Test func `the time to live is counted down, and a sender whose packet has none left is told`() throws {
            let rig = try Rig(Self.services)
            for (number, shape) in Shape.all.enumerated() {
                let client = Client(family: shape.family, number: number)
                let ours = Conversation(client, server: 1, port: 8080)
                func expect(_ packet: Packet, _ counter: String) throws {
                    let packet = shape.apply(to: packet)
                    for hops: UInt8 in [0, 1] {
                        let last = packet.living(hops)
                        try rig.expect("\(shape): \(hops) hops", last, .sent(last.error(.timeExceeded), "reply.expired"))
                    }
                    let live = packet.living(2)
                    try rig.expect("\(shape): 2 hops", live, .sent(ours.inside(live), counter))
                    #expect(ours.inside(live).ipv4?.ttl ?? ours.inside(live).ipv6?.hopLimit == 1)
                }
                try expect(client.syn, "forward.new")
                try expect(client.ack, "forward.confirmed")
                try expect(client.ack, "forward.flow")
                try expect(client.udp("a datagram"), "forward.new")
                let filter = FlowFilter(client: Prefix(shape.family.client(number), length: shape.family == .ipv4 ? 32 : 128))
                #expect(try rig.flows(filter).map(\.packets) == [3])
                let answer = shape.apply(to: ours.answer(.ack))
                try rig.expect("\(shape)", answer.living(1), .dropped("drop.expired"))
                try rig.expect("\(shape)", answer.living(2), .sent(ours.outside(answer.living(2)), "forward.answer"))
            }
        }

        // MARK: Beginning and end

        @Test func `a repeated SYN keeps its server and counts once`() throws {
            let rig = try Rig([Self.service(weights: [1, 1, 1])])
            let client = Client()
            let first = try #require(try rig.server(client.syn))
            let ours = Conversation(client, server: first, port: 8080)
            for _ in 0..<5 { try rig.expect("again", client.syn, .sent(ours.inside(client.syn), "forward.new")) }
            #expect(try rig.halfOpen().values.reduce(0, +) == 1 && rig.flowCount == 0)
            try rig.expect("ACK", client.ack, .sent(ours.inside(client.ack), "forward.confirmed"))
            #expect(try rig.halfOpen().values.reduce(0, +) == 0)
            #expect(try rig.established().filter { $0.value > 0 } == ["s\(first)": 1])
        }

        @Test func `a flow's record tells what the server sees and what it has answered`() throws {
            let rig = try Rig([Self.service(weights: [1])])
            let client = Client()
            let ours = Conversation(client, server: 1, port: 8080)
            try rig.open(client)
            let answers = [ours.answer([.psh, .ack], payload: "hello"), ours.answer([.psh, .ack], payload: "once more")]
            for answer in answers { try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer")) }
            let flow = try #require(try rig.flows().first)
            #expect(flow.client == Family.ipv4.client() && flow.clientPort == 40000)
            #expect(flow.address == Family.ipv4.vip && flow.port == 80 && flow.server == "s1")
            #expect(flow.packets == 2 && flow.bytes == 80)
            #expect(flow.answerPackets == 2 && flow.answerBytes == UInt64(answers.reduce(0) { $0 + $1.networkBytes.count }))
            let inside = try #require(flow.inside)
            #expect(inside.source == Family.ipv4.client() && inside.sourcePort == 40000)
            #expect(inside.destination == Family.ipv4.server(1) && inside.destinationPort == 8080)
            let statistics = try #require(try rig.plane.statistics()["web"]?.servers["s1"])
            #expect(statistics.connections == 1 && statistics.packets == 2 && statistics.bytes == 80)
        }

        @Test(arguments: [TCPFlags.fin, .rst], [false, true])
        func `a FIN or RST of either side closes the flow and lowers the load`(_ flag: TCPFlags, _ isServers: Bool) throws {
            let rig = try Rig([Self.service(weights: [1])])
            let client = Client()
            let ours = Conversation(client, server: 1, port: 8080)
            try rig.open(client)
            #expect(try rig.established() == ["s1": 1])
            for _ in 0..<2 {
                if isServers {
                    let last = ours.answer([flag, .ack])
                    try rig.expect("\(flag)", last, .sent(ours.outside(last), "forward.answer"))
                } else {
                    let last = client.tcp([flag, .ack])
                    try rig.expect("\(flag)", last, .sent(ours.inside(last), "forward.flow"))
                }
                #expect(try rig.established() == ["s1": 0])
                #expect(try rig.flows().map(\.state) == [.closing])
            }
            // What is still under way goes on, both ways.
            try rig.expect("ACK", client.ack, .sent(ours.inside(client.ack), "forward.flow"))
            let data = ours.answer([.psh, .ack], payload: "rest")
            try rig.expect("rest", data, .sent(ours.outside(data), "forward.answer"))
        }

        @Test func `a SYN on a closing flow begins a new connection, and answers come from its server`() throws {
            let rig = try Rig([Self.service()])
            let client = Client()
            let first = try rig.open(client)
            let old = Conversation(client, server: first, port: 8080)
            let new = Conversation(client, server: 3 - first, port: 8080)
            _ = try rig.plane.test(old.answer([.fin, .ack]).bytes)
            try rig.expect("SYN", client.syn, .sent(new.inside(client.syn), "forward.new"))
            let answer = new.answer([.syn, .ack])
            try rig.expect("answer", answer, .sent(new.outside(answer), "forward.answer"))
            let late = old.answer(.ack)
            try rig.expect("of the old server", late, .passed("pass.not-vip"))
            try rig.expect("ACK", client.ack, .sent(new.inside(client.ack), "forward.confirmed"))
            try rig.expect("of the old server", late, .passed("pass.not-vip"))
            #expect(try rig.established() == ["s\(first)": 0, "s\(3 - first)": 1])
        }

        @Test func `a segment of an unknown connection goes where the hash says, and its answer finds back`() throws {
            let rig = try Rig([Self.service()])
            let client = Client()
            let data = client.tcp([.psh, .ack], payload: "in the middle")
            let server = try #require(try rig.server(data))
            let ours = Conversation(client, server: server, port: 8080)
            let answer = ours.answer(.ack)
            try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
            try rig.expect("second", data, .sent(ours.inside(data), "forward.confirmed"))
            try rig.expect("third", data, .sent(ours.inside(data), "forward.flow"))
            let other = try Rig([Self.service()])
            try other.expect("on another node", data, .sent(ours.inside(data), "forward.stray"))
        }

        @Test(arguments: TransportProtocol.allCases)
        func `a flow that expired and a beginning that did are forgotten with their answers`(
            _ transport: TransportProtocol
        ) throws {
            var settings = Rig.small
            settings.timeouts.tcpEstablished = .milliseconds(300)
            settings.timeouts.udp = .milliseconds(300)
            settings.timeouts.tcpSyn = .milliseconds(300)
            let rig = try Rig([Self.service(weights: [1])], settings: settings)
            func packet(_ client: Client) -> Packet { transport == .tcp ? client.syn : client.udp() }
            func answer(_ ours: Conversation) -> Packet { transport == .tcp ? ours.answer(.ack) : ours.datagram() }
            let (old, young) = (Client(port: 1), Client(port: 2))
            _ = try rig.server(packet(old))
            _ = try rig.server(transport == .tcp ? old.ack : old.udp())
            _ = try rig.server(packet(young))
            #expect(try rig.established() == ["s1": 1] && rig.halfOpen() == ["s1": 1])
            #expect(try rig.plane.sweep().flows == 1)
            var expired = 0
            try eventually("both expire") {
                expired += try rig.plane.sweep().expiredFlows
                return try rig.established() == ["s1": 0] && rig.halfOpen() == ["s1": 0]
            }
            #expect(try expired == 1 && rig.flowCount == 0)
            for client in [old, young] {
                let late = answer(Conversation(client, server: 1, port: 8080))
                try rig.expect("late answer", late, .passed("pass.not-vip"))
            }
        }

        @Test(arguments: TransportProtocol.allCases)
        func `answers keep a flow alive`(_ transport: TransportProtocol) throws {
            var settings = Rig.small
            settings.timeouts.tcpEstablished = .milliseconds(300)
            settings.timeouts.udp = .milliseconds(300)
            let rig = try Rig([Self.service(weights: [1])], settings: settings)
            for port: UInt16 in 1...2 {
                let client = Client(port: port)
                for packet in transport == .tcp ? [client.syn, client.ack] : [client.udp(), client.udp()] {
                    _ = try rig.server(packet)
                }
            }
            let ours = Conversation(Client(port: 1), server: 1, port: 8080)
            try eventually("the silent flow expires") {
                _ = try rig.plane.test((transport == .tcp ? ours.answer(.ack) : ours.datagram()).bytes)
                return try rig.plane.sweep().flows == 1
            }
            #expect(try rig.flows().map(\.clientPort) == [1])
        }

        // MARK: What is no answer

        @Test(arguments: Family.allCases)
        func `what a server sends of its own goes to the kernel`(_ family: Family) throws {
            let rig = try Rig([Self.service(family)])
            let client = Client(family: family)
            let server = try rig.open(client)
            let ours = Conversation(client, server: server, port: 8080)
            let others = [
                Conversation(client, server: 3 - server, port: 8080), Conversation(client, server: server, port: 8081),
                Conversation(Client(family: family, port: 40001), server: server, port: 8080),
                Conversation(Client(family: family, number: 2), server: server, port: 8080),
            ]
            for other in others { try rig.expect("another's", other.answer(.ack), .passed("pass.not-vip")) }
            try rig.expect("another protocol", ours.datagram(), .passed("pass.not-vip"))
            for other in [Link.stranger, .broadcast] {
                let misled = ours.answer(.ack).sent(to: other, from: Link.mac(of: family.server(server)))
                try rig.expect("for another machine", misled, .passed("pass.other-host"))
            }
            let answer = ours.answer(.ack)
            try rig.expect("its answer", answer, .sent(ours.outside(answer), "forward.answer"))
        }

        @Test func `answers of a server that is halted or gone are not translated any more`() throws {
            let service = Self.service(weights: [1])
            let rig = try Rig([service])
            try rig.open(Client())
            let answer = Conversation(Client(), server: 1, port: 8080).answer(.ack)
            try rig.apply([service.with("s1") { $0.state = .halt }])
            try rig.expect("halted", answer, .passed("pass.not-vip"))
            try rig.apply([service.without("s1")])
            try rig.expect("gone", answer, .passed("pass.not-vip"))
        }

        @Test func `answers in another VLAN than the client's are dropped`() throws {
            let rig = try Rig(Self.services)
            let client = Client()
            let ours = Conversation(client, server: 1, port: 8080)
            let tags = [Layer.vlan(7)]
            let syn = client.syn.tagged(tags)
            try rig.expect("SYN", syn, .sent(ours.inside(syn), "forward.new"))
            let answer = ours.answer([.syn, .ack])
            try rig.expect("no tag", answer, .dropped("drop.vlan"))
            try rig.expect("another", answer.tagged([.vlan(8)]), .dropped("drop.vlan"))
            try rig.expect("its own", answer.tagged(tags), .sent(ours.outside(answer.tagged(tags)), "forward.answer"))
        }

        // MARK: The server's side

        @Test(arguments: Family.allCases)
        func `a server on another interface gets the packet by redirection`(_ family: Family) throws {
            let service = Self.service(family, weights: [1])
            let rig = try Rig([service])
            try rig.plane.setInterface(2, mac: Link.farSide)
            try rig.apply([service], nextHop: Link.farHop)
            let client = Client(family: family)
            let ours = Conversation(client, server: 1, port: 8080)
            for (packet, counter) in [
                (client.syn, "forward.new"), (client.ack, "forward.confirmed"), (client.ack, "forward.flow"),
                (client.udp(), "forward.new"),
            ] {
                try rig.expect("to the far side", packet, .redirected(ours.inside(packet, from: Link.farSide), counter))
                for other in [Link.stranger, Link.farSide] {
                    try rig.expect("misled", packet.sent(to: other, from: Link.client), .passed("pass.other-host"))
                }
            }
            try rig.expect("tagged", client.ack.tagged([.vlan(5)]), .dropped("drop.vlan"))
        }

        @Test func `a client keeps its server by affinity over ports and protocols`() throws {
            var service = Self.service()
            service.persistence = Persistence(prefix: 32)
            let rig = try Rig([service])
            for number in 1...6 {
                let first = try rig.open(Client(number: number, port: 1))
                for port: UInt16 in 2...5 {
                    #expect(try rig.open(Client(number: number, port: port)) == first)
                    #expect(try rig.server(Client(number: number, port: port).udp()) == first)
                }
            }
            #expect(try Set(rig.plane.persistence().map(\.server)) == ["s1", "s2"])
        }
    }
}
