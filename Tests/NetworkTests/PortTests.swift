import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Ports and protocols of a service", .serialized)
    struct PortTests {
        let lab: Lab
        let daemon: Daemon
        let servers: [AnsweringServer]

        /// Real servers that would answer on the service's ports and beside them.
        static let ports: [UInt16] = [553, 554, 1935, 1936, 49_999, 50_000, 50_001, 65_535]

        init() throws {
            let lab = try Lab()
            self.lab = lab
            servers = try lab.servers.map { try AnsweringServer($0, tcp: Self.ports, udp: Self.ports) }
            daemon = try Daemon.running(
                in: lab.balancer.namespace,
                configuration([Lab.vip, Lab.vip6].map { vip in
                    ServiceText(
                        vip.family == .ipv4 ? "media" : "media6", vip, ports: "1935,554,50000-65535", protocols: "tcp/udp",
                        scheduler: "wlc", persistence: "{ timeout: 5m }", servers: lab.servers)
                }))
        }

        @Test("One client's TCP control and UDP media reach one server, on every port", arguments: [Lab.vip, Lab.vip6])
        func affinity(vip: IPAddress) throws {
            defer { servers.forEach { $0.close() } }
            let control = try Conversation(lab.client, to: Endpoint(vip, 554))
            for port: UInt16 in [50_000, 50_001, 65_535, 1935] {
                #expect(try lab.client.askUDP(Endpoint(vip, port)) == control.server, "UDP \(port)")
                #expect(try lab.client.askTCP(Endpoint(vip, port)) == control.server, "TCP \(port)")
            }
            #expect(try control.echoes())
        }

        @Test("Different clients are spread over the servers")
        func spread() throws {
            defer { servers.forEach { $0.close() } }
            let answers = try (1...12).map {
                try lab.client.askTCP(Endpoint(Lab.vip, 554), from: address("10.77.16.\($0)"))
            }
            #expect(Set(answers).count == 3)
        }

        @Test("Ports beside the service's go to the balancer's own kernel", arguments: [Lab.vip, Lab.vip6])
        func otherPorts(vip: IPAddress) throws {
            defer { servers.forEach { $0.close() } }
            let before = try daemon.counters()
            for port: UInt16 in [553, 1936, 49_999] {
                let refusal = #expect(throws: SocketFailure.self, "TCP \(port): nobody listens at the balancer") {
                    try lab.client.askTCP(Endpoint(vip, port))
                }
                #expect(refusal?.isRefusal == true)
                let own = try TestSocket(.udp, in: lab.balancer.namespace, local: Endpoint(vip, port))
                let sender = try TestSocket(.udp, in: lab.client.namespace)
                let payload = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(port)) }
                try sender.send(payload, to: Endpoint(vip, port))
                #expect(try own.receive() == payload, "UDP \(port)")
            }
            let after = try daemon.counters()
            // Of each port a SYN and a datagram.
            #expect(after["pass.port", default: 0] - before["pass.port", default: 0] == 6)
            for name in ["forward.flow", "forward.new", "forward.confirmed", "forward.stray"] {
                #expect(after[name] == before[name])
            }
            #expect(servers.map(\.connections) == [0, 0, 0])
        }
    }
}
