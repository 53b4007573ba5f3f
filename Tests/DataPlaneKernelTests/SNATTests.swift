import BPFRuntime
import DataPlane
import Glibc
import LoadBalancing
import NetworkTypes
import PacketKit
import TestSupport
import Testing

/// Runs the body on one CPU: each gives away source ports of its own.
func onOneCPU<Result>(_ body: () throws -> Result) throws -> Result {
    var (before, one) = (cpu_set_t(), cpu_set_t())
    let (get, set) = (try affinityCall("sched_getaffinity"), try affinityCall("sched_setaffinity"))
    guard get(0, MemoryLayout<cpu_set_t>.size, &before) == 0 else { throw TestFailure("cannot read the CPUs: errno \(errno)") }
    withUnsafeMutableBytes(of: &one) { one in
        withUnsafeBytes(of: before) { all in
            guard let octet = all.firstIndex(where: { $0 != 0 }) else { return }
            one[octet] = all[octet] & (0 &- all[octet])
        }
    }
    guard set(0, MemoryLayout<cpu_set_t>.size, &one) == 0 else { throw TestFailure("cannot choose a CPU: errno \(errno)") }
    defer { _ = set(0, MemoryLayout<cpu_set_t>.size, &before) }
    return try body()
}

/// The C library hides these two from Swift, since they are Linux's own.
private func affinityCall(_ name: String) throws -> @convention(c) (pid_t, Int, UnsafeMutableRawPointer) -> Int32 {
    guard let call = dlsym(dlopen(nil, RTLD_NOW), name) else { throw TestFailure("the C library has no \(name)") }
    return unsafeBitCast(call, to: (@convention(c) (pid_t, Int, UnsafeMutableRawPointer) -> Int32).self)
}

extension Rig {
    /// Source ports in use by server name.
    func sourcePorts(_ service: String = "web") throws -> [String: Int] {
        try plane.statistics(service: service)[service]?.servers.mapValues(\.sourcePorts) ?? [:]
    }
}

extension DataPlaneKernelTests {
    /// Mode `snat`: the server sees an address of the balancer's, and its answers find the client all the same.
    @Suite struct SNAT {
        static func service(
            _ family: Family = .ipv4, weights: [Int] = [100], addresses: [IPAddress] = [],
            ports: ClosedRange<UInt16> = SourcePool.standardPorts
        ) -> VirtualService {
            var service = VirtualService.sample(
                "web", family, mode: .snat, protocols: [.tcp, .udp], scheduler: .rr, weights: weights, port: 8080)
            service.source = SourcePool(addresses: addresses, ports: ports)
            return service
        }

        static let services = Family.allCases.map { family in
            var service = service(family)
            service.name = family.description
            return service
        }

        /// So many ports for each CPU.
        static func ports(each count: Int, from first: UInt16 = 5000) -> ClosedRange<UInt16> {
            first...(first + UInt16(count * possibleCPUs) - 1)
        }

        // MARK: Both directions

        @Test func `a connection is translated both ways, whatever its headers hold`() throws {
            let rig = try Rig(Self.services)
            for (number, shape) in Shape.all.enumerated() {
                let client = Client(family: shape.family, number: number)
                let ours = try rig.begin(client, shape.apply(to: client.syn))
                #expect(ours.source == shape.family.balancer && SourcePool.standardPorts.contains(ours.sourcePort))
                try rig.expect(ours, in: shape)
            }
            #expect(try rig.flowCount == Shape.all.count)
        }

        @Test(arguments: [Checksum.computed, .zero])
        func `datagrams are translated both ways, with and without a checksum`(_ checksum: Checksum) throws {
            let rig = try Rig(Self.services)
            for (number, shape) in Shape.all.enumerated() {
                let client = Client(family: shape.family, number: number)
                let question = shape.apply(to: client.udp("odd", checksum: checksum))
                let ours = try rig.begin(client, question)
                for counter in ["forward.confirmed", "forward.flow"] {
                    let answer = shape.apply(to: ours.datagram(checksum: checksum))
                    try rig.expect("\(shape): answer", answer, .sent(ours.outside(answer), "forward.answer"))
                    try rig.expect("\(shape)", question, .sent(ours.inside(question), counter))
                }
            }
        }

        @Test(arguments: Family.allCases)
        func `without a port of its own the server gets the client's`(_ family: Family) throws {
            let rig = try Rig([.sample("web", family, mode: .snat, ports: "1000-2000", weights: [100])])
            for port: UInt16 in [1000, 1500, 2000] {
                let ours = try rig.begin(Client(family: family, service: port), port: nil)
                let answer = ours.answer([.syn, .ack])
                try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
            }
        }

        /// Sums of ones' complement have two zeros and many carries: what a few packets get right may be luck.
        @Test(arguments: Family.allCases)
        func `2 000 random conversations have the checksums that they would have been sent with`(_ family: Family) throws {
            let rig = try Rig(Self.services, settings: DataPathSettings(flows: 32768, persistence: 1024))
            var random = SeededGenerator(seed: 8)
            for number in 0..<1000 {
                let client = Client(family: family, number: number, port: .random(in: 1...65535, using: &random))
                func filled(_ packet: Packet) -> Packet {
                    var packet = packet
                    packet.payload = random.octets(0...64)
                    packet.tcp?.sequence = .random(in: 0...UInt32.max, using: &random)
                    return packet.living(.random(in: 2...255, using: &random))
                }
                let (syn, datagram) = (filled(client.tcp(.syn, payload: "x")), filled(client.udp()))
                for ours in [try rig.begin(client, syn), try rig.begin(client, datagram)] {
                    for answer in [filled(ours.answer(.ack, payload: "x")), filled(ours.datagram())] {
                        let result = try rig.plane.test(answer.bytes)
                        guard result.action == 3 else { continue }
                        #expect(Packet.difference(ours.outside(answer), result.packet) == [])
                    }
                }
            }
            #expect(try rig.counts()["forward.answer"] == 2000)
        }

        // MARK: Which addresses and ports

        @Test(arguments: Family.allCases)
        func `no port is given twice towards one server, to whatever client`(_ family: Family) throws {
            let rig = try Rig([Self.service(family)])
            var seen: Set<UInt16> = []
            for number in 0..<2000 {
                let client = Client(family: family, number: number / 4, port: UInt16(1000 + number % 4))
                let ours = try rig.begin(client)
                _ = try rig.server(client.ack)
                #expect(ours.source == family.balancer && SourcePool.standardPorts.contains(ours.sourcePort))
                #expect(seen.insert(ours.sourcePort).inserted, "port \(ours.sourcePort) was given before")
            }
            #expect(try rig.sourcePorts() == ["s1": 2000])
        }

        @Test(arguments: Family.allCases)
        func `a pool's addresses are all used, each with all of its ports`(_ family: Family) throws {
            let pool = (1...8).map { family == .ipv4 ? IPAddress.ip("192.168.200.\($0)") : .ip("2001:db8:200::\($0)") }
            let ports = Self.ports(each: 5)
            let rig = try Rig([Self.service(family, addresses: pool, ports: ports)])
            try onOneCPU {
                var seen: [IPAddress: Set<UInt16>] = [:]
                for number in 0..<40 {
                    let ours = try rig.begin(Client(family: family, number: number))
                    #expect(ports.contains(ours.sourcePort))
                    #expect(seen[ours.source, default: []].insert(ours.sourcePort).inserted)
                    let answer = ours.answer([.syn, .ack])
                    try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
                }
                #expect(seen.mapValues(\.count) == Dictionary(uniqueKeysWithValues: pool.map { ($0, 5) }))
                try rig.expect("one too many", Client(family: family, number: 40).syn, .dropped("drop.no-port"))
            }
        }

        @Test func `each CPU gives ports of its own`() throws {
            let rig = try Rig([Self.service(ports: Self.ports(each: 4))])
            try onOneCPU {
                let given = try (0..<4).map { try rig.begin(Client(number: $0)).sourcePort }
                #expect(Set(given.map { (Int($0) - 5000) % possibleCPUs }).count == 1)
            }
        }

        // MARK: When there is none

        @Test(arguments: TransportProtocol.allCases)
        func `without a free port a connection is dropped and counted, and all others go on`(
            _ transport: TransportProtocol
        ) throws {
            let rig = try Rig([Self.service(ports: Self.ports(each: 4))])
            func first(_ client: Client) -> Packet { transport == .tcp ? client.syn : client.udp() }
            func second(_ client: Client) -> Packet { transport == .tcp ? client.ack : client.udp() }
            func answer(_ ours: Conversation) -> Packet { transport == .tcp ? ours.answer(.ack) : ours.datagram() }
            try onOneCPU {
                let conversations = try (0..<4).map { number in
                    try rig.begin(Client(number: number), first(Client(number: number)))
                }
                for ours in conversations[..<2] {
                    try rig.expect("second", second(ours.client), .sent(ours.inside(second(ours.client)), "forward.confirmed"))
                }
                for number in 4..<7 {
                    try rig.expect("no port", first(Client(number: number)), .dropped("drop.no-port"))
                }
                #expect(try rig.plane.statistics()["web"]?.exhausted == 3)
                #expect(try rig.sourcePorts() == ["s1": 4] && rig.halfOpen() == ["s1": 2] && rig.established() == ["s1": 2])
                for ours in conversations {
                    try rig.expect("answer", answer(ours), .sent(ours.outside(answer(ours)), "forward.answer"))
                }
                let old = conversations[0]
                try rig.expect("flow", second(old.client), .sent(old.inside(second(old.client)), "forward.flow"))
                // The other protocol has ports of its own.
                let other = Client(number: 9)
                _ = try rig.begin(other, transport == .tcp ? other.udp() : other.syn)
            }
        }

        @Test func `a port that is in use towards one server is free towards another`() throws {
            let rig = try Rig([Self.service(weights: [1, 1], ports: Self.ports(each: 4))])
            try onOneCPU {
                var given: [Int: Set<UInt16>] = [:]
                for number in 0..<8 {
                    let client = Client(number: number)
                    let result = try rig.plane.test(client.syn.bytes)
                    let server = try #require(Link.server(of: result.packet))
                    let port = try #require(Packet(decoding: result.packet).tcp?.source)
                    #expect(given[server, default: []].insert(port).inserted)
                }
                #expect(given[1]?.count == 4 && given[1] == given[2])
                try rig.expect("one too many", Client(number: 8).syn, .dropped("drop.no-port"))
                #expect(try rig.sourcePorts() == ["s1": 4, "s2": 4])
            }
        }

        @Test func `ports are free again after what used them has expired`() throws {
            var settings = Rig.small
            settings.timeouts.tcpSyn = .milliseconds(300)
            settings.timeouts.tcpFin = .milliseconds(300)
            settings.timeouts.udp = .milliseconds(300)
            let rig = try Rig([Self.service(ports: Self.ports(each: 3))], settings: settings)
            try onOneCPU {
                let (begun, closed, open) = (Client(number: 1), Client(number: 2), Client(number: 3))
                for client in [begun, closed, open] { _ = try rig.begin(client) }
                _ = try rig.server(closed.ack)
                _ = try rig.server(closed.tcp([.fin, .ack]))
                _ = try rig.server(open.ack)
                #expect(try rig.established() == ["s1": 1] && rig.sourcePorts() == ["s1": 3])
                try rig.expect("none is free", Client(number: 4).syn, .dropped("drop.no-port"))
                try eventually("both expire") {
                    _ = try rig.plane.sweep()
                    return try rig.sourcePorts() == ["s1": 1]
                }
                for number in 5...6 { _ = try rig.begin(Client(number: number)) }
                try rig.expect("none is free", Client(number: 7).syn, .dropped("drop.no-port"))
                #expect(try rig.sourcePorts() == ["s1": 3] && rig.flowCount == 1)
            }
        }

        @Test func `a connection that begins anew on old ports keeps no port of the last`() throws {
            let rig = try Rig([Self.service()])
            let client = Client()
            for _ in 0..<5 {
                let ours = try rig.begin(client)
                try rig.expect("ACK", client.ack, .sent(ours.inside(client.ack), "forward.confirmed"))
                let last = ours.answer([.fin, .ack])
                try rig.expect("FIN", last, .sent(ours.outside(last), "forward.answer"))
                #expect(try rig.sourcePorts() == ["s1": 1] && rig.established() == ["s1": 0])
            }
        }

        @Test func `the count of ports is exact also while the table evicts flows and beginnings`() throws {
            let settings = DataPathSettings(flows: 1024, persistence: 1024)
            let rig = try Rig([Self.service(weights: [1, 1])], settings: settings)
            var begun = 0
            for number in 0..<6000 {
                let client = Client(number: number)
                if try rig.server(client.syn) != nil { begun += 1 }
                if number % 3 != 0 { _ = try rig.server(client.ack) }
            }
            #expect(begun == 6000)
            var held = try rig.halfOpen()
            #expect(held.values.reduce(0, +) > 100)
            for flow in try rig.flows() { held[flow.server ?? "none", default: 0] += 1 }
            #expect(try rig.sourcePorts() == held)
            let ports = try rig.flows().compactMap(\.inside).map { [UInt16($0.destination.low & 0xff), $0.sourcePort] }
            #expect(Set(ports).count == ports.count)
            _ = try rig.plane.sweep()
            #expect(try rig.sourcePorts() == held)
        }

        @Test func `a server that is halted gives its ports back with its flows`() throws {
            var settings = Rig.small
            settings.timeouts.tcpFin = .milliseconds(300)
            let service = Self.service(weights: [1, 1])
            let rig = try Rig([service], settings: settings)
            for port: UInt16 in 1...10 { try rig.open(Client(port: port)) }
            #expect(try rig.sourcePorts() == ["s1": 5, "s2": 5])
            try rig.apply([service.with("s1") { $0.state = .halt }])
            try eventually("its flows are gone") {
                _ = try rig.plane.sweep()
                return try rig.sourcePorts() == ["s1": 0, "s2": 5]
            }
        }

        // MARK: Its own address

        @Test func `without an address of its own towards the server nothing begins`() throws {
            let rig = try Rig([Self.service()])
            _ = rig.plane.refreshNextHops { NextHop(interface: 1, mac: Link.mac(of: $0), sourceMAC: Link.balancer) }
            try rig.expect("SYN", Client().syn, .dropped("drop.no-neighbour"))
            #expect(try rig.sourcePorts() == ["s1": 0] && rig.halfOpen() == ["s1": 0])
            _ = rig.plane.refreshNextHops(Link.nextHop)
            _ = try rig.begin(Client())
        }

        @Test func `another address of its own is for new connections`() throws {
            let rig = try Rig([Self.service()])
            let old = try rig.begin(Client(number: 1))
            let other = IPAddress.ip("192.168.255.1")
            _ = rig.plane.refreshNextHops {
                NextHop(interface: 1, mac: Link.mac(of: $0), sourceMAC: Link.balancer, source: other)
            }
            #expect(try rig.begin(Client(number: 2)).source == other)
            try rig.expect("ACK", old.client.ack, .sent(old.inside(old.client.ack), "forward.confirmed"))
            let answer = old.answer(.ack)
            try rig.expect("answer", answer, .sent(old.outside(answer), "forward.answer"))
        }

        @Test func `a server on another interface gets the packet by redirection`() throws {
            let service = Self.service()
            let rig = try Rig([service])
            try rig.plane.setInterface(2, mac: Link.farSide)
            try rig.apply([service], nextHop: Link.farHop)
            let client = Client()
            let result = try rig.plane.test(client.syn.bytes)
            let seen = Packet(decoding: result.packet)
            let ours = Conversation(client, server: 1, port: 8080, source: seen.ipv4?.source, sourcePort: seen.tcp?.source)
            #expect(result.action == 4 && ours.source == Family.ipv4.balancer)
            #expect(Packet.difference(ours.inside(client.syn, from: Link.farSide), result.packet) == [])
            try rig.expect("ACK", client.ack, .redirected(ours.inside(client.ack, from: Link.farSide), "forward.confirmed"))
        }

        @Test func `what a server sends of its own to the balancer's address goes to the kernel`() throws {
            let rig = try Rig([Self.service()])
            let ours = try rig.begin(Client())
            let others = [
                Conversation(ours.client, server: 2, port: 8080, source: ours.source, sourcePort: ours.sourcePort),
                Conversation(ours.client, server: 1, port: 8081, source: ours.source, sourcePort: ours.sourcePort),
                Conversation(ours.client, server: 1, port: 8080, source: ours.source, sourcePort: ours.sourcePort &+ 1),
                Conversation(ours.client, server: 1, port: 8080),
            ]
            for other in others { try rig.expect("another's", other.answer(.ack), .passed("pass.not-vip")) }
            try rig.expect("another protocol", ours.datagram(), .passed("pass.not-vip"))
        }
    }
}
