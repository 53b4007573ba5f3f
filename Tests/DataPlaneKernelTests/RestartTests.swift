import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// What a new daemon, a new program or larger maps keep: everything.
    @Suite struct Restarts {
        static let services = [
            VirtualService.sample(
                "web", ports: "80,443,1000-2000", protocols: [.tcp, .udp], scheduler: .rr,
                persistence: Persistence(prefix: 32)),
            .sample("v6", .ipv6, scheduler: .wlc, weights: [1, 2, 3]),
            .sample("hash", ports: "8080", scheduler: .maglev, weights: [5, 5], firstServer: 20),
        ]

        /// Fifty connections and what becomes of them.
        struct Load {
            let clients: [Client]
            let servers: [Int]
            let established: [String: Int]
            let remembered: Set<Prefix>

            init(_ rig: Rig) throws {
                clients = (1...50).map { Client(number: $0, port: UInt16(3000 + $0)) }
                servers = try clients.map { try rig.open($0) }
                established = try rig.established()
                remembered = try Set(rig.plane.persistence().map(\.client))
            }

            func expectIntact(in rig: Rig) throws {
                #expect(try rig.flowCount == clients.count)
                #expect(try rig.established().filter { $0.value > 0 } == established)
                #expect(try Set(rig.plane.persistence().map(\.client)) == remembered)
                for (client, server) in zip(clients, servers) {
                    let expected = client.ack.routed(to: Family.ipv4.server(server))
                    try rig.expect("flow", client.ack, .sent(expected, "forward.flow"))
                    let other = Client(number: client.number, port: 9, service: 443)
                    #expect(try rig.server(other.syn) == server, "client \(client.number) is remembered")
                }
            }
        }

        @Test func `a new daemon goes on where the last ended and writes nothing`() throws {
            let rig = try Rig(Self.services)
            let load = try Load(rig)
            let (counts, statistics) = (try rig.counts(), try rig.plane.statistics())
            try rig.restart(Self.services)
            #expect(try rig.apply(Self.services).total == 0)
            #expect(try rig.counts() == counts)
            #expect(try rig.plane.statistics() == statistics)
            #expect(rig.plane.isActive)
            try load.expectIntact(in: rig)
        }

        @Test func `applying the same again writes nothing`() throws {
            let rig = try Rig(Self.services)
            #expect(try rig.apply(Self.services).total == 0)
            #expect(try rig.apply(Self.services.reversed()).total == 0)
        }

        @Test(arguments: [(32768, 16384), (65536, 4096), (4096, 65536)])
        func `tables of another size keep what they hold`(_ flows: Int, _ persistence: Int) throws {
            let rig = try Rig(Self.services)
            let load = try Load(rig)
            let counts = try rig.counts()
            try rig.apply(Self.services, settings: DataPathSettings(flows: flows, persistence: persistence))
            #expect(rig.plane.flowTable.capacity == flows && rig.plane.persistenceTable.capacity == persistence)
            #expect(try rig.counts() == counts)
            try load.expectIntact(in: rig)
            try rig.restart(Self.services)
            #expect(rig.plane.flowTable.capacity == flows)
            try load.expectIntact(in: rig)
        }

        @Test func `other time-outs take effect with all flows kept`() throws {
            let rig = try Rig(Self.services)
            let load = try Load(rig)
            var settings = Rig.small
            settings.timeouts.udp = .seconds(7)
            #expect(try rig.apply(Self.services, settings: settings).total == 0)
            try load.expectIntact(in: rig)
        }

        @Test(arguments: [300, 2000])
        func `servers beyond the maps' size keep flows, clients and counts`(_ count: Int) throws {
            let rig = try Rig(Self.services)
            let load = try Load(rig)
            let before = try rig.plane.statistics()["web"]?.servers["s1"]
            let many = VirtualService.sample(
                "many", ports: "9000", scheduler: .rr, weights: [Int](repeating: 10, count: count), firstServer: 1000)
            try rig.apply(Self.services + [many])
            #expect(try rig.plane.statistics()["web"]?.servers["s1"] == before)
            try load.expectIntact(in: rig)
            var stamp = FrameStamp(Client(service: 9000))
            var servers: Set<Int> = []
            for port in 0..<count {
                stamp.stamp(port: UInt16(20000 + port))
                if let server = try rig.server(stamp.frame) { servers.insert(server) }
            }
            #expect(servers.isSubset(of: Set(1000..<1000 + count)))
            // A place that is taken sends some by hash, to a server that has had its turn.
            #expect(servers.count > count * 9 / 10)
            try rig.apply(Self.services)
            try load.expectIntact(in: rig)
        }

        @Test func `settings that differ from the pinned ones are taken over at the start`() throws {
            let rig = try Rig(Self.services)
            let load = try Load(rig)
            let pins = rig.plane.pins
            let settings = DataPathSettings(flows: 8192, persistence: 8192)
            let plane = try DataPlane(pins: pins, settings: settings, services: Self.services)
            #expect(plane.flowTable.capacity == 8192)
            #expect(try plane.flows(limit: 0).total == load.clients.count)
        }
    }
}
