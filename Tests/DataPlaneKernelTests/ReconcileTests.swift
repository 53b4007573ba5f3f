import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// Changes write what differs and nothing else, and never mix services up.
    @Suite struct Reconciling {
        /// Service `index` with an address of its own and servers of its own, of which there is room for `room`.
        static func service(
            _ index: Int, servers: Int = 10, room: Int = 10, scheduler: Scheduler = .wlc
        ) -> VirtualService {
            .sample(
                "service-\(index)", address: address(index), scheduler: scheduler,
                weights: [Int](repeating: 100, count: servers), firstServer: index * room + 1)
        }

        static func address(_ index: Int) -> IPAddress { IPAddress(ipv4: 0x0a64_0000 + UInt32(index)) }

        @Test func `1 000 services with 10 000 servers load quickly, and one change touches its own entries`() throws {
            let services = (0..<1000).map { Self.service($0) }
            let rig = try Rig([])
            let duration = try ContinuousClock().measure { try rig.apply(services) }
            print("1 000 services with 10 000 real servers loaded in \(duration)")
            #if !DEBUG
                #expect(duration < .seconds(3))
            #endif
            #expect(try rig.apply(services).total == 0)

            // 4 093 slots, four to an element.
            let table = (MaglevTable.size(servers: 10) + 3) / 4
            var changed = services
            changed[500] = changed[500].with("s5003") { $0.weight = 50 }
            #expect(try rig.apply(changed).byMap == ["real_servers": 1, "slots": table, "services": 1])
            changed[700] = changed[700].with("s7003") { $0.state = .drain }
            // The table, and the list of the nine that are left.
            #expect(try rig.apply(changed).byMap == ["real_servers": 1, "slots": table + 3, "services": 1])
            changed[700] = changed[700].with("s7004") { $0.state = .halt }
            #expect(try rig.apply(changed).byMap == ["real_servers": 1, "slots": table + 2, "services": 1])
            changed[3].ports = PortSet([80...80, 443...443])
            #expect(try rig.apply(changed).byMap == ["port_ranges": 2, "vips": 1])
            changed[4].persistence = Persistence(prefix: 24)
            #expect(try rig.apply(changed).byMap == ["services": 1])
            changed[5] = changed[5].without("s51")
            #expect(
                try rig.apply(changed).byMap == ["real_servers": 1, "slots": table + 3, "services": 1])
            changed.remove(at: 999)
            #expect(try rig.apply(changed).byMap == ["real_servers": 10, "services": 1, "vips": 1])

            let writes = rig.plane.refreshNextHops(of: [Family.ipv4.server(42)]) { _ in
                NextHop(interface: 1, mac: Link.stranger, sourceMAC: Link.balancer)
            }
            #expect(writes.byMap == ["real_servers": 1])
            for index in [0, 3, 500, 700, 998] { try Self.expectOwnServers(rig, changed[index]) }
        }

        /// New connections of the service go to those of its servers that take them, and to no others. Each `round` has other
        /// clients, so that none is remembered.
        static func expectOwnServers(
            _ rig: Rig, _ service: VirtualService, round: Int = 0, connections: Int = 60,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let numbers = service.servers.filter { $0.state == .online && $0.weight > 0 }
                .map { Int($0.address.low & 0xffff) }
            guard let port = service.ports.ranges.first?.lowerBound else { return }
            var stamp = FrameStamp(Client(service: port, vip: service.address))
            var found: Set<Int> = []
            for source in 0..<connections {
                let number = round * connections + source
                stamp.stamp(client: number, port: UInt16(1024 + number * 7919 % 60000))
                found.insert(try rig.server(stamp.frame) ?? 0)
            }
            let expected: Set<Int> = numbers.isEmpty ? [0] : Set(numbers)
            #expect(found.isSubset(of: expected), "\(service.name)", sourceLocation: sourceLocation)
        }

        @Test func `all services changed at once stay apart though the table of slots has no room for both`() throws {
            var random = SeededGenerator(seed: 60)
            let rig = try Rig([])
            var services = (0..<60).map { Self.service($0, scheduler: .maglev) }
            try rig.apply(services)
            for round in 1...6 {
                // All at first, so that the room ends in their midst; then a few, so that what was mixed up stays so.
                for index in services.indices where round == 1 || Int.random(in: 0..<8, using: &random) == 0 {
                    services[index].servers[round].weight = 10 * round + index
                }
                services.shuffle(using: &random)
                try rig.apply(services)
                for service in services { try Self.expectOwnServers(rig, service, round: round) }
            }
            // A new daemon checks that no two services claim one slot. Not after each round: its books are right again.
            try rig.restart(services)
            #expect(try rig.apply(services).total == 0)
        }

        @Test func `200 random reconfigurations leave each service with its own servers`() throws {
            var random = SeededGenerator(seed: 200)
            let rig = try Rig([])
            let client = Client(vip: Self.address(0))
            var services = [Self.service(0, servers: 4)]
            try rig.apply(services)
            let server = try rig.open(client)
            for round in 0..<200 {
                for _ in 0..<Int.random(in: 1...6, using: &random) { Self.change(&services, using: &random) }
                try rig.apply(services)
                if round % 20 == 19 {
                    try rig.restart(services)
                    #expect(try rig.apply(services).total == 0, "round \(round)")
                }
                for service in services { try Self.expectOwnServers(rig, service, round: round, connections: 20) }
                // The first service keeps its first servers through it all, and so does its connection.
                #expect(try rig.server(client.ack) == server, "round \(round)")
                if round % 50 == 0 { _ = try rig.plane.sweep() }
            }
        }

        /// One random change. Service 0 keeps its first four servers online, and its port.
        private static func change(_ services: inout [VirtualService], using random: inout SeededGenerator) {
            let index = Int.random(in: 0..<services.count, using: &random)
            let count = services[index].servers.count
            let spared = index == 0 ? 4 : 0
            switch Int.random(in: 0..<8, using: &random) {
            case 0 where services.count < 40:
                let taken = Set(services.map(\.address))
                let free = (1..<100).filter { !taken.contains(address($0)) }
                let number = free[Int.random(in: 0..<free.count, using: &random)]
                services.append(service(number, servers: Int.random(in: 1...30, using: &random), room: 40))
            case 1 where index > 0:
                services.remove(at: index)
            case 2:
                services[index].scheduler = Scheduler.allCases[Int.random(in: 0..<6, using: &random)]
            case 3 where count > spared:
                services[index].servers.remove(at: Int.random(in: spared..<count, using: &random))
            case 4:
                let number = Int.random(in: 5000...60000, using: &random)
                guard !services[index].servers.contains(where: { $0.name == "s\(number)" }) else { return }
                services[index].servers.append(RealServer(name: "s\(number)", address: Family.ipv4.server(number)))
            case 5 where count > spared:
                let state = AdministrativeState.allCases[Int.random(in: 0..<3, using: &random)]
                services[index].servers[Int.random(in: spared..<count, using: &random)].state = state
            case 6 where index > 0:
                services[index].ports = PortSet([UInt16.random(in: 1...100, using: &random)...200, 300...310])
            default:
                guard count > 0 else { return }
                services[index].servers[Int.random(in: 0..<count, using: &random)].weight =
                    Int.random(in: 1...1000, using: &random)
            }
        }
    }
}
