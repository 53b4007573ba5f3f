import Glibc
import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Drain, halt and online", .serialized)
    struct DrainTests {
        let lab: Lab
        let servers: [AnsweringServer]

        init() throws {
            lab = try Lab()
            servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
        }

        private let web = Endpoint(Lab.vip, 80)
        private static let names = ["server1", "server2", "server3"]

        private func daemon(persistence: String = "off") throws -> Daemon {
            try Daemon.running(
                in: lab.balancer.namespace,
                configuration([ServiceText("web", Lab.vip, persistence: persistence, servers: lab.servers)]))
        }

        /// A connection to each server.
        private func conversations() throws -> [String: Conversation] {
            let all = try (0..<3).map { _ in try Conversation(lab.client, to: web) }
            #expect(Set(all.map(\.server)) == Set(Self.names))
            return Dictionary(all.map { ($0.server, $0) }) { first, _ in first }
        }

        private func answers(_ count: Int = 12) throws -> Set<String> {
            try Set((0..<count).map { _ in try lab.client.askTCP(web) })
        }

        @Test("A drained server keeps its connections and gets no new ones, until it is online again")
        func drain() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon()
            let open = try conversations()
            try daemon.check("server", "drain", "web", "server2")
            let drained = try daemon.server("web", "server2")
            #expect(drained.state == "drain" && drained.colour == "blue" && drained.connections == 1)
            #expect(try answers() == ["server1", "server3"])
            for (name, conversation) in open { #expect(try conversation.echoes(200_000), "\(name)") }
            try daemon.check("server", "online", "web", "server2")
            #expect(try answers() == Set(Self.names))
            #expect(try daemon.server("web", "server2").colour == "green")
        }

        @Test("A drain that cannot be saved does not happen")
        func unsaved() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon()
            try daemon.check("server", "drain", "web", "server3")
            let obstacle = daemon.stateDirectory + "/administrative.json.new"
            #expect(mkdir(obstacle, 0o700) == 0)
            #expect(try daemon.run("server", "drain", "web", "server2").status == 1)
            #expect(try daemon.server("web", "server2").state == "online")
            #expect(try answers() == ["server1", "server2"])
            #expect(rmdir(obstacle) == 0)
            try daemon.check("server", "drain", "web", "server2")
            #expect(try answers() == ["server1"])
        }

        @Test("A weight of 0 drains as well")
        func weight() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon()
            let open = try conversations()
            try daemon.check("server", "weight", "web", "server1", "server3", "0")
            #expect(try answers() == ["server2"])
            for (name, conversation) in open { #expect(try conversation.echoes(), "\(name)") }
            try daemon.check("server", "weight", "web", "server1", "server3", "configured")
            #expect(try answers() == Set(Self.names))
        }

        @Test("With every server drained, new connections are refused and counted, and established ones go on")
        func allDrained() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon()
            let open = try conversations()
            try daemon.check(["server", "drain", "web"] + Self.names)
            let before = try daemon.counters()["reply.refused", default: 0]
            let refusal = #expect(throws: SocketFailure.self) {
                try Conversation(lab.client, to: web, within: .milliseconds(300))
            }
            #expect(refusal?.isRefusal == true)
            let service = try daemon.service("web")
            #expect(service.colour == "blue")
            #expect(service.refused == 1)
            #expect(try daemon.counters()["reply.refused"] == before + 1)
            for (name, conversation) in open { #expect(try conversation.echoes(), "\(name)") }
            #expect(servers.map(\.connections) == [1, 1, 1])
        }

        @Test("A client that is remembered still comes to a drained server, until its time is out")
        func remembered() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon(persistence: "{ timeout: 2s }")
            let first = try lab.client.askTCP(web)
            try daemon.check("server", "drain", "web", first)
            #expect(try lab.client.askTCP(web) == first)
            #expect(try (1...9).allSatisfy { try lab.client.askTCP(web, from: address("10.77.16.\($0)")) != first })
            let began = ContinuousClock.now
            // Its visits do not renew its time at a drained server: else it would never leave.
            try eventually(within: .seconds(10), every: .milliseconds(100), "the client meets another server") {
                try lab.client.askTCP(web) != first
            }
            #expect(ContinuousClock.now - began < .seconds(5))
        }

        @Test("A halted server's connections are cut, its remembered clients go elsewhere, and online brings it back")
        func halt() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon(persistence: "{ timeout: 5m }")
            let conversation = try Conversation(lab.client, to: web)
            #expect(try conversation.echoes())
            let halted = try #require(servers.indices.first { servers[$0].connections == 1 })
            try daemon.check("server", "halt", "web", conversation.server)
            let octets = servers[halted].octets
            // No server sees it, and no reset comes.
            #expect(try !conversation.echoes(within: .milliseconds(500)))
            #expect(servers.map(\.connections).reduce(0, +) == 1)
            #expect(servers[halted].octets == octets)
            #expect(try daemon.counters()["drop.server-gone", default: 0] > 0)
            #expect(try daemon.server("web", conversation.server).colour == "blue")
            #expect(try (0..<3).allSatisfy { _ in try lab.client.askTCP(web) != conversation.server })
            try daemon.check("server", "online", "web", conversation.server)
            let sources = (1...12).map { address("10.77.16.\($0)") }
            let answers = try sources.map { try lab.client.askTCP(web, from: $0) }
            #expect(Set(answers) == Set(Self.names))
        }

        @Test("Drains, halts and weights outlive the daemon")
        func kept() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon()
            try daemon.check("server", "drain", "web", "server1")
            try daemon.check("server", "weight", "web", "server2", "7")
            try daemon.kill()
            #expect(try answers() == ["server2", "server3"])
            try daemon.start()
            try daemon.awaitServers()
            #expect(try daemon.server("web", "server1").state == "drain")
            #expect(try daemon.server("web", "server2").weight == 7)
            #expect(try answers() == ["server2", "server3"])
        }
    }
}
