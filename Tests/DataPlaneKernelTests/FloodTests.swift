import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// SYNs from random sources must cost nothing that clients need.
    @Suite struct Floods {
        @Test(arguments: [nil, Persistence(prefix: 32)])
        func `300 000 SYNs leave established flows alone and let new connections through`(_ persistence: Persistence?) throws {
            let settings = DataPathSettings(flows: 32768, persistence: 4096)
            let service = VirtualService.sample(
                protocols: [.tcp, .udp], scheduler: .wlc, persistence: persistence, weights: [100, 100, 100, 100])
            let rig = try Rig([service], settings: settings)
            let clients = (1...500).map { Client(number: $0, port: UInt16(10000 + $0)) }
            let servers = try clients.map { try rig.open($0) }
            let established = try rig.established()
            let remembered = try Set(rig.plane.persistence().map(\.client))
            let (flowMemory, persistenceMemory) = (rig.plane.flowTable, rig.plane.persistenceTable)

            var random = SeededGenerator(seed: 3)
            var flood = FrameStamp(Client())
            var begun: [(client: Client, server: Int)] = []
            func pour(_ count: Int) throws {
                for _ in 0..<count {
                    // 11.0.0.0/8: none of them is one of our clients.
                    flood.stamp(address: 0x0b00_0000 | UInt32(truncatingIfNeeded: random.next()) & 0xff_ffff)
                    flood.stamp(port: UInt16(truncatingIfNeeded: random.next()))
                    guard try rig.plane.test(flood.frame).action == 3 else {
                        Issue.record("a SYN of the flood was not forwarded")
                        return
                    }
                }
            }
            for round in 0..<30 {
                // A connection whose SYN, ACK and data lie thousands of the flood's packets apart.
                let client = Client(number: 2000 + round, port: 999)
                let server = try #require(try rig.server(client.syn))
                try pour(4000)
                #expect(try rig.server(client.ack) == server, "ACK in round \(round)")
                try pour(3000)
                for _ in 0..<3 {
                    #expect(try rig.server(client.tcp([.psh, .ack], payload: "data")) == server, "data in round \(round)")
                }
                try pour(3000)
                begun.append((client, server))
                for index in stride(from: round, to: clients.count, by: 30) {
                    let expected = clients[index].ack.routed(to: Family.ipv4.server(servers[index]))
                    try rig.expect("established", clients[index].ack, .sent(expected, "forward.flow"))
                }
            }
            let rises = try rig.rises { for (client, _) in begun { _ = try rig.server(client.ack) } }
            #expect(rises["forward.stray", default: 0] < 30)
            for (client, server) in begun { #expect(try rig.server(client.ack) == server) }
            #expect(try rig.flowCount <= clients.count + begun.count)
            #expect(rig.plane.flowTable == flowMemory && rig.plane.persistenceTable == persistenceMemory)
            for (name, count) in established { #expect(try rig.established()[name, default: 0] >= count) }
            let now = try Set(rig.plane.persistence().map(\.client))
            #expect(remembered.isSubset(of: now) && now.count <= remembered.count + begun.count)
        }

        @Test func `the tables cost what the kernel charges for their sizes`() throws {
            let rig = try Rig([.sample()], settings: DataPathSettings(flows: 65536, persistence: 8192))
            #expect(rig.plane.flowTable.capacity == 65536 && rig.plane.persistenceTable.capacity == 8192)
            // A flow's key and value take 88 octets; the kernel adds its own to each.
            #expect(rig.plane.flowTable.memoryBytes > 65536 * 88)
            #expect(rig.plane.flowTable.memoryBytes < 65536 * 88 * 3)
        }
    }
}
