import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Which clients may begin connections", .serialized)
    struct ClientRuleTests {
        let lab: Lab
        let servers: [AnsweringServer]
        private let web = Endpoint(Lab.vip, 80)

        init() throws {
            lab = try Lab()
            servers = try lab.servers.map { try AnsweringServer($0, tcp: [80], udp: [80]) }
        }

        private func text(_ rules: String) -> String {
            configuration([
                ServiceText("web", Lab.vip, protocols: "tcp/udp", keys: ["clients: \(rules)"], servers: lab.servers)
            ])
        }

        private func isServed(_ source: String) throws -> Bool {
            let tcp = try? Conversation(lab.client, to: web, from: address(source), within: .milliseconds(200))
            let udp = try lab.client.askUDP(web, from: address(source), within: .milliseconds(200))
            #expect((tcp == nil) == (udp == nil))
            return tcp != nil
        }

        @Test("The longer prefix counts; what is denied is dropped without a word, and connections that there are go on")
        func prefixes() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text("{}"))
            let open = try Conversation(lab.client, to: web, from: address("10.77.17.1"))
            try daemon.apply(text("{ allow: [10.77.16.0/20, 10.77.18.7], deny: [10.77.17.0/24, 10.77.18.0/24] }"))
            #expect(try open.echoes(100_000))
            for (source, isServed) in [
                ("10.77.16.1", true), ("10.77.17.1", false), ("10.77.17.255", false), ("10.77.18.1", false),
                ("10.77.18.7", true), ("10.77.1.1", false),
            ] {
                #expect(try self.isServed(source) == isServed, "\(source)")
            }
            #expect(try daemon.counters()["drop.denied", default: 0] >= 8)
            try daemon.apply(text("{ deny: [10.77.18.0/24] }"))
            #expect(try isServed("10.77.17.1") && isServed("10.77.1.1") && !isServed("10.77.18.7"))
            #expect(try open.echoes(100_000))
        }

        @Test("A source that begins too many connections gets no more for a while, and others are not concerned")
        func rate() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text("{ rate: 1, burst: 5 }"))
            let open = try (0..<5).map { _ in try Conversation(lab.client, to: web, from: address("10.77.16.1")) }
            let began = ContinuousClock.now
            let refusal = #expect(throws: SocketFailure.self) {
                try Conversation(lab.client, to: web, from: address("10.77.16.1"), within: .milliseconds(200))
            }
            #expect(refusal?.isTimeout == true)
            #expect(try daemon.counters()["drop.rate", default: 0] >= 1)
            #expect(try lab.client.askTCP(web, from: address("10.77.16.2")).hasPrefix("server"))
            #expect(try open.allSatisfy { try $0.echoes() })
            try eventually(within: .seconds(3), "the source may begin another") {
                (try? Conversation(lab.client, to: web, from: address("10.77.16.1"), within: .milliseconds(200))) != nil
            }
            #expect(ContinuousClock.now - began < .seconds(3))
        }
    }
}
