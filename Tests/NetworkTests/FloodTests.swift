import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("A flood of bare SYNs", .serialized)
    struct FloodTests {
        /// The smallest that a flow table can be, so that the flood is a hundred times as many.
        private static let flows = 1_024
        private static let count = Effort.isThorough ? 2_000_000 : 100_000

        @Test("resets and moves no connection that exchanges data meanwhile", arguments: [Mode.nat, .dr])
        func flood(mode: Mode) throws {
            let site = try Cell(mode: mode, arms: .two).site()
            let web = Endpoint(site.vip(1, .ipv4), 80)
            if !mode.translates { try site.giveServers([web.address]) }
            let servers = try site.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            let service = ServiceText("web", web.address, keys: mode.keys, servers: site.servers)
            let daemon = try Daemon.running(
                in: site.balancer.namespace,
                configuration([service], interfaces: site.interfaces, flows: Self.flows))
            let conversations = try (0..<100).map { _ in try Conversation(site.client, to: web) }
            #expect(try conversations.allSatisfy { try $0.echoes() })
            let before = try flows(daemon)
            #expect(before.count == 100)
            let octets = servers.map(\.octets)

            let flood = try SYNFlood(site.client, to: web, mac: Site.outerMAC)
            var rounds = 0
            repeat {
                try flood.pass(flood.sent + 1_000)
                for conversation in conversations {
                    #expect(try conversation.echoes(2_000, within: .seconds(10)), "\(conversation.server), round \(rounds)")
                }
                rounds += 1
            } while flood.sent < Self.count
            let sent = try flood.end()
            print("\(mode): \(sent) SYNs in \(rounds) rounds")

            #expect(try conversations.allSatisfy { try $0.echoes() })
            #expect(servers.map(\.connections) == [50, 50], "the servers' own kernels have accepted no other")
            for (server, octets) in zip(servers, octets) { #expect(server.octets == octets + 50 * (2_000 * rounds + 1_000)) }
            #expect(try flows(daemon) == before)
            let counters = try daemon.counters()
            // A veth loses frames where its peer has no time.
            #expect(counters["forward.new", default: 0] > sent / 2)
            #expect(counters["reply.reset"] == 0 && counters["drop.server-gone"] == 0)
        }

        /// Which server each established connection has.
        private func flows(_ daemon: Daemon) throws -> [Int: String] {
            let flows = try daemon.read(FlowsDocument.self, "flows").flows.filter { $0.client == "10.81.0.10" }
            return Dictionary(uniqueKeysWithValues: flows.map { ($0.clientPort, $0.server) })
        }
    }
}
