import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

/// Mode `nat` where one server works for several services: what tells its answers apart.
extension DataPlaneKernelTests.NAT {
    @Test(arguments: TransportProtocol.allCases)
    func `services that share a server and its port get each its own answers`(_ transport: TransportProtocol) throws {
        let services = (0..<4).map { index in
            VirtualService.sample(
                "service-\(index)", mode: .nat, address: IPAddress(ipv4: 0xc0a8_5e80 + UInt32(index)), ports: "80,81",
                protocols: [.tcp, .udp], weights: [1], port: 8080)
        }
        let rig = try Rig(services)
        var conversations: [Conversation] = []
        for (index, service) in services.enumerated() {
            for port: UInt16 in [80, 81] {
                let client = Client(port: 1000 + UInt16(index) * 2 + port, service: port, vip: service.address)
                conversations.append(Conversation(client, server: 1, port: 8080))
            }
        }
        for counter in ["forward.new", "forward.confirmed", "forward.flow"] {
            for ours in conversations {
                let segment = counter == "forward.new" ? ours.client.syn : ours.client.ack
                let packet = transport == .udp ? ours.client.udp() : segment
                try rig.expect("question", packet, .sent(ours.inside(packet), counter))
            }
            for ours in conversations {
                let answer = transport == .udp ? ours.datagram() : ours.answer(.ack)
                try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
            }
        }
    }

    static let sharing = [("one", "80"), ("two", "81")].map {
        VirtualService.sample($0.0, mode: .nat, ports: $0.1, protocols: [.tcp, .udp], weights: [1], port: 8080)
    }

    /// The server could not tell the two apart.
    @Test func `a client's port whose connection is closing serves another service that has the same server`() throws {
        let rig = try Rig(Self.sharing)
        let (first, second) = (Client(service: 80), Client(service: 81))
        let old = Conversation(first, server: 1, port: 8080)
        try rig.open(first)
        _ = try rig.server(first.tcp([.fin, .ack]))
        let last = old.answer([.fin, .ack])
        try rig.expect("the first's end", last, .sent(old.outside(last), "forward.answer"))
        let ours = Conversation(second, server: 1, port: 8080)
        try rig.expect("SYN", second.syn, .sent(ours.inside(second.syn), "forward.new"))
        #expect(try rig.flowCount == 0, "the closing flow has made way")
        let answer = ours.answer([.syn, .ack])
        try rig.expect("its answer", answer, .sent(ours.outside(answer), "forward.answer"))
        try rig.expect("ACK", second.ack, .sent(ours.inside(second.ack), "forward.confirmed"))
        let data = ours.answer([.psh, .ack], payload: "data")
        try rig.expect("its data", data, .sent(ours.outside(data), "forward.answer"))
        #expect(try rig.flows().map(\.port) == [81])
    }

    @Test(arguments: TransportProtocol.allCases, [false, true])
    func `a client's port that is in use for one service gets another towards the same server`(
        _ transport: TransportProtocol, _ isConfirmed: Bool
    ) throws {
        let rig = try Rig(Self.sharing)
        let (first, second) = (Client(service: 80), Client(service: 81))
        func packet(_ client: Client, _ number: Int) -> Packet {
            transport == .udp ? client.udp() : number == 0 ? client.syn : client.ack
        }
        let old = Conversation(first, server: 1, port: 8080)
        for (number, counter) in ["forward.new", "forward.confirmed"][..<(isConfirmed ? 2 : 1)].enumerated() {
            try rig.expect("first", packet(first, number), .sent(old.inside(packet(first, number)), counter))
        }
        let ours = try rig.begin(second, packet(second, 0))
        #expect(ours.source == old.source && ours.sourcePort != old.sourcePort && ours.sourcePort >= 1024)
        try rig.expect("second", packet(second, 1), .sent(ours.inside(packet(second, 1)), "forward.confirmed"))
        for conversation in [old, ours] {
            let answer = transport == .udp ? conversation.datagram() : conversation.answer([.psh, .ack], payload: "data")
            try rig.expect("answer", answer, .sent(conversation.outside(answer), "forward.answer"))
        }
        let next = packet(first, 1)
        try rig.expect("first", next, .sent(old.inside(next), isConfirmed ? "forward.flow" : "forward.confirmed"))
        #expect(try rig.flowCount == 2)
        #expect(try rig.sourcePorts("two") == ["s1": 0], "only snat counts ports")
    }
}
