import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// Which server new connections get. SYNs alone: nothing is remembered beyond the notes of beginnings.
    @Suite struct Schedulers {
        /// Places for so many beginnings that a few thousand at once do not meet in one.
        static let roomy = DataPathSettings(flows: 1 << 21)
        static let tenServers = [Int](repeating: 100, count: 10)

        @Test(arguments: Family.allCases)
        func `wrr gives each server exactly its weight's share`(_ family: Family) throws {
            let rig = try Rig([.sample("web", family, scheduler: .wrr, weights: [100, 200, 300])], settings: Self.roomy)
            let shares = try rig.spread(FrameStamp(Client(family: family)), ports: 1...3000)
            #expect(shares == [1: 500, 2: 1000, 3: 1500])
        }

        @Test func `rr gives each server the same whatever its weight`() throws {
            let rig = try Rig([.sample(scheduler: .rr, weights: [1, 200, 65535])], settings: Self.roomy)
            #expect(try rig.spread(FrameStamp(Client()), ports: 1...3000) == [1: 1000, 2: 1000, 3: 1000])
        }

        @Test func `services take their turns apart from each other`() throws {
            let rig = try Rig([
                .sample("a", ports: "80", scheduler: .rr, weights: [1, 1]),
                .sample("b", ports: "81", scheduler: .rr, weights: [1, 1], firstServer: 11),
            ])
            var turns: [Int?] = []
            for port: UInt16 in 1...4 {
                turns.append(try rig.server(Client(port: port, service: 80).syn))
                turns.append(try rig.server(Client(port: port, service: 81).syn))
            }
            #expect(turns == [1, 11, 2, 12, 1, 11, 2, 12])
        }

        // MARK: By hash

        /// The server of each of 100 000 flows: 2 000 clients with 50 ports each; or of those of other clients.
        static func placement(_ rig: Rig, _ family: Family, clients: Range<Int> = 0..<2000) throws -> [Int] {
            var stamp = FrameStamp(Client(family: family))
            var servers: [Int] = []
            servers.reserveCapacity(clients.count * 50)
            for client in clients {
                for port in 0..<50 {
                    stamp.stamp(client: client, port: UInt16(20000 + port * 37))
                    servers.append(try rig.server(stamp.frame) ?? 0)
                }
            }
            return servers
        }

        @Test(arguments: Family.allCases)
        func `maglev shares flows evenly, and one server's end moves few of the others'`(_ family: Family) throws {
            let service = VirtualService.sample("web", family, scheduler: .maglev, weights: Self.tenServers)
            let rig = try Rig([service])
            let before = try Self.placement(rig, family)
            // With 100 000 flows chance alone is off by one in a hundred (the standard deviation); with 400 000 by half.
            let all = try before + Self.placement(rig, family, clients: 2000..<8000)
            for server in 1...10 {
                let count = all.count { $0 == server }
                #expect(abs(count - all.count / 10) * 100 <= all.count / 10 * 2, "server \(server) has \(count)")
            }
            // Rigs of their own: no notes of the first round may help the second.
            #expect(try Self.placement(Rig([service]), family) == before, "nodes with one configuration choose alike")
            for gone in [1, 6, 10] {
                let after = try Self.placement(Rig([service.without("s\(gone)")]), family)
                #expect(!after.contains(gone))
                let moved = zip(before, after).count { $0.0 != gone && $0.0 != $0.1 }
                let others = before.count { $0 != gone }
                #expect(moved * 100 <= others * 2, "\(moved) of \(others) flows moved when server \(gone) left")
            }
        }

        @Test func `maglev shares by weight`() throws {
            let rig = try Rig([.sample(scheduler: .maglev, weights: [100, 200, 300])])
            let servers = try Self.placement(rig, .ipv4)
            for server in 1...3 {
                let (count, share) = (servers.count { $0 == server }, 100_000 * server / 6)
                #expect(abs(count - share) * 100 <= share * 2, "server \(server) has \(count), not about \(share)")
            }
        }

        @Test func `sh gives a client one server on all ports, and clients shares by weight`() throws {
            let rig = try Rig([.sample(ports: "1-65535", scheduler: .sh, weights: [100, 300])])
            var stamp = FrameStamp(Client())
            var shares: [Int: Int] = [:]
            for client in 0..<4000 {
                var servers: Set<Int> = []
                for port in 0..<4 {
                    stamp.stamp(client: client, port: UInt16(1000 + port * 7919), service: UInt16(80 + port))
                    servers.insert(try rig.server(stamp.frame) ?? 0)
                }
                #expect(servers.count == 1, "client \(client)")
                shares[servers.first ?? 0, default: 0] += 1
            }
            // 4 000 independent choices: 27 is the standard deviation.
            #expect(Set(shares.keys) == [1, 2] && abs((shares[1] ?? 0) - 1000) < 110, "\(shares)")
        }

        /// A node that just took over knows no flows: the hash alone must lead to the server.
        @Test(arguments: [Scheduler.maglev, .sh], [nil, Persistence(prefix: 24)])
        func `another node finds the server of an open connection`(
            _ scheduler: Scheduler, _ persistence: Persistence?
        ) throws {
            let service = VirtualService.sample(
                scheduler: scheduler, persistence: persistence, weights: Self.tenServers)
            let (first, second) = (try Rig([service]), try Rig([service]))
            for number in 1...100 {
                let client = Client(number: number * 77, port: UInt16(number))
                let server = try first.open(client)
                #expect(try second.server(client.ack) == server)
            }
        }

        // MARK: By load

        @Test(arguments: [Scheduler.lc, .wlc])
        func `open connections are levelled by weight where it counts`(_ scheduler: Scheduler) throws {
            let rig = try Rig([.sample(scheduler: scheduler, weights: [100, 300])])
            for port: UInt16 in 1...400 { try rig.open(Client(port: port)) }
            let shares = try rig.established()
            #expect(shares == (scheduler == .lc ? ["s1": 200, "s2": 200] : ["s1": 100, "s2": 300]))
        }

        @Test(arguments: [[1, 2, 3], [100, 200, 300], [10_922, 21_844, 32_766]])
        func `wlc gives open connections in exact shares by weight`(_ weights: [Int]) throws {
            let rig = try Rig([.sample(scheduler: .wlc, weights: weights)])
            for port: UInt16 in 1...600 { try rig.open(Client(port: port)) }
            #expect(try rig.established() == ["s1": 100, "s2": 200, "s3": 300])
        }

        /// The list of members ends in the midst of an element of its table, mostly.
        @Test(arguments: [Scheduler.lc, .wlc], [1, 2, 3, 4, 5, 15, 16])
        func `however many servers there are, each gets the same`(_ scheduler: Scheduler, _ count: Int) throws {
            let rig = try Rig([.sample(scheduler: scheduler, weights: [Int](repeating: 100, count: count))])
            for port in 1...40 * count { try rig.open(Client(port: UInt16(port))) }
            #expect(try rig.established() == Dictionary(uniqueKeysWithValues: (1...count).map { ("s\($0)", 40) }))
        }

        @Test(arguments: [Scheduler.lc, .wlc])
        func `servers that leave the list of members get nothing more, and those that stay the same each`(
            _ scheduler: Scheduler
        ) throws {
            var service = VirtualService.sample(scheduler: scheduler, weights: [Int](repeating: 100, count: 5))
            let rig = try Rig([service])
            var port: UInt16 = 0
            for leaving in [5, 1, 4, 2] {
                service = service.with("s\(leaving)") { $0.state = .drain }
                try rig.apply([service])
                let before = try rig.established()
                let staying = service.servers.filter { $0.state == .online }.map(\.name)
                for _ in 0..<20 * staying.count {
                    port += 1
                    try rig.open(Client(port: port))
                }
                let after = try rig.established()
                let rises = after.filter { $0.value != before[$0.key] }
                #expect(Set(rises.keys) == Set(staying))
                #expect(Set(rises.values).count == 1, "\(rises)")
            }
        }

        @Test(arguments: [TCPFlags.fin, .rst])
        func `a server whose connections close gets the next ones`(_ flag: TCPFlags) throws {
            let rig = try Rig([.sample(scheduler: .lc, weights: [1, 1, 1])])
            var first: [Client] = []
            for port: UInt16 in 1...90 {
                let client = Client(port: port)
                if try rig.open(client) == 1 { first.append(client) }
            }
            #expect(first.count == 30)
            for client in first { #expect(try rig.server(client.tcp([flag, .ack])) == 1) }
            #expect(try rig.established() == ["s1": 0, "s2": 30, "s3": 30])
            for port: UInt16 in 101...130 { #expect(try rig.open(Client(port: port)) == 1, "port \(port)") }
            #expect(try rig.established() == ["s1": 30, "s2": 30, "s3": 30])
        }

        @Test func `connections that have only begun count as load`() throws {
            let rig = try Rig([.sample(scheduler: .lc, weights: [1, 1])])
            #expect(try rig.spread(FrameStamp(Client()), ports: 1...100) == [1: 50, 2: 50])
            #expect(try rig.halfOpen() == ["s1": 50, "s2": 50])
        }

        @Test(arguments: [1, 2, 3, 5])
        func `idle servers share a burst evenly by lc, too`(_ count: Int) throws {
            let rig = try Rig([.sample(scheduler: .lc, weights: [Int](repeating: 9, count: count))])
            var shares: [Int: Int] = [:]
            for port in 1...500 * count {
                let client = Client(port: UInt16(port))
                shares[try rig.open(client), default: 0] += 1
                _ = try rig.server(client.tcp([.fin, .ack]))
            }
            // 20 is the standard deviation with five servers.
            #expect(shares.count == count && shares.values.allSatisfy { abs($0 - 500) < 90 }, "\(shares)")
        }

        @Test func `idle servers share a burst evenly`() throws {
            // Each connection closes before the next: all servers are idle at each choice.
            let rig = try Rig([.sample(scheduler: .wlc, weights: [100, 100, 200])])
            var shares: [Int: Int] = [:]
            for port: UInt16 in 1...2000 {
                let client = Client(port: port)
                shares[try rig.open(client), default: 0] += 1
                _ = try rig.server(client.tcp([.fin, .ack]))
            }
            // 22 is the standard deviation of the first two.
            #expect(abs((shares[1] ?? 0) - 500) < 90 && abs((shares[2] ?? 0) - 500) < 90, "\(shares)")
        }

        @Test(arguments: [Scheduler.lc, .wlc])
        func `of many servers the better of two is taken, which levels them`(_ scheduler: Scheduler) throws {
            let count = 32
            let rig = try Rig([.sample(scheduler: scheduler, weights: [Int](repeating: 50, count: count))])
            for port in 1...100 * count { try rig.open(Client(port: UInt16(port))) }
            let shares = try rig.established()
            #expect(shares.count == count && shares.values.reduce(0, +) == 100 * count)
            // One choice by hash would leave a range of about 25 on each side; two leave a few.
            #expect(shares.values.allSatisfy { abs($0 - 100) <= 10 }, "\(shares.values.sorted())")
        }

        @Test func `the better of two honours weights`() throws {
            let weights = (0..<20).map { $0 < 10 ? 100 : 300 }
            let rig = try Rig([.sample(scheduler: .wlc, weights: weights)])
            for port: UInt16 in 1...4000 { try rig.open(Client(port: port)) }
            for (name, count) in try rig.established() {
                let share = (Int(name.dropFirst()) ?? 0) <= 10 ? 100 : 300
                #expect(abs(count - share) * 10 <= share, "\(name) has \(count), not about \(share)")
            }
        }
    }
}
