import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import TestSupport
import Testing

extension DataPlaneKernelTests {
    /// Who may begin connections, how many, and where they go when there is no room.
    @Suite struct Limits {
        /// The number of the fallback server, which no real server has.
        static let spare = 99
        static let modes: [ForwardingMode] = [.dr, .nat, .snat, .tunnel]

        static func service(
            _ family: Family = .ipv4, mode: ForwardingMode = .dr, scheduler: Scheduler = .wrr, limits: [Int] = [0, 0, 0],
            fallback: Bool = false, persistence: Persistence? = nil
        ) -> VirtualService {
            var service = VirtualService.sample(
                "web", family, mode: mode, protocols: [.tcp, .udp], scheduler: scheduler, persistence: persistence,
                weights: limits.map { _ in 100 })
            for (index, limit) in limits.enumerated() { service.servers[index].maxConnections = limit }
            if fallback { service.fallback = Fallback(address: family.server(spare)) }
            return service
        }

        // MARK: The fallback server

        @Test(arguments: Family.allCases, modes)
        func `the fallback server takes what is new while there is no other, and no longer`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            let persistence = Persistence(prefix: family == .ipv4 ? 32 : 128)
            let service = Self.service(family, mode: mode, limits: [0], fallback: true, persistence: persistence)
            let rig = try Rig([service])
            let (old, stranded, back) = (
                Client(family: family, number: 0x101), Client(family: family, number: 0x202),
                Client(family: family, number: 0x303)
            )
            #expect(try rig.open(old) == 1)
            let drained = service.with("s1") { $0.weight = 0 }
            try rig.apply([drained])
            #expect(try rig.open(stranded) == Self.spare)
            #expect(try rig.server(old.ack) == 1)
            try rig.apply([service])
            #expect(try rig.open(back) == 1)
            #expect(try rig.server(stranded.ack) == Self.spare, "its connection stays")
            // The fallback is no server to come back to.
            var again = stranded
            again.port += 1
            #expect(try rig.open(again) == 1)
            #expect(try rig.plane.statistics()["web"]?.refused == 0)
        }

        @Test(arguments: Family.allCases)
        func `translated to the fallback's port, a connection is answered in the service's name`(_ family: Family) throws {
            for port: UInt16? in [9081, nil] {
                var service = Self.service(family, mode: .nat, limits: [])
                service.fallback = Fallback(address: family.server(Self.spare), port: port)
                let rig = try Rig([service])
                let client = Client(family: family)
                let ours = Conversation(client, server: Self.spare, port: port)
                try rig.expect("SYN", client.syn, .sent(ours.inside(client.syn), "forward.new"))
                let answer = ours.answer([.syn, .ack])
                try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
            }
        }

        @Test func `a fallback server that is taken away leaves nothing but refusals`() throws {
            var service = Self.service(limits: [], fallback: true)
            let rig = try Rig([service])
            #expect(try rig.server(Client(number: 1).syn) == Self.spare)
            service.fallback = nil
            try rig.apply([service])
            let client = Client(number: 2)
            try rig.expect("SYN", client.syn, .sent(client.syn.resetInReturn, "reply.refused"))
            #expect(try rig.plane.statistics()["web"]?.refused == 1)
        }

        // MARK: Connections of a server

        @Test(arguments: Scheduler.allCases, modes)
        func `no server gets more than it may have, and all room is used`(_ scheduler: Scheduler, _ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(mode: mode, scheduler: scheduler, limits: [3, 5, 9])])
            for number in 0..<17 { try rig.open(Client(number: number, port: UInt16(1000 + number))) }
            #expect(try rig.established() == ["s1": 3, "s2": 5, "s3": 9])
            let late = Client(number: 99)
            try rig.expect("SYN", late.syn, .sent(late.syn.resetInReturn, "reply.refused"))
            try rig.expect("datagram", late.udp(), .sent(late.udp().error(.portUnreachable), "reply.refused"))
            #expect(try rig.plane.statistics()["web"]?.refused == 2)
            // Whose connection ends makes room for one, whoever it is.
            for number in [0, 8] {
                let client = Client(number: number, port: UInt16(1000 + number))
                let server = try #require(try rig.server(client.tcp([.fin, .ack])))
                #expect(try rig.open(Client(number: 200 + number)) == server)
                try rig.expect("SYN", late.syn, .sent(late.syn.resetInReturn, "reply.refused"))
            }
            // Connections that are there go on.
            #expect(try rig.server(Client(number: 4, port: 1004).ack) != nil)
        }

        @Test(arguments: modes)
        func `connections that only begin count, and those whose server is full may be confirmed`(_ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(mode: mode, limits: [2, 2])])
            for number in 0..<4 { #expect(try rig.server(Client(number: number).syn) != nil) }
            #expect(try rig.halfOpen() == ["s1": 2, "s2": 2])
            let late = Client(number: 9)
            try rig.expect("SYN", late.syn, .sent(late.syn.resetInReturn, "reply.refused"))
            for number in 0..<4 {
                #expect(try rig.server(Client(number: number).syn) != nil, "repeated")
                #expect(try rig.server(Client(number: number).ack) != nil, "confirmed")
            }
            #expect(try rig.established() == ["s1": 2, "s2": 2])
        }

        @Test(arguments: modes)
        func `where all servers are full the fallback takes the rest, as many as come`(_ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(mode: mode, limits: [1, 1], fallback: true)])
            var counts: [Int: Int] = [:]
            for number in 0..<10 { counts[try rig.open(Client(number: number)), default: 0] += 1 }
            #expect(counts == [1: 1, 2: 1, Self.spare: 8])
        }

        @Test func `a remembered client whose server is full gets another, and keeps that`() throws {
            let rig = try Rig([Self.service(limits: [2, 2], persistence: Persistence(prefix: 32))])
            let servers = try (1...4).map { try rig.open(Client(port: UInt16($0))) }
            #expect(servers[0] == servers[1] && servers[2] == servers[3] && servers[0] != servers[2])
            let late = Client(port: 5)
            try rig.expect("SYN", late.syn, .sent(late.syn.resetInReturn, "reply.refused"))
        }

        @Test func `a lower limit cuts no connection off`() throws {
            let rig = try Rig([Self.service(limits: [0, 0])])
            let servers = try (0..<10).map { try rig.open(Client(number: $0)) }
            try rig.apply([Self.service(limits: [1, 1])])
            for (number, server) in servers.enumerated() { #expect(try rig.server(Client(number: number).ack) == server) }
            let late = Client(number: 99)
            try rig.expect("SYN", late.syn, .sent(late.syn.resetInReturn, "reply.refused"))
            try rig.apply([Self.service(limits: [0, 0])])
            #expect(try rig.server(late.syn) != nil)
        }

        // MARK: Which clients

        private static func expect(_ rig: Rig, _ family: Family, _ address: IPAddress, allowed: Bool) throws {
            for transport in TransportProtocol.allCases {
                let header: Layer =
                    transport == .tcp ? .tcp(source: 40000, destination: 80, flags: .syn) : .udp(source: 40000, destination: 80)
                let packet = Packet(Link.toBalancer, family.layer(from: address, to: family.vip), header)
                if allowed {
                    try rig.expect("\(address)", packet, .sent(packet.routed(to: family.server(1)), "forward.new"))
                } else {
                    try rig.expect("\(address)", packet, .dropped("drop.denied"))
                }
            }
        }

        private static let rules: [(allow: [String], deny: [String], allowed: [String], denied: [String])] = [
            ([], ["10.0.0.0/8"], ["9.255.255.255", "11.0.0.0", "192.0.2.1"], ["10.0.0.0", "10.255.255.255", "10.1.2.3"]),
            (["10.0.0.0/8"], [], ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "192.0.2.1"]),
            (
                ["10.0.0.0/8", "10.1.2.0/24", "10.1.9.9/32"], ["10.1.0.0/16", "10.1.2.128/25", "10.1.9.0/24"],
                ["10.2.0.1", "10.1.2.0", "10.1.2.127", "10.1.9.9"],
                ["10.1.0.1", "10.1.2.128", "10.1.2.255", "10.1.9.8", "10.1.9.10", "11.0.0.1"]
            ),
            (["10.1.2.3/32"], ["0.0.0.0/0"], ["10.1.2.3"], ["10.1.2.2", "10.1.2.4", "192.0.2.1"]),
            (
                [], ["2001:db8::/32"], ["2001:db7:ffff::1", "2001:db9::1"],
                ["2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"]
            ),
            (
                ["2001:db8::/32", "2001:db8:1:1::/64", "2001:db8:1:2::7/128"], ["2001:db8:1::/48", "2001:db8:1:1:8000::/65"],
                ["2001:db8:2::1", "2001:db8:1:1::1", "2001:db8:1:1:7fff::1", "2001:db8:1:2::7"],
                ["2001:db8:1:3::1", "2001:db8:1:1:8000::1", "2001:db8:1:2::8", "2001:db9::1"]
            ),
            (["::/0"], ["2001:db8::/33"], ["2001:db8:8000::1", "fd00::1"], ["2001:db8:7fff::1"]),
        ]

        @Test(arguments: rules.indices)
        func `of prefixes that are allowed or denied the longest counts`(_ index: Int) throws {
            let rule = Self.rules[index]
            let family: Family = IPAddress.ip(rule.allowed[0]).family == .ipv4 ? .ipv4 : .ipv6
            var service = VirtualService.sample("web", family, protocols: [.tcp, .udp], weights: [1])
            service.clients.allow = try rule.allow.map { try #require(Prefix($0)) }
            service.clients.deny = try rule.deny.map { try #require(Prefix($0)) }
            let rig = try Rig([service])
            for address in rule.allowed { try Self.expect(rig, family, .ip(address), allowed: true) }
            for address in rule.denied { try Self.expect(rig, family, .ip(address), allowed: false) }
            // What was asked once must hold when the rules are gone, or there again.
            service.clients = ClientRules()
            try rig.apply([service])
            for address in rule.denied { try Self.expect(rig, family, .ip(address), allowed: true) }
        }

        @Test(arguments: modes)
        func `rules are for new connections of their own service alone`(_ mode: ForwardingMode) throws {
            let open = Self.service(mode: mode)
            var other = VirtualService.sample("other", mode: mode, ports: "81", weights: [1], firstServer: 11)
            other.clients.deny = [try #require(Prefix("0.0.0.0/0"))]
            let rig = try Rig([open, other])
            let client = Client()
            let server = try rig.open(client)
            var closed = open
            closed.clients.deny = [try #require(Prefix("10.0.0.0/8"))]
            let begun = Client(port: 2)
            let first = try rig.server(begun.syn)
            try rig.apply([closed, other])
            #expect(try rig.server(client.ack) == server, "an established connection")
            #expect(try rig.server(begun.ack) == first, "one that has begun")
            try rig.expect("new", Client(port: 3).syn, .dropped("drop.denied"))
            try rig.expect("new", Client(port: 3, service: 81).syn, .dropped("drop.denied"))
            // Who may begin nothing has nothing to go on with.
            for stray in [Client(port: 4).ack, Client(port: 4).tcp([.psh, .ack], payload: "data"), Client(port: 4).tcp(.rst)] {
                for _ in 0..<2 { try rig.expect("stray", stray, .dropped("drop.denied")) }
            }
            try rig.apply([open, other])
            #expect(try rig.server(Client(port: 3).syn) != nil)
            try rig.expect("new", Client(port: 3, service: 81).syn, .dropped("drop.denied"))
        }

        // MARK: How fast

        @Test(arguments: Family.allCases, modes)
        func `a source may begin its burst and no more, and no other is affected`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            var service = Self.service(family, mode: mode)
            service.clients.rate = 1
            service.clients.burst = 5
            let rig = try Rig([service])
            for number in 1...4 {
                let start = ContinuousClock.now
                var begun = 0
                for port: UInt16 in 1...30 {
                    let client = Client(family: family, number: number, port: port)
                    if try rig.server(port % 2 == 0 ? client.syn : client.udp()) != nil { begun += 1 }
                }
                let seconds = Int((ContinuousClock.now - start) / .seconds(1))
                #expect(begun >= 5 && begun <= 5 + seconds + 1, "client \(number) in \(seconds) s")
                #expect(seconds > 0 || begun <= 6)
            }
            let late = Client(family: family, number: 1, port: 99)
            try rig.expect("SYN", late.syn, .dropped("drop.rate"))
        }

        @Test func `the burst is exact within less than the time of one connection`() throws {
            for burst in [1, 2, 10] {
                var service = Self.service()
                service.clients.rate = 1
                service.clients.burst = burst
                let rig = try Rig([service])
                let start = ContinuousClock.now
                let rises = try rig.rises { for port: UInt16 in 1...20 { _ = try rig.server(Client(port: port).syn) } }
                guard ContinuousClock.now - start < .seconds(1) else { continue }
                #expect(rises == ["forward.new": burst, "drop.rate": 20 - burst])
            }
        }

        @Test func `with time a source may begin again, at its rate`() throws {
            var service = Self.service()
            service.clients.rate = 20
            service.clients.burst = 2
            let rig = try Rig([service])
            let start = ContinuousClock.now
            var (begun, port) = (0, UInt16(0))
            try eventually("ten have begun") {
                port += 1
                if try rig.server(Client(port: port).syn) != nil { begun += 1 }
                return begun == 10
            }
            // Two at once, then one each twentieth of a second.
            let elapsed = ContinuousClock.now - start
            #expect(elapsed > .milliseconds(8 * 50 - 60), "10 within \(elapsed)")
            #expect(port > 10, "none was refused")
        }

        @Test(arguments: modes)
        func `what is repeated, confirmed or of a flow is no new connection`(_ mode: ForwardingMode) throws {
            var service = Self.service(mode: mode)
            service.clients.rate = 1
            let rig = try Rig([service])
            let client = Client(port: 1)
            let server = try #require(try rig.server(client.syn))
            for _ in 0..<5 { #expect(try rig.server(client.syn) == server) }
            for _ in 0..<5 { #expect(try rig.server(client.ack) == server) }
        }
    }
}
