import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// What a new daemon, larger tables or another mode keep of flows that are translated: both of their directions.
    @Suite struct TranslatedRestarts {
        static let modes: [ForwardingMode] = [.nat, .snat]

        static func services(_ mode: ForwardingMode) -> [VirtualService] {
            Family.allCases.map { family in
                .sample(family.description, family, mode: mode, protocols: [.tcp, .udp], weights: [100], port: 8080)
            }
        }

        /// Conversations of both families, half of them established.
        struct Load {
            let established: [Conversation]
            let begun: [Conversation]

            init(_ rig: Rig) throws {
                var (established, begun) = ([Conversation](), [Conversation]())
                for family in Family.allCases {
                    for number in 1...25 {
                        let ours = try rig.begin(Client(family: family, number: number))
                        try rig.expect("ACK", ours.client.ack, .sent(ours.inside(ours.client.ack), "forward.confirmed"))
                        established.append(ours)
                        begun.append(try rig.begin(Client(family: family, number: number, port: 2)))
                    }
                }
                (self.established, self.begun) = (established, begun)
            }

            func expectIntact(in rig: Rig) throws {
                for ours in established {
                    let data = ours.client.tcp([.psh, .ack], payload: "data")
                    try rig.expect("flow", data, .sent(ours.inside(data), "forward.flow"))
                }
                for ours in begun {
                    try rig.expect("SYN again", ours.client.syn, .sent(ours.inside(ours.client.syn), "forward.new"))
                }
                for ours in established + begun {
                    let answer = ours.answer(.ack)
                    try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
                }
                for family in Family.allCases {
                    let ports = ours(of: family).filter { $0.source == family.balancer }.count
                    #expect(try rig.sourcePorts(family.description) == ["s1": ports])
                    #expect(try rig.established(family.description) == ["s1": 25])
                    #expect(try rig.halfOpen(family.description) == ["s1": 25])
                }
            }

            /// And become flows, as if nothing had been.
            func expectConfirmable(in rig: Rig) throws {
                for ours in begun {
                    let ack = ours.client.ack
                    try rig.expect("ACK", ack, .sent(ours.inside(ack), "forward.confirmed"))
                    let answer = ours.answer(.ack)
                    try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
                }
                #expect(try rig.flowCount == established.count + begun.count)
            }

            private func ours(of family: Family) -> [Conversation] {
                (established + begun).filter { $0.client.family == family }
            }
        }

        @Test(arguments: modes)
        func `a new daemon goes on where the last ended and writes nothing`(_ mode: ForwardingMode) throws {
            let services = Self.services(mode)
            let rig = try Rig(services)
            let load = try Load(rig)
            let statistics = try rig.plane.statistics()
            try rig.restart(services)
            #expect(try rig.apply(services).total == 0)
            #expect(try rig.plane.statistics() == statistics)
            try load.expectIntact(in: rig)
            try load.expectConfirmable(in: rig)
        }

        @Test(arguments: modes, [32768, 4096])
        func `tables of another size keep flows and beginnings`(_ mode: ForwardingMode, _ flows: Int) throws {
            let services = Self.services(mode)
            let rig = try Rig(services)
            let load = try Load(rig)
            try rig.apply(services, settings: DataPathSettings(flows: flows, persistence: 16384))
            #expect(rig.plane.flowTable.capacity == flows)
            try load.expectIntact(in: rig)
            try rig.restart(services)
            try load.expectIntact(in: rig)
            try load.expectConfirmable(in: rig)
        }

        /// No port that is in use may be given to another after a restart, which begins to count anew.
        @Test func `ports in use are known to the next daemon and to tables of another size`() throws {
            var service = VirtualService.sample("web", mode: .snat, protocols: [.tcp, .udp], weights: [1], port: 8080)
            service.source.ports = SNAT.ports(each: 4)
            let rig = try Rig([service])
            try onOneCPU {
                let old = try (0..<2).map { try rig.begin(Client(number: $0)) }
                try rig.restart([service])
                let middle = try rig.begin(Client(number: 2))
                try rig.apply([service], settings: DataPathSettings(flows: 32768, persistence: 1024))
                let last = try rig.begin(Client(number: 3))
                #expect(Set((old + [middle, last]).map(\.sourcePort)).count == 4)
                try rig.expect("one too many", Client(number: 4).syn, .dropped("drop.no-port"))
            }
        }

        @Test(arguments: modes)
        func `the first service that translates leaves the flows of others alone`(_ mode: ForwardingMode) throws {
            let direct = VirtualService.sample("direct", address: .ip("192.168.94.120"), weights: [1], firstServer: 50)
            let rig = try Rig([direct])
            let client = Client(vip: direct.address)
            #expect(try rig.open(client) == 50)
            let services = [direct] + Self.services(mode)
            try rig.apply(services)
            #expect(try rig.server(client.ack) == 50)
            let load = try Load(rig)
            #expect(try rig.server(client.ack) == 50)
            try load.expectIntact(in: rig)
        }

        @Test(arguments: [ForwardingMode.dr, .nat, .snat, .tunnel], [ForwardingMode.dr, .nat, .snat, .tunnel])
        func `flows keep the mode that they began in`(_ before: ForwardingMode, _ after: ForwardingMode) throws {
            func service(_ mode: ForwardingMode) -> VirtualService {
                .sample("web", mode: mode, weights: [1], port: Self.modes.contains(mode) ? 8080 : nil)
            }
            let (old, new) = (Client(number: 1), Client(number: 2))
            let rig = try Rig([service(before)])
            func view(_ mode: ForwardingMode, _ packet: Packet, _ seen: Packet) -> Packet {
                switch mode {
                case .dr: packet.routed(to: Family.ipv4.server(1))
                case .tunnel:
                    Tunnel(inside: .ipv4, outside: .ipv4, encapsulation: .ipip).wrapped(packet, as: [])
                default:
                    Conversation(
                        Client(number: Int(packet.ipv4!.source.low & 0xff), port: packet.tcp!.source), server: 1, port: 8080,
                        source: seen.ipv4?.source, sourcePort: seen.tcp?.source
                    ).inside(packet)
                }
            }
            _ = try rig.server(old.syn)
            let frame = try rig.expect("ACK", old.ack, "forward.confirmed") { view(before, old.ack, Packet(decoding: $0)) }
            let first = Packet(decoding: frame)
            try rig.apply([service(after)])
            let data = old.tcp([.psh, .ack], payload: "data")
            try rig.expect("flow", data, .sent(view(before, data, first), "forward.flow"))
            if Self.modes.contains(before) {
                let ours = Conversation(old, server: 1, port: 8080, source: first.ipv4?.source, sourcePort: first.tcp?.source)
                let answer = ours.answer(.ack)
                try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
            }
            let syn = try rig.expect("SYN", new.syn, "forward.new") { view(after, new.syn, Packet(decoding: $0)) }
            if Self.modes.contains(after) {
                let seen = Packet(decoding: syn)
                let ours = Conversation(new, server: 1, port: 8080, source: seen.ipv4?.source, sourcePort: seen.tcp?.source)
                let answer = ours.answer([.syn, .ack])
                try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
            }
            try rig.restart([service(after)])
            try rig.expect("flow", data, .sent(view(before, data, first), "forward.flow"))
        }
    }
}
