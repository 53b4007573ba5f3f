import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import TestSupport
import Testing

extension DataPlaneKernelTests {
    /// Drain, halt, removal and return of real servers, as their clients see them.
    @Suite struct ServerStates {
        static let service = VirtualService.sample(
            protocols: [.tcp, .udp], scheduler: .rr, persistence: Persistence(prefix: 32), weights: [100, 100])

        static let drains: [(name: String, change: @Sendable (inout RealServer) -> Void)] = [
            ("drain", { $0.state = .drain }), ("weight 0", { $0.weight = 0 }),
        ]

        @Test(arguments: [0, 1])
        func `a draining server keeps its flows and clients and gets no new ones`(_ way: Int) throws {
            let rig = try Rig([Self.service])
            let (ours, other) = (Client(number: 1), Client(number: 2))
            #expect(try rig.open(ours) == 1 && rig.open(other) == 2)
            let change = Self.drains[way].change
            try rig.apply([Self.service.with("s1", change)])
            let server = Family.ipv4.server(1)
            try rig.expect("its flow", ours.ack, .sent(ours.ack.routed(to: server), "forward.flow"))
            let again = Client(number: 1, port: 5)
            try rig.expect("its client", again.syn, .sent(again.syn.routed(to: server), "forward.new"))
            #expect(try rig.server(again.ack) == 1)
            for number in 10...60 { #expect(try rig.open(Client(number: number)) == 2) }
            #expect(try rig.established() == ["s1": 2, "s2": 52])
            try rig.apply([Self.service])
            #expect(try Set((100...103).map { try rig.open(Client(number: $0)) }) == [1, 2])
        }

        @Test func `a draining server's clients run out though their flows go on`() throws {
            var service = Self.service
            service.persistence?.timeout = .seconds(1)
            let rig = try Rig([service])
            #expect(try rig.open(Client()) == 1)
            try rig.apply([service.with("s1") { $0.state = .drain }])
            try eventually("the client is forgotten") {
                #expect(try rig.server(Client().ack) == 1)
                return try rig.plane.persistence().isEmpty
            }
            #expect(try rig.open(Client(port: 2)) == 2)
            #expect(try rig.server(Client().ack) == 1)
        }

        @Test func `a halted server's datagrams and clients go elsewhere at once`() throws {
            let rig = try Rig([Self.service])
            let ours = Client(number: 1)
            for _ in 0..<2 { #expect(try rig.server(ours.udp()) == 1) }
            #expect(try rig.established() == ["s1": 1, "s2": 0])
            try rig.apply([Self.service.with("s1") { $0.state = .halt }])
            let expected = ours.udp().routed(to: Family.ipv4.server(2))
            try rig.expect("first", ours.udp(), .sent(expected, "forward.new"))
            #expect(try rig.established() == ["s1": 0, "s2": 0])
            try rig.expect("second", ours.udp(), .sent(expected, "forward.confirmed"))
            #expect(try rig.plane.persistence().map(\.server) == ["s2"])
            #expect(try rig.open(Client(number: 1, port: 9)) == 2)
            // Online again it gets new clients; those that moved stay where they are.
            try rig.apply([Self.service])
            #expect(try rig.open(Client(number: 1, port: 10)) == 2)
            #expect(try Set((20...23).map { try rig.open(Client(number: $0)) }) == [1, 2])
        }

        /// No other server could make anything of what comes in the middle of a connection.
        @Test(arguments: [false, true])
        func `a halted server's connections are cut and their clients go elsewhere`(_ isRemoved: Bool) throws {
            let rig = try Rig([Self.service])
            let ours = Client(number: 1)
            #expect(try rig.open(ours) == 1)
            try rig.apply([isRemoved ? Self.service.without("s1") : Self.service.with("s1") { $0.state = .halt }])
            for segment in [ours.ack, ours.tcp([.psh, .ack], payload: "data"), ours.tcp([.fin, .ack]), ours.tcp(.rst)] {
                try rig.expect("of the flow", segment, .dropped("drop.server-gone"))
            }
            #expect(try rig.flowCount == 1)
            let other = Client(number: 1, port: 9)
            try rig.expect("the client", other.syn, .sent(other.syn.routed(to: Family.ipv4.server(2)), "forward.new"))
            // The same ports again are a connection of their own.
            try rig.expect("anew", ours.syn, .sent(ours.syn.routed(to: Family.ipv4.server(2)), "forward.new"))
            try rig.expect("anew", ours.ack, .sent(ours.ack.routed(to: Family.ipv4.server(2)), "forward.confirmed"))
            #expect(try rig.established().filter { $0.value > 0 } == ["s2": 1])
            #expect(try rig.flows().map(\.server) == ["s2"])
            #expect(try rig.plane.persistence().map(\.server) == ["s2"])
        }

        @Test(arguments: Family.allCases)
        func `with expire, a connection whose server is gone is reset and forgotten`(_ family: Family) throws {
            var service = VirtualService.sample("web", family, protocols: [.tcp, .udp], scheduler: .rr, weights: [100, 100])
            service.resetsOrphans = true
            let rig = try Rig([service])
            let clients = (1...4).map { Client(family: family, number: $0) }
            for (client, server) in zip(clients, [1, 2, 1, 2]) { #expect(try rig.open(client) == server) }
            try rig.apply([service.with("s1") { $0.state = .halt }])
            let data = clients[0].tcp([.psh, .ack], payload: "data")
            try rig.expect("data", data, .sent(data.resetInReturn, "reply.reset"))
            #expect(try rig.flowCount == 3 && rig.established() == ["s1": 1, "s2": 2])
            try rig.expect("reset", clients[2].tcp(.rst), .dropped("drop.server-gone"))
            try rig.apply([service.without("s1")])
            // Forgotten: it is a stray from now on, and a server that does not know it answers it.
            let expected = data.routed(to: family.server(2))
            try rig.expect("again", data, .sent(expected, "forward.stray"))
            for client in [clients[1], clients[3]] {
                try rig.expect("of s2", client.ack, .sent(client.ack.routed(to: family.server(2)), "forward.flow"))
            }
        }

        @Test func `a beginning at a server that is then halted goes elsewhere`() throws {
            let rig = try Rig([Self.service])
            #expect(try rig.server(Client().syn) == 1)
            try rig.apply([Self.service.with("s1") { $0.state = .halt }])
            #expect(try rig.open(Client()) == 2)
            #expect(try rig.halfOpen() == ["s1": 0, "s2": 0])
        }

        @Test func `with all servers halted nothing goes through`() throws {
            let rig = try Rig([Self.service])
            try rig.open(Client())
            for _ in 0..<2 { _ = try rig.server(Client(port: 3).udp()) }
            var service = Self.service
            for index in service.servers.indices { service.servers[index].state = .halt }
            try rig.apply([service])
            try rig.expect("of the flow", Client().ack, .dropped("drop.server-gone"))
            let (syn, datagram, stray) = (Client(port: 2).syn, Client(port: 3).udp(), Client(port: 4).ack)
            try rig.expect("new", syn, .sent(syn.resetInReturn, "reply.refused"))
            try rig.expect("datagram of a flow", datagram, .sent(datagram.error(.portUnreachable), "reply.refused"))
            try rig.expect("stray", stray, .sent(stray.resetInReturn, "reply.refused"))
            try rig.expect("stray reset", Client(port: 4).tcp(.rst), .dropped("drop.no-server"))
        }

        /// The new server gets the number of the one that left, and nothing else of it.
        @Test(arguments: [false, true])
        func `a new server inherits neither flows nor clients nor counts`(_ withRestart: Bool) throws {
            let rig = try Rig([Self.service])
            #expect(try rig.open(Client(number: 1)) == 1 && rig.open(Client(number: 2)) == 2)
            let reduced = Self.service.without("s2")
            try rig.apply([reduced])
            if withRestart {
                try rig.restart([reduced])
                try rig.apply([reduced])
            }
            var replaced = reduced
            replaced.servers.append(RealServer(name: "s7", address: Family.ipv4.server(7), weight: 100))
            try rig.apply([replaced])
            #expect(try rig.plane.statistics()["web"]?.servers["s7"]?.packets == 0)
            #expect(try rig.established() == ["s1": 1, "s7": 0])
            #expect(try rig.flows(FlowFilter(server: "s7")).isEmpty)
            #expect(try rig.plane.persistence().map(\.server) == ["s1"])
            let rises = try rig.rises { _ = try rig.server(Client(number: 2).ack) }
            #expect(rises == ["drop.server-gone": 1])
            #expect(try rig.server(Client(number: 1).ack) == 1)
        }

        @Test func `beginnings at a server that left do not weigh on the one that gets its number`() throws {
            let service = VirtualService.sample(scheduler: .lc, weights: [1, 1])
            let rig = try Rig([service])
            for port: UInt16 in 1...40 { _ = try rig.server(Client(port: port).syn) }
            var replaced = service.without("s1")
            try rig.apply([replaced])
            replaced.servers.append(RealServer(name: "s7", address: Family.ipv4.server(7), weight: 1))
            try rig.apply([replaced])
            // Half of these beginnings were noted for the number that s7 has now.
            for port: UInt16 in 1...40 { _ = try rig.server(Client(port: port).tcp(.rst)) }
            #expect(try rig.halfOpen() == ["s2": 0, "s7": 0])
            #expect(try rig.spread(FrameStamp(Client()), ports: 101...200) == [2: 50, 7: 50])
        }

        @Test(arguments: [ForwardingMode.nat, .snat])
        func `translated beginnings at a server that left are counted until they go elsewhere`(_ mode: ForwardingMode) throws {
            let service = VirtualService.sample(mode: mode, scheduler: .lc, weights: [1, 1])
            let rig = try Rig([service])
            let clients = (1...40).map { Client(port: $0) }
            for client in clients { _ = try rig.server(client.syn) }
            #expect(try rig.halfOpen() == ["s1": 20, "s2": 20])
            var replaced = service.without("s1")
            try rig.apply([replaced])
            replaced.servers.append(RealServer(name: "s7", address: Family.ipv4.server(7), weight: 1))
            try rig.apply([replaced])
            #expect(try rig.halfOpen() == ["s2": 20, "s7": 20], "they are in the table yet")
            for client in clients { #expect(try rig.server(client.syn) != nil) }
            #expect(try rig.halfOpen().values.reduce(0, +) == 40)
            for client in clients { #expect(try rig.server(client.ack) != nil) }
            #expect(try rig.halfOpen() == ["s2": 0, "s7": 0])
            #expect(try rig.established().values.reduce(0, +) == 40)
            #expect(try rig.plane.audit().errors == [])
        }

        @Test func `a service that is gone leaves its ports and address to the kernel`() throws {
            let other = VirtualService.sample("other", ports: "443", weights: [1], firstServer: 11)
            let rig = try Rig([Self.service, other])
            try rig.open(Client())
            try rig.apply([other])
            try rig.expect("of the flow", Client().ack, .passed("pass.port"))
            try rig.expect("new", Client(port: 2).syn, .passed("pass.port"))
            try rig.apply([])
            try rig.expect("new", Client(port: 3, service: 443).syn, .passed("pass.not-vip"))
            #expect(try rig.plane.statistics().isEmpty)
            #expect(try rig.plane.sweep().flows == 0)
        }
    }
}
