import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("HTTP requests through the balancer")
    struct RequestTests {
        @Test("3 000 requests over IPv4 and IPv6: none fails, and wrr shares by weight within 1 %")
        func shares() throws {
            let lab = try Lab(clients: 2)
            let web = try lab.servers.map(WebServer.init)
            let weights = [100, 200, 300]
            let daemon = try Daemon.running(
                in: lab.balancer.namespace,
                configuration([
                    ServiceText("web", Lab.vip, scheduler: "wrr", servers: lab.servers, weights: weights),
                    ServiceText("web6", Lab.vip6, scheduler: "wrr", servers: lab.servers, weights: weights),
                ]))
            for url in ["http://\(Lab.vip)/", "http://[\(Lab.vip6)]/"] {
                var answers: [String: Int] = [:]
                for client in lab.clients {
                    let report = try client.request(url, count: 750)
                    #expect(report.failures == [])
                    answers.merge(report.answers, uniquingKeysWith: +)
                }
                #expect(answers.values.reduce(0, +) == 1_500)
                for (server, weight) in zip(lab.servers, weights) {
                    let share = Double(answers[server.name] ?? 0) / 1_500
                    #expect(abs(share - Double(weight) / 600) < 0.01, "\(server.name) had \(share) of \(url)")
                }
            }
            let services = try daemon.services()
            #expect(services.map(\.newConnections) == [1_500, 1_500])
            withExtendedLifetime(web) {}
        }
    }
}
