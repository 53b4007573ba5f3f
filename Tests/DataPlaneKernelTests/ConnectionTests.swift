import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// How flows begin and end: the first packet is noted, the second makes the flow.
    @Suite struct Connections {
        @Test(arguments: Family.allCases)
        func `a bare SYN leaves no flow, and the ACK makes it`(_ family: Family) throws {
            let rig = try Rig([.sample("web", family, weights: [100])])
            let client = Client(family: family)
            let server = family.server(1)
            try rig.expect("SYN", client.syn, .sent(client.syn.routed(to: server), "forward.new"))
            #expect(try rig.flowCount == 0)
            #expect(try rig.halfOpen() == ["s1": 1] && rig.established() == ["s1": 0])
            try rig.expect("ACK", client.ack, .sent(client.ack.routed(to: server), "forward.confirmed"))
            #expect(try rig.halfOpen() == ["s1": 0] && rig.established() == ["s1": 1])
            let data = client.tcp([.psh, .ack], payload: "hello")
            try rig.expect("data", data, .sent(data.routed(to: server), "forward.flow"))

            let flow = try #require(try rig.flows().first)
            #expect(flow.client == family.client() && flow.clientPort == 40000)
            #expect(flow.address == family.vip && flow.port == 80 && flow.transport == .tcp)
            #expect(flow.service == "web" && flow.server == "s1" && flow.state == .established)
            // The ACK made it; the SYN before it is the server's traffic, but not the flow's.
            #expect(flow.packets == 2)
            #expect(flow.bytes == UInt64(client.ack.networkBytes.count + data.networkBytes.count))
            let statistics = try #require(try rig.plane.statistics()["web"]?.servers["s1"])
            #expect(statistics.connections == 1 && statistics.packets == 3)
        }

        @Test(arguments: Family.allCases)
        func `the second datagram of a client's port makes the flow`(_ family: Family) throws {
            let rig = try Rig([.sample("web", family, protocols: [.udp], weights: [100])])
            let client = Client(family: family)
            let routed = client.udp().routed(to: family.server(1))
            try rig.expect("first", client.udp(), .sent(routed, "forward.new"))
            #expect(try rig.flowCount == 0)
            try rig.expect("second", client.udp(), .sent(routed, "forward.confirmed"))
            try rig.expect("third", client.udp(), .sent(routed, "forward.flow"))
            #expect(try rig.flows().map(\.state) == [.udp] && rig.established() == ["s1": 1])
            #expect(try rig.plane.statistics()["web"]?.servers["s1"]?.connections == 1)
        }

        @Test func `a repeated SYN goes to the same server and counts once`() throws {
            let rig = try Rig([.sample(scheduler: .rr)])
            let servers = try (0..<10).map { _ in try rig.server(Client().syn) }
            #expect(Set(servers).count == 1 && servers[0] != nil)
            #expect(try rig.halfOpen().values.reduce(0, +) == 1)
        }

        @Test func `a segment of an unknown connection goes where the hash says and makes a flow with the next`() throws {
            let rig = try Rig([.sample(scheduler: .rr)])
            let client = Client()
            let packet = client.tcp([.psh, .ack], payload: "in the middle")
            let number = try #require(try rig.server(packet))
            let expected = packet.routed(to: Family.ipv4.server(number))
            #expect(try rig.flowCount == 0)
            try rig.expect("second", packet, .sent(expected, "forward.confirmed"))
            try rig.expect("third", packet, .sent(expected, "forward.flow"))
            // A node that just took over knows nothing either, and must choose the same server.
            let other = try Rig([.sample(scheduler: .rr)])
            try other.expect("on another node", packet, .sent(expected, "forward.stray"))
        }

        @Test(arguments: [TCPFlags.fin, .rst])
        func `a FIN or RST closes the flow and lowers the load`(_ flag: TCPFlags) throws {
            let rig = try Rig([.sample(weights: [100])])
            let client = Client()
            try rig.open(client)
            #expect(try rig.established() == ["s1": 1])
            for _ in 0..<2 {
                let last = client.tcp([flag, .ack])
                try rig.expect("\(flag)", last, .sent(last.routed(to: Family.ipv4.server(1)), "forward.flow"))
                #expect(try rig.established() == ["s1": 0])
                #expect(try rig.flows().map(\.state) == [.closing])
            }
        }

        @Test func `a SYN on a closing flow begins a new connection`() throws {
            let rig = try Rig([.sample(scheduler: .rr, weights: [1, 1])])
            let client = Client()
            let first = try rig.open(client)
            _ = try rig.server(client.tcp([.fin, .ack]))
            let next = Family.ipv4.server(3 - first)
            try rig.expect("SYN", client.syn, .sent(client.syn.routed(to: next), "forward.new"))
            #expect(try rig.flowCount == 0)
            try rig.expect("ACK", client.ack, .sent(client.ack.routed(to: next), "forward.confirmed"))
            #expect(try rig.established() == ["s\(first)": 0, "s\(3 - first)": 1])
        }

        @Test func `a SYN on an open flow stays with it`() throws {
            let rig = try Rig([.sample(scheduler: .rr, weights: [1, 1])])
            let client = Client()
            let first = try rig.open(client)
            let expected = client.syn.routed(to: Family.ipv4.server(first))
            try rig.expect("SYN", client.syn, .sent(expected, "forward.flow"))
            #expect(try rig.established()["s\(first)"] == 1)
        }

        @Test(arguments: [TCPFlags.fin, .rst])
        func `a connection that is given up with its second packet never counts as open`(_ flag: TCPFlags) throws {
            let rig = try Rig([.sample(weights: [100])])
            let client = Client()
            _ = try rig.server(client.syn)
            let last = client.tcp(flag)
            try rig.expect("\(flag)", last, .sent(last.routed(to: Family.ipv4.server(1)), "forward.confirmed"))
            #expect(try rig.established() == ["s1": 0] && rig.halfOpen() == ["s1": 0])
            #expect(try rig.flows().allSatisfy { $0.state == .closing })
            try rig.expect("SYN", client.syn, .sent(client.syn.routed(to: Family.ipv4.server(1)), "forward.new"))
        }

        @Test(arguments: [TCPFlags.fin, .rst], [ForwardingMode.nat, .snat, .tunnel])
        func `a FIN or RST that does not reach the server closes nothing`(_ flag: TCPFlags, _ mode: ForwardingMode) throws {
            let rig = try Rig([.sample(mode: mode, weights: [100])])
            let client = Client()
            try rig.open(client)
            let last = client.tcp(flag).living(1)
            try rig.expect("\(flag)", last, .sent(last.error(.timeExceeded), "reply.expired"))
            #expect(try rig.established() == ["s1": 1])
            #expect(try rig.flows().map(\.state) == [.established])
        }
    }
}
