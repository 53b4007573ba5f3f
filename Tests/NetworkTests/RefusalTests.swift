import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Connections that no real server may take", .serialized)
    struct RefusalTests {
        private static let families = [IPAddress.Family.ipv4, .ipv6]

        @Test("With no real server a client is refused at once, in every mode", arguments: families)
        func refused(family: IPAddress.Family) throws {
            let site = try Site(.two, servers: .besideRouter)
            let services = Mode.allCases.enumerated().map { index, mode in
                ServiceText(
                    mode.rawValue, site.vip(index + 1, family), protocols: "tcp/udp", keys: mode.keys,
                    servers: site.servers, serverKeys: ["state: halt"])
            }
            let daemon = try Daemon.running(
                in: site.balancer.namespace, configuration(services, interfaces: site.interfaces))
            for service in services {
                let web = Endpoint(service.address, 80)
                let began = ContinuousClock.now
                let refusal = #expect(throws: SocketFailure.self, "\(service.name)") { try site.client.askTCP(web) }
                #expect(refusal?.isRefusal == true, "\(service.name): \(refusal?.description ?? "")")
                let unreachable = #expect(throws: SocketFailure.self, "\(service.name)") { try site.client.askUDP(web) }
                #expect(unreachable?.isRefusal == true, "\(service.name): \(unreachable?.description ?? "")")
                // A client's own patience is a second.
                #expect(ContinuousClock.now - began < .milliseconds(500))
                #expect(try daemon.service(service.name).refused == 2)
            }
            #expect(try daemon.counters()["reply.refused"] == 2 * services.count)
        }

        @Test("While no real server takes connections the fallback server does, in every mode", arguments: Mode.allCases)
        func fallback(mode: Mode) throws {
            let site = try Cell(mode: mode, arms: .two).site()
            let vips = Self.families.map { site.vip(1, $0) }
            if !mode.translates { try site.giveServers(vips) }
            let web = try site.servers.map(WebServer.init)
            let services = Self.families.map { family in
                let port = mode.translates ? ", port: 8080" : ""
                return ServiceText(
                    "web-\(family)", site.vip(1, family),
                    keys: mode.keys + ["fallback: { address: \"\(site.servers[1].address(family))\"\(port) }"],
                    servers: [site.servers[0]])
            }
            let daemon = try Daemon.running(
                in: site.balancer.namespace, configuration(services, interfaces: site.interfaces))
            for service in services {
                let url = "http://\(Endpoint(service.address, 80))/"
                #expect(try site.client.request(url, count: 10).answers == ["server1": 10])
                try daemon.check("server", "drain", service.name, "server1")
                try eventually("the fallback server's link-layer address is known") {
                    try site.client.request(url, count: 1).answers == ["server2": 1]
                }
                #expect(try site.client.request(url, count: 10).answers == ["server2": 10])
                try daemon.check("server", "online", service.name, "server1")
                #expect(try site.client.request(url, count: 10).answers == ["server1": 10])
                #expect(try daemon.service(service.name).refused == 0)
            }
            withExtendedLifetime(web) {}
        }

        @Test(
            "A client whose server is removed is told by a reset with expire, and gets no answer without",
            arguments: Effort.modes)
        func expire(mode: Mode) throws {
            let site = try Cell(mode: mode, arms: .two).site()
            let vips = [1, 2].map { site.vip($0, .ipv4) }
            if !mode.translates { try site.giveServers(vips) }
            let servers = try site.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            func text(_ count: Int) -> String {
                let services = zip(vips, [true, false]).map { vip, expire in
                    ServiceText(
                        "expire-\(expire)", vip, keys: mode.keys + ["expire: \(expire)"],
                        servers: Array(site.servers.prefix(count)))
                }
                return configuration(services, interfaces: site.interfaces)
            }
            let daemon = try Daemon.running(in: site.balancer.namespace, text(2))
            let conversations = try vips.map { vip in
                try (0..<2).map { _ in try Conversation(site.client, to: Endpoint(vip, 80)) }.sorted { $0.server < $1.server }
            }
            for pair in conversations { #expect(pair.map(\.server) == ["server1", "server2"]) }
            try daemon.apply(text(1))
            for pair in conversations { #expect(try pair[0].echoes(100_000)) }
            let octets = servers[1].octets
            let reset = #expect(throws: SocketFailure.self) { try conversations[0][1].echoes() }
            #expect(reset?.isReset == true)
            #expect(try !conversations[1][1].echoes(within: .milliseconds(500)))
            #expect(servers[1].octets == octets)
            let counters = try daemon.counters()
            #expect(counters["reply.reset"] == 1)
            #expect(counters["drop.server-gone", default: 0] >= 1)
        }

        @Test("A server that has as many connections as it may gets no more, until one ends", arguments: Effort.modes)
        func limit(mode: Mode) throws {
            let site = try Cell(mode: mode, arms: .two).site()
            let vip = site.vip(1, .ipv4)
            if !mode.translates { try site.giveServers([vip]) }
            let servers = try site.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            let service = ServiceText(
                "web", vip, keys: mode.keys, servers: site.servers, serverKeys: ["max-connections: 3"])
            let daemon = try Daemon.running(
                in: site.balancer.namespace, configuration([service], interfaces: site.interfaces))
            let web = Endpoint(vip, 80)
            var open = try (0..<6).map { _ in try Conversation(site.client, to: web) }
            #expect(Dictionary(grouping: open, by: \.server).mapValues(\.count) == ["server1": 3, "server2": 3])
            let refusal = #expect(throws: SocketFailure.self) { try site.client.askTCP(web) }
            #expect(refusal?.isRefusal == true)
            #expect(try open.allSatisfy { try $0.echoes() })
            let ended = open.removeFirst().server
            try eventually("the place of a connection that has ended is free") {
                try daemon.server("web", ended).connections == 2
            }
            #expect(try Conversation(site.client, to: web).server == ended)
            #expect(try open.allSatisfy { try $0.echoes() })
        }
    }
}
