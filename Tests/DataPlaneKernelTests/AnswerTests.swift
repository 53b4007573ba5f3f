import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// What the balancer says itself where there is no server to speak.
    @Suite struct Answers {
        static func services(_ change: (inout VirtualService) -> Void = { _ in }) -> [VirtualService] {
            Family.allCases.map { family in
                var service = VirtualService.sample(family.description, family, protocols: [.tcp, .udp], weights: [100])
                change(&service)
                return service
            }
        }

        static let refusing = services { $0.servers[0].weight = 0 }

        /// The segments that a client may send, with and without content.
        private static func segments(_ client: Client) -> [Packet] {
            let flags: [TCPFlags] = [.syn, .ack, [.psh, .ack], [.fin, .ack], [.syn, .ack], .fin, [], [.syn, .fin], .urg]
            return flags.flatMap { flags in ["", "x", "GET / HTTP/1.1"].map { client.tcp(flags, payload: $0) } }
        }

        // MARK: Resets

        @Test func `a segment that nobody takes is reset as its receiver would, whatever its headers hold`() throws {
            let rig = try Rig(Self.refusing)
            for shape in Shape.all {
                for segment in Self.segments(Client(family: shape.family)) {
                    let segment = shape.apply(to: segment)
                    try rig.expect("\(shape): \(segment)", segment, .sent(segment.resetInReturn, "reply.refused"))
                }
            }
            #expect(try rig.flowCount == 0)
        }

        @Test(arguments: Family.allCases)
        func `sequence numbers wrap round, and TCP options are no content`(_ family: Family) throws {
            let rig = try Rig(Self.refusing)
            for (sequence, payload) in [(UInt32.max, ""), (.max, "four"), (.max - 3, "four"), (0, "")] {
                var segment = Client(family: family).tcp(.syn, payload: payload)
                segment.tcp?.sequence = sequence
                segment.tcp?.options = [.maximumSegmentSize(1460)]
                let reset = segment.resetInReturn
                #expect(reset.tcp?.sequence == 0 && reset.tcp?.flags == [.rst, .ack])
                #expect(reset.tcp?.acknowledgement == sequence &+ UInt32(payload.utf8.count) &+ 1)
                try rig.expect("\(sequence)", segment, .sent(reset, "reply.refused"))
                segment.tcp?.flags = .ack
                segment.tcp?.acknowledgement = sequence
                let second = segment.resetInReturn
                #expect(second.tcp?.sequence == sequence && second.tcp?.acknowledgement == 0 && second.tcp?.flags == .rst)
                try rig.expect("\(sequence)", segment, .sent(second, "reply.refused"))
            }
        }

        @Test(arguments: Family.allCases)
        func `a reset is never answered`(_ family: Family) throws {
            let rig = try Rig(Self.refusing)
            for flags: TCPFlags in [.rst, [.rst, .ack], [.rst, .syn], [.rst, .fin]] {
                try rig.expect("\(flags)", Client(family: family).tcp(flags), .dropped("drop.no-server"))
            }
        }

        @Test(arguments: Family.allCases)
        func `the padding of a short frame is no content`(_ family: Family) throws {
            let rig = try Rig(Self.refusing)
            let client = Client(family: family)
            for packet in [client.syn, client.ack, client.tcp(.syn, payload: "x")] {
                try rig.expect("\(packet)", packet.padded(to: 100), .sent(packet.resetInReturn, "reply.refused"))
            }
            let datagram = client.udp("odd")
            try rig.expect("datagram", datagram.padded(to: 100), .sent(datagram.error(.portUnreachable), "reply.refused"))
        }

        @Test(arguments: Family.allCases)
        func `a long segment is cut to the reset`(_ family: Family) throws {
            let rig = try Rig(Self.refusing)
            for length in [100, 1400, 3000] {
                let segment = Client(family: family).tcp(.syn, payload: String(repeating: "x", count: length))
                try rig.expect("\(length) octets", segment, .sent(segment.resetInReturn, "reply.refused"))
            }
        }

        // MARK: Datagrams

        @Test func `a datagram that nobody takes is answered by port unreachable, whatever its headers hold`() throws {
            let rig = try Rig(Self.refusing)
            for shape in Shape.all {
                let client = Client(family: shape.family)
                for length in [0, 1, 2, 3, 4, 8, 60, 500] {
                    for checksum in [Checksum.computed, .zero] {
                        let datagram = shape.apply(to: client.udp(String(repeating: "x", count: length), checksum: checksum))
                        let answer = datagram.error(.portUnreachable)
                        #expect(answer.hasCorrectChecksums)
                        try rig.expect("\(shape), \(length) octets", datagram, .sent(answer, "reply.refused"))
                    }
                }
            }
        }

        // MARK: What may not be answered

        /// RFC 1122 §3.2.2, RFC 4443 §2.4: an answer is for one host.
        @Test(arguments: Family.allCases, [ForwardingMode.dr, .nat, .tunnel])
        func `nothing is said to a group, nor to nobody`(_ family: Family, _ mode: ForwardingMode) throws {
            let service = VirtualService.sample("web", family, mode: mode, protocols: [.tcp, .udp], weights: [1])
            let (refusing, serving) = (try Rig([service.with("s1") { $0.weight = 0 }]), try Rig([service]))
            let sources: [IPAddress] =
                family == .ipv4
                ? [.ip("0.0.0.0"), .ip("224.0.0.1"), .ip("239.255.255.255"), .ip("255.255.255.255")]
                : [.ip("::"), .ip("ff02::1"), .ip("ff0e::1:2")]
            let length = 1500 - (family == .ipv4 ? 20 : 40)
            let transports: [[Layer]] = [
                [.tcp(source: 40000, destination: 80, flags: .syn)],
                [.tcp(source: 40000, destination: 80, flags: .ack)],
                [.udp(source: 40000, destination: 80), .payload([1, 2, 3, 4])],
            ]
            for source in sources {
                let network = family.layer(from: source, to: family.vip)
                for transport in transports {
                    let packet = Packet(layers: [Link.toBalancer, network] + transport)
                    try refusing.expect("\(source)", packet, .dropped("drop.no-server"))
                    guard mode != .dr else { continue }
                    try serving.expect("\(source)", packet.living(1), .dropped("drop.expired"))
                }
                guard mode == .tunnel else { continue }
                let long = Packet(
                    Link.toBalancer, network, .udp(source: 40000, destination: 80),
                    .payload([UInt8](repeating: 1, count: length - 8)))
                try serving.expect("\(source)", long, .dropped("drop.too-big"))
            }
        }

        /// What comes from a group is of a flow only by mistake or malice, but then it is.
        @Test(arguments: Family.allCases)
        func `a group is not told that its server is gone`(_ family: Family) throws {
            var service = VirtualService.sample("web", family, weights: [1])
            service.resetsOrphans = true
            let rig = try Rig([service])
            let group: IPAddress = family == .ipv4 ? .ip("224.0.0.1") : .ip("ff02::1")
            let segment = Packet(
                Link.toBalancer, family.layer(from: group, to: family.vip), .tcp(source: 40000, destination: 80, flags: .ack))
            for _ in 0..<2 { #expect(try rig.server(segment) == 1) }
            try rig.apply([service.with("s1") { $0.state = .halt }])
            try rig.expect("ACK", segment, .dropped("drop.server-gone"))
        }

        // MARK: Connections whose server is gone

        @Test(arguments: Family.allCases, [ForwardingMode.dr, .tunnel, .nat, .snat])
        func `resets of connections whose server was halted are never answered, nor data unless the service says so`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            for resets in [true, false] {
                var service = VirtualService.sample("web", family, mode: mode, weights: [1, 1])
                service.resetsOrphans = resets
                let rig = try Rig([service])
                for number in 1...10 { try rig.open(Client(family: family, number: number)) }
                let name = try #require(try rig.flows().first?.server)
                let orphans = try rig.flows().filter { $0.server == name }.map { Int($0.client.low & 0xff) }
                try rig.apply([service.with(name) { $0.state = .halt }])
                for number in orphans {
                    let client = Client(family: family, number: number)
                    try rig.expect("RST", client.tcp(.rst), .dropped("drop.server-gone"))
                }
                for number in orphans where !resets {
                    let segment = Client(family: family, number: number).tcp([.psh, .ack], payload: "data")
                    for _ in 0..<2 { try rig.expect("data", segment, .dropped("drop.server-gone")) }
                }
                #expect(try rig.flowCount == (resets ? 10 - orphans.count : 10))
            }
        }

        @Test(arguments: Family.allCases)
        func `an orphan's data is reset with the numbers that its client expects`(_ family: Family) throws {
            let services = Self.services { $0.resetsOrphans = true }
            let rig = try Rig(services)
            let shapes = Shape.all.filter { $0.family == family }
            for number in shapes.indices { try rig.open(Client(family: family, number: number)) }
            try rig.apply(services.map { $0.with("s1") { $0.state = .halt } })
            for (number, shape) in shapes.enumerated() {
                let segment = shape.apply(to: Client(family: family, number: number).tcp([.psh, .ack], payload: "data"))
                try rig.expect("\(shape)", segment, .sent(segment.resetInReturn, "reply.reset"))
                // What comes after is of no connection: there is no server that takes it.
                try rig.expect("\(shape)", segment, .sent(segment.resetInReturn, "reply.refused"))
            }
            #expect(try rig.flowCount == 0)
        }

        @Test func `a client of a lost server may begin anew on the same ports`() throws {
            var service = VirtualService.sample(scheduler: .rr, weights: [1, 1])
            service.resetsOrphans = true
            let rig = try Rig([service])
            let client = Client()
            let first = try rig.open(client)
            try rig.apply([service.with("s\(first)") { $0.state = .halt }])
            try rig.expect("SYN", client.syn, .sent(client.syn.routed(to: Family.ipv4.server(3 - first)), "forward.new"))
        }
    }
}
