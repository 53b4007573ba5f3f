import Glibc
import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("10 000 packets a second go on, none lost", .serialized)
    struct ContinuityTests {
        let lab: Lab
        let sinks: [PacketSink]
        let daemon: Daemon

        private static let media = Endpoint(Lab.vip, 50_000)

        init() throws {
            let lab = try Lab()
            self.lab = lab
            sinks = try lab.servers.map { try PacketSink($0, at: Self.media) }
            daemon = try Daemon.running(in: lab.balancer.namespace, Self.text(lab, weights: [1, 0, 0]))
        }

        /// - Parameter weights: by the default ones a new flow gets any server but the first.
        private static func text(
            _ lab: Lab, extra: Bool = false, flows: Int = 65_536, timeouts: String = "{}", weights: [Int] = [0, 1, 1]
        ) -> String {
            var services = [
                ServiceText(
                    "media", Lab.vip, ports: "50000-65535", protocols: "udp", scheduler: "wrr", servers: lab.servers,
                    weights: weights)
            ]
            if extra { services.append(ServiceText("extra", Lab.secondVIP, servers: lab.servers)) }
            return configuration(services, flows: flows, timeouts: timeouts)
        }

        /// Sends while `events` happen, and requires that the first server had everything: it gets no new flows by then, so a
        /// flow that is forgotten shows.
        private func expectNoLoss(while events: (PacketStream) throws -> Void) throws {
            defer { sinks.forEach { $0.close() } }
            // The client knows the VIP's MAC from here on: while it asks for it, it would drop most of a stream itself.
            try Command.check(["ping", "-n", "-c", "1", "-W", "5", "\(Lab.vip)"], in: lab.client.namespace)
            let stream = try PacketStream(lab.client, to: Self.media, perMillisecond: 10)
            try stream.pass(1_000)
            let failure = Result {
                try daemon.apply(Self.text(lab))
                try events(stream)
            }
            if case .success = failure { try stream.pass(2_000) }
            let report = try stream.end()
            try failure.get()
            #expect(report.failures == [])
            #expect(report.rate >= 8_000, "the sender itself was held up, for \(report.longestPause) at most")
            _ = try? eventually("everything has come") { sinks[0].count == report.sent }
            let missing = sinks[0].missing(of: report.sent)
            let lost = missing.count
            #expect(lost == 0, "of \(report.sent); the first number \(missing.first ?? 0), the last \(missing.last ?? 0)")
            #expect(sinks.map(\.twice) == [0, 0, 0])
            #expect(sinks[1].count + sinks[2].count == 0)
        }

        @Test("while the daemon is killed and started again")
        func killed() throws {
            try expectNoLoss { stream in
                try daemon.kill()
                try stream.pass(5_000)
                try daemon.start()
                try daemon.awaitServers()
            }
        }

        @Test("while the daemon is restarted in an orderly way")
        func restarted() throws {
            try expectNoLoss { stream in
                try daemon.terminate()
                try stream.pass(2_000)
                try daemon.start()
                try daemon.awaitServers()
            }
        }

        @Test("while services come, change and go")
        func configured() throws {
            try expectNoLoss { _ in
                for round in 0..<5 {
                    let report = try daemon.apply(
                        Self.text(lab, extra: round.isMultiple(of: 2), weights: [0, round + 1, 100]))
                    #expect(report.changed)
                }
            }
        }

        @Test("while so many services come that every table is made anew, larger")
        func grown() throws {
            let many = (0..<100).map { number in
                var service = ServiceText("many\(number)", address("10.77.200.\(number + 1)"), servers: [])
                service.servers = (1...10).map { ServerText(name: "server\($0)", address: address("10.77.64.\($0)")) }
                return service
            }
            try expectNoLoss { stream in
                let services = configuration(many).split(separator: "\n").drop { $0 != "services:" }.dropFirst()
                let report = try daemon.apply(Self.text(lab) + services.joined(separator: "\n") + "\n")
                #expect(report.servicesAdded.count == 100)
                try stream.pass(2_000)
                #expect(try daemon.apply(Self.text(lab)).servicesRemoved.count == 100)
            }
        }

        @Test("while the program is replaced for other time-outs, and the flow table for a larger and a smaller one")
        func replaced() throws {
            let before = try #require(try daemon.dataPath().attached.first?.programID)
            try expectNoLoss { _ in
                for (flows, timeouts) in [
                    (65_536, "{ udp: 60s }"), (131_072, "{ udp: 60s }"), (16_384, "{ udp: 120s }"),
                    (524_288, "{}"),
                ] {
                    try daemon.apply(Self.text(lab, flows: flows, timeouts: timeouts))
                    #expect(try daemon.dataPath().flows.capacity == flows)
                }
            }
            let after = try #require(try daemon.dataPath().attached.first?.programID)
            #expect(before != after)
        }

        @Test("while the daemon starts again with another configuration of its tables")
        func replacedAtStart() throws {
            try expectNoLoss { _ in
                try daemon.terminate()
                try Command.check(
                    ["tee", daemon.configurationFile],
                    input: Array(Self.text(lab, extra: true, flows: 131_072, timeouts: "{ udp: 60s }").utf8))
                try daemon.start()
                try daemon.awaitServers()
                #expect(try daemon.dataPath().flows.capacity == 131_072)
            }
        }

        @Test("while its server is drained, and the others are halted")
        func drained() throws {
            try expectNoLoss { stream in
                try daemon.check("server", "drain", "media", "server1")
                try daemon.check("server", "halt", "media", "server2", "server3")
                try stream.pass(5_000)
                try daemon.check("server", "online", "media", "server1", "server2", "server3")
            }
        }
    }
}
