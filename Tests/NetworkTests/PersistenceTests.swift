import Glibc
import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Persistence", .serialized)
    struct PersistenceTests {
        let lab: Lab
        let servers: [AnsweringServer]

        init() throws {
            lab = try Lab(clients: 2)
            servers = try lab.servers.map { try AnsweringServer($0, tcp: [80], udp: [80]) }
        }

        private func daemon(_ persistence: String) throws -> Daemon {
            try Daemon.running(
                in: lab.balancer.namespace,
                configuration([
                    ServiceText(
                        "web", Lab.vip, protocols: "tcp/udp", persistence: persistence, servers: lab.servers)
                ]))
        }

        private let web = Endpoint(Lab.vip, 80)

        @Test("With /24, clients of one network meet one server, and networks are spread")
        func prefix() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon("{ prefix: 24, timeout: 1m }")
            var answers: [Set<String>] = []
            for network in 0..<6 {
                let sources = [1, 77, 254].map { address("10.77.\(16 + network).\($0)") }
                answers.append(try Set(sources.map { try lab.clients[0].askTCP(web, from: $0) }))
            }
            #expect(answers.allSatisfy { $0.count == 1 })
            #expect(Set(answers).count == 3)
            #expect(
                try daemon.persistence("web").map(\.client) == (0..<6).map { "10.77.\(16 + $0).0/24" })
            // 10.77.1.1 and 10.77.1.2 are two machines of one network.
            #expect(try lab.clients[0].askTCP(web) == lab.clients[1].askTCP(web))
            #expect(try lab.clients[0].askUDP(web) == lab.clients[1].askTCP(web))
        }

        @Test("A client keeps its server until its time is out, and not longer")
        func timeout() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon("{ timeout: 2s }")
            let first = try lab.client.askTCP(web)
            var others = try (0..<4).map { _ in try lab.client.askTCP(web) }
            let last = ContinuousClock.now
            others.append(try lab.client.askTCP(web))
            #expect(others.allSatisfy { $0 == first })
            let entry = try #require(try daemon.persistence("web").first)
            #expect(entry.client == "10.77.1.1/32" && entry.server == first && entry.secondsLeft <= 2)
            try eventually(within: .seconds(15), "the client is forgotten") { try daemon.persistence("web").isEmpty }
            // The data plane counts ticks of the kernel's clock, of which the slowest makes a hundred in a second.
            #expect(ContinuousClock.now - last >= .milliseconds(1_990))
            // With rr a client that is new gets the next server.
            #expect(try lab.client.askTCP(web) != first)
        }

        @Test("Traffic of a connection that lasts renews the client's time")
        func renewal() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon("{ timeout: 2s }")
            let long = try Conversation(lab.client, to: web)
            let began = ContinuousClock.now
            try eventually(within: .seconds(6), every: .milliseconds(100), "five seconds of conversation") {
                guard try long.echoes(10) else { throw TestFailure("the connection has ended") }
                return ContinuousClock.now - began > .seconds(5)
            }
            #expect(try daemon.persistence("web").map(\.server) == [long.server])
            #expect(try lab.client.askTCP(web) == long.server)
        }

        @Test("Clients keep their servers over the daemon's death and over its orderly restart", arguments: [SIGKILL, SIGTERM])
        func restart(signal: Int32) throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon("{ timeout: 5m }")
            let sources = (1...9).map { address("10.77.16.\($0)") }
            let before = try sources.map { try lab.client.askTCP(web, from: $0) }
            #expect(Set(before).count == 3)
            let listed = try daemon.persistence("web")
            #expect(listed.count == 9)
            daemon.signal(signal)
            try daemon.process?.wait()
            #expect(try sources.map { try lab.client.askTCP(web, from: $0) } == before, "without a daemon")
            try daemon.start()
            #expect(try sources.map { try lab.client.askUDP(web, from: $0) } == before, "after its restart")
            let again = try daemon.persistence("web")
            #expect(again.map(\.client) == listed.map(\.client) && again.map(\.server) == listed.map(\.server))
        }

        @Test("Cleared clients are scheduled anew")
        func clear() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try daemon("{ timeout: 5m }")
            let first = try lab.client.askTCP(web)
            #expect(try lab.client.askTCP(web) == first)
            try daemon.check("persistence", "clear", "--client", "10.77.1.1")
            #expect(try daemon.persistence("web") == [])
            #expect(try lab.client.askTCP(web) != first)
        }
    }
}
