import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// snat may speak from an address that services have: what comes to a port of it is a client's or an answer.
    @Suite struct SourceAddresses {
        /// The ports that snat gives away are ports of a service, too.
        private static let shared: ClosedRange<UInt16> = 5000...9000

        /// `hidden` is of mode snat, and speaks from the VIP; `open` has the VIP's other ports.
        private static func services(
            _ family: Family, _ mode: ForwardingMode, pool: Bool = true
        ) -> [VirtualService] {
            var hidden = VirtualService.sample(
                "hidden", family, mode: .snat, protocols: [.tcp, .udp], scheduler: .rr, weights: [1], port: 8080)
            hidden.source = SourcePool(addresses: pool ? [family.vip] : [], ports: shared)
            let open = VirtualService.sample(
                "open", family, mode: mode, ports: "5000-9000", protocols: [.tcp, .udp], weights: [1], firstServer: 2)
            return [hidden, open]
        }

        /// Without a pool, snat speaks from the balancer's own address: here it is the VIP.
        private static func hop(_ address: IPAddress) -> NextHop? {
            NextHop(
                interface: 1, mac: Link.mac(of: address), sourceMAC: Link.balancer,
                source: address.family == .ipv4 ? Family.ipv4.vip : Family.ipv6.vip)
        }

        private static func expect(answersTo ours: Conversation, in rig: Rig) throws {
            for answer in [ours.answer([.syn, .ack]), ours.answer([.psh, .ack], payload: "data")] {
                try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
            }
        }

        private static let modes = [ForwardingMode.dr, .nat, .snat, .tunnel]

        @Test(arguments: Family.allCases, modes)
        func `clients of the address's ports and answers to them find their way, whoever is first`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            for answersFirst in [true, false] {
                let rig = try Rig(Self.services(family, mode))
                for number in 1...50 {
                    let ours = try rig.begin(Client(family: family, number: number))
                    #expect(ours.source == family.vip && Self.shared.contains(ours.sourcePort))
                    let client = Client(family: family, number: number, port: 50000, service: ours.sourcePort)
                    if answersFirst { try Self.expect(answersTo: ours, in: rig) }
                    #expect(try rig.open(client) == 2)
                    try Self.expect(answersTo: ours, in: rig)
                    try rig.expect("ACK", ours.client.ack, .sent(ours.inside(ours.client.ack), "forward.confirmed"))
                    try Self.expect(answersTo: ours, in: rig)
                    #expect(try rig.server(client.ack) == 2)
                }
                #expect(try rig.flowCount == 100 && rig.established("open") == ["s2": 50])
                #expect(try rig.plane.audit().errors == [])
            }
        }

        /// In a table that is half full many flows and answers stand elsewhere than where they are looked for first.
        @Test(arguments: modes)
        func `so do those that stand in the second place`(_ mode: ForwardingMode) throws {
            let rig = try Rig(Self.services(.ipv4, mode), settings: DataPathSettings(flows: 1024, persistence: 1024))
            var conversations: [Conversation] = []
            for number in 1...250 {
                let ours = try rig.begin(Client(number: number))
                _ = try rig.server(ours.client.ack)
                try rig.open(Client(number: number, port: 50000, service: ours.sourcePort))
                conversations.append(ours)
            }
            for ours in conversations {
                try Self.expect(answersTo: ours, in: rig)
                let client = Client(number: ours.client.number, port: 50000, service: ours.sourcePort)
                #expect(try rig.rises { _ = try rig.server(client.ack) } == ["forward.flow": 1])
            }
        }

        @Test(arguments: Family.allCases)
        func `a datagram's answer is no new client of the port that it comes to`(_ family: Family) throws {
            let rig = try Rig(Self.services(family, .dr))
            let ours = try rig.begin(Client(family: family), Client(family: family).udp())
            for counter in ["forward.confirmed", "forward.flow"] {
                try rig.expect("answer", ours.datagram(), .sent(ours.outside(ours.datagram()), "forward.answer"))
                try rig.expect("question", ours.client.udp(), .sent(ours.inside(ours.client.udp()), counter))
            }
            #expect(try rig.halfOpen("open") == ["s2": 0])
        }

        @Test func `an address that begins or ceases to be a source does so at once`() throws {
            let (services, without) = (Self.services(.ipv4, .dr), Self.services(.ipv4, .dr, pool: false))
            let rig = try Rig(without)
            try Self.expect(answersTo: rig.begin(Client(number: 1)), in: rig)
            try rig.apply(services)
            let ours = try rig.begin(Client(number: 2))
            #expect(ours.source == Family.ipv4.vip)
            try Self.expect(answersTo: ours, in: rig)
            try rig.apply(without)
            let next = try rig.begin(Client(number: 3))
            #expect(next.source == Family.ipv4.balancer)
            try Self.expect(answersTo: next, in: rig)
        }

        @Test func `a VIP that the system begins to speak from is a source at once`() throws {
            let rig = try Rig(Self.services(.ipv4, .dr, pool: false))
            _ = rig.plane.refreshNextHops(Self.hop)
            let ours = try rig.begin(Client())
            #expect(ours.source == Family.ipv4.vip)
            try Self.expect(answersTo: ours, in: rig)
        }

        /// A balancer that answers on its own address: its VIP is what the system speaks from, though no pool says so.
        @Test(arguments: Family.allCases, modes)
        func `the balancer's own address may be a service's`(_ family: Family, _ mode: ForwardingMode) throws {
            let rig = try Rig(Self.services(family, mode, pool: false), nextHop: Self.hop)
            for number in 1...50 {
                let ours = try rig.begin(Client(family: family, number: number))
                #expect(ours.source == family.vip && Self.shared.contains(ours.sourcePort))
                try Self.expect(answersTo: ours, in: rig)
                try rig.expect("ACK", ours.client.ack, .sent(ours.inside(ours.client.ack), "forward.confirmed"))
                try Self.expect(answersTo: ours, in: rig)
                let client = Client(family: family, number: number, port: 50000, service: ours.sourcePort)
                #expect(try rig.open(client) == 2)
            }
        }
    }
}
