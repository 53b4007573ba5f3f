import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Real servers' link-layer addresses", .serialized)
    struct NeighbourTests {
        let lab: Lab

        init() throws { lab = try Lab() }

        @Test("A server's new MAC is in use within a second", arguments: [Lab.vip, Lab.vip6])
        func changed(vip: IPAddress) throws {
            let server = lab.servers[0]
            let endpoint = Endpoint(vip, 50_000)
            let sink = try PacketSink(server, at: endpoint)
            defer { sink.close() }
            let service = vip.family == .ipv4 ? "media" : "media6"
            let daemon = try Daemon.running(
                in: lab.balancer.namespace,
                configuration([
                    ServiceText(service, vip, ports: "50000", protocols: "udp", servers: [server])
                ]))
            #expect(try daemon.server(service, "server1").mac == "\(server.mac)")
            let stream = try PacketStream(lab.client, to: endpoint, perMillisecond: 1)
            try stream.pass(200)
            _ = sink.takeLongestGap()

            let new = MACAddress(server.mac.value | 0xaa00)
            try server.namespace.ip("link set eth0 address \(new)")
            if vip.family == .ipv4 {
                // IPv6 tells the neighbours by itself, having ndisc_notify.
                try Command.check(["arping", "-q", "-U", "-c", "1", "-I", "eth0", "\(server.ipv4)"], in: server.namespace)
            }
            let before = sink.count
            try eventually(within: .seconds(5), every: .milliseconds(5), "packets arrive again") { sink.count > before + 200 }
            let gap = sink.takeLongestGap()
            let report = try stream.end()
            print("changed MAC, \(vip.family): \(gap) without packets, \(report.sent - sink.count) of \(report.sent) lost")
            #expect(gap < .seconds(1))
            #expect(try daemon.server(service, "server1").mac == "\(new)")
        }

        @Test("A server that appears late is found and gets traffic, without anyone asking", arguments: [Lab.vip, Lab.vip6])
        func late(vip: IPAddress) throws {
            let servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            let late = lab.servers[2]
            try lab.setPort(of: late, up: false)
            let daemon = try Daemon(
                in: lab.balancer.namespace, configuration([ServiceText("web", vip, servers: lab.servers)]))
            try daemon.start()
            try eventually("two servers are known") {
                try daemon.service("web").servers.filter { $0.mac != nil }.map(\.name) == ["server1", "server2"]
            }
            try eventually("the third is seen to be missing") { try daemon.server("web", late.name).colour == "red" }
            #expect(try daemon.service("web").colour == "yellow")

            try lab.setPort(of: late, up: true)
            let began = ContinuousClock.now
            try eventually(within: .seconds(8), every: .milliseconds(20), "the third server is known") {
                try daemon.server("web", late.name).mac == "\(late.mac)"
            }
            print("late server, \(vip.family): known after \(ContinuousClock.now - began)")
            #expect(try daemon.service("web").colour == "green")
            let answers = try (0..<6).map { _ in try lab.client.askTCP(Endpoint(vip, 80)) }
            #expect(Set(answers).contains(late.name))
        }
    }
}
