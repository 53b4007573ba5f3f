import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("The balancer as the real servers' gateway", .serialized)
    struct GatewayTests {
        let site: Site
        let web: [WebServer]

        init() throws {
            site = try Site(.two, servers: .behindBalancer)
            web = try site.servers.map(WebServer.init)
        }

        private func text(_ keys: [String]) -> String {
            configuration(
                [IPAddress.Family.ipv4, .ipv6].map { family in
                    ServiceText(
                        "web-\(family)", site.vip(1, family), keys: ["mode: nat"], servers: site.servers,
                        serverKeys: ["port: 8080"])
                }, interfaces: site.interfaces, keys: keys)
        }

        private func url(_ family: IPAddress.Family) -> String { "http://\(Endpoint(site.vip(1, family), 80))/" }

        /// Whom the client takes for the sender of a server's datagram, and whether its answer comes back; `nil` if none came.
        private func sender(_ family: IPAddress.Family) throws -> (address: IPAddress, isAnswered: Bool)? {
            let outside = try TestSocket(.udp, in: site.client.namespace, local: Endpoint(site.client.address(family), 9_000))
            let inside = try TestSocket(.udp, in: site.servers[0].namespace)
            try inside.connect(to: Endpoint(site.client.address(family), 9_000))
            try inside.send([1, 2, 3])
            guard let (bytes, sender) = try outside.receiveFrom(within: .milliseconds(500)) else { return nil }
            try outside.send(bytes.reversed(), to: sender)
            return (sender.address, try inside.receive() == [3, 2, 1])
        }

        @Test(
            "With auto-NAT real servers reach the outside by the balancer's address, beside their services",
            arguments: [IPAddress.Family.ipv4, .ipv6])
        func masqueraded(family: IPAddress.Family) throws {
            let outside = try WebServer(site.client)
            let daemon = try Daemon.running(in: site.balancer.namespace, text(["auto-nat: out"]))
            let sender = try #require(try sender(family))
            #expect(sender.address == Site.Network.outside.at(2, family))
            #expect(sender.isAnswered)
            let report = try site.servers[0].request("http://\(Endpoint(site.client.address(family), 80))/", count: 20)
            #expect(report.failures == [] && report.answers == ["client": 20])
            #expect(try site.client.request(url(family), count: 20).answers == ["server1": 10, "server2": 10])

            try daemon.apply(text([]))
            #expect(try self.sender(family)?.address != Site.Network.outside.at(2, family))
            #expect(try site.client.request(url(family), count: 20).answers == ["server1": 10, "server2": 10])
            withExtendedLifetime(outside) {}
        }

        @Test("A floating address is the real servers' gateway", arguments: [IPAddress.Family.ipv4, .ipv6])
        func floating(family: IPAddress.Family) throws {
            let gateway = Site.Network.inside.at(254, family)
            for server in site.servers {
                try server.namespace.ip("\(family == .ipv4 ? "-4" : "-6") route replace default via \(gateway)")
            }
            let keys = ["auto-nat: out", "cluster: { floating-addresses: [\"\(gateway)\"] }"]
            let daemon = try Daemon.running(in: site.balancer.namespace, text(keys))
            let report = try site.client.request(url(family), count: 20)
            #expect(report.failures == [] && report.answers == ["server1": 10, "server2": 10])
            #expect(try daemon.counters()[family == .ipv4 ? "reply.arp" : "reply.nd", default: 0] > 0)
            #expect(try site.servers[0].namespace.ip("neigh show \(gateway)").contains("\(site.balancer.mac)"))
            #expect(try sender(family)?.isAnswered == true)
            try Command.check(["ping", "-n", "-c", "1", "-W", "2", "\(gateway)"], in: site.servers[0].namespace)

            try daemon.apply(text([]))
            let server = site.servers[0].namespace
            try server.ip("neigh flush all")
            #expect(try Command.run(["ping", "-n", "-c", "1", "-W", "1", "\(gateway)"], in: server).status != 0)
        }
    }
}
