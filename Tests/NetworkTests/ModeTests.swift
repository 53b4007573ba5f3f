import FoundationEssentials
import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Every mode, with one arm and with two", .serialized)
    struct ModeTests {
        @Test("HTTP requests, transfers both ways and UDP datagrams up to 8 000 octets: none fails", arguments: Cell.all)
        func everything(cell: Cell) throws {
            let site = try cell.site(clientIsInside: cell.mode == .snat && cell.arms == .one)
            let vips = cell.families.indices.map { site.vip($0 + 1, cell.families[$0].outer) }
            if !cell.mode.translates { try site.giveServers(vips) }
            let web = try site.servers.map(WebServer.init)
            let datagrams = try site.servers.map {
                try AnsweringServer($0, udp: [5_000, 5_001], addresses: cell.mode.translates ? [$0.ipv4, $0.ipv6] : vips)
            }
            defer { datagrams.forEach { $0.close() } }
            let services = zip(vips, cell.families).enumerated().flatMap { index, service in
                [("web", "80", "tcp", 8_080), ("echo", "5000", "udp", 5_001)].map { name, port, protocols, translated in
                    ServiceText(
                        "\(name)\(index)", service.0, ports: port, protocols: protocols, keys: cell.mode.keys,
                        servers: site.servers, family: service.1.inner,
                        serverKeys: cell.mode.translates ? ["port: \(translated)"] : [])
                }
            }
            let daemon = try Daemon.running(
                in: site.balancer.namespace, configuration(services, interfaces: site.interfaces))
            let file = try RandomFile(megabytes: Effort.megabytes)

            for (index, vip) in vips.enumerated() {
                let url = "http://\(Endpoint(vip, 80))/"
                let report = try site.client.request(url, count: Effort.requests)
                #expect(report.failures == [], "\(vip)")
                #expect(report.answers.values.reduce(0, +) == Effort.requests)
                for server in site.servers {
                    let share = Double(report.answers[server.name, default: 0]) / Double(Effort.requests)
                    #expect(abs(share - 0.5) <= 0.01, "\(server.name) had \(share) of \(vip)")
                }
                try transfer(file, through: "web\(index)", url, site, web, daemon)
                try exchange(Endpoint(vip, 5_000), site, isTunnel: cell.mode.isTunnel)
            }
            var complaints = try daemon.complaints()
            if cell.mode.isTunnel { complaints["drop.too-big"] = nil }
            #expect(complaints == [:])
        }

        private struct Measurement: Decodable {
            struct End: Decodable {
                let sum_sent: Sum?
                let sum_received: Sum?
                let sum_received_bidir_reverse: Sum?
                let sum: Sum?
            }
            struct Sum: Decodable {
                let bytes: Int
                let seconds: Double
                let lost_packets: Int?
            }
            let end: End
            let error: String?
        }

        @Test(
            "iperf3 measures TCP both ways at once, and UDP",
            arguments: Effort.isThorough ? Cell.all : [Cell(mode: .nat, arms: .two)])
        func iperf(cell: Cell) throws {
            let site = try cell.site(clientIsInside: cell.mode == .snat && cell.arms == .one)
            let vips = [IPAddress.Family.ipv4, .ipv6].map { site.vip(1, $0) }
            if !cell.mode.translates { try site.giveServers(vips) }
            // Where the VIP is the server's own, iperf3 has to be told to answer UDP from it.
            let servers = try site.servers.flatMap { server in
                try vips.map { vip in
                    let address = cell.mode.translates ? server.address(vip.family) : vip
                    return try BackgroundProcess(["iperf3", "-s", "-B", "\(address)"], in: server.namespace)
                }
            }
            for server in site.servers {
                try eventually("both of iperf3 listen") {
                    try Command.check(["ss", "-tlnH"], in: server.namespace).split(separator: ":5201 ").count == 3
                }
            }
            // Persistence brings a client's control and data to one server.
            let services = vips.map {
                ServiceText(
                    "iperf-\($0.family)", $0, ports: "5201", protocols: "tcp/udp", persistence: "{ timeout: 5m }",
                    keys: cell.mode.keys, servers: site.servers)
            }
            let daemon = try Daemon.running(
                in: site.balancer.namespace, configuration(services, interfaces: site.interfaces))
            func measure(_ vip: IPAddress, _ options: [String]) throws -> Measurement.End {
                let seconds = Effort.isThorough ? 3 : 1
                let text = try Command.check(
                    ["iperf3", "-J", "-t", "\(seconds)", "-c", "\(vip)"] + options, in: site.client.namespace)
                let measurement = try JSONDecoder().decode(Measurement.self, from: Data(text.utf8))
                if let error = measurement.error {
                    throw TestFailure("iperf3 to \(vip): \(error); the balancer counts \(try daemon.complaints())")
                }
                return measurement.end
            }
            for vip in vips {
                let tcp = try measure(vip, ["--bidir"])
                let udp = try measure(vip, ["-u", "-b", "50M", "-l", "1400"])
                for way in [tcp.sum_received, tcp.sum_received_bidir_reverse] {
                    let way = try #require(way)
                    // A path that works carries so much in a hundredth of the time.
                    #expect(way.bytes > 1_000_000)
                    if Effort.isThorough { print("\(cell) \(vip): \(way.bytes / Int(way.seconds) / 125_000) Mbit/s") }
                }
                // Each loses some where its own queues are short; what the balancer drops shows below.
                let sum = try #require(udp.sum)
                #expect(sum.bytes > 5_000_000 && (sum.lost_packets ?? .max) * 1_400 < sum.bytes / 100)
            }
            var complaints = try daemon.complaints()
            if cell.mode.isTunnel { complaints["drop.too-big"] = nil }
            #expect(complaints == [:])
            withExtendedLifetime(servers) {}
        }

        /// Both ways over the one server that is left online.
        private func transfer(
            _ file: RandomFile, through service: String, _ url: String, _ site: Site, _ web: [WebServer], _ daemon: Daemon
        ) throws {
            try daemon.check("server", "drain", service, "server2")
            #expect(try site.client.transfer(file.path, by: url) { web[0].path(of: $0) }, "\(url)")
            try daemon.check("server", "online", service, "server2")
        }

        /// Datagrams of all sizes, each from a port of its own: every one comes whole and comes back whole. Through a tunnel the
        /// first long one teaches the client the path MTU.
        private func exchange(_ echo: Endpoint, _ site: Site, isTunnel: Bool) throws {
            let long = (0..<8_000).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ $0 >> 8) }
            if isTunnel {
                try eventually("the client knows how long packets may be") {
                    let socket = try TestSocket(.udp, in: site.client.namespace)
                    try socket.connect(to: echo)
                    return try socket.exchange(long, within: .milliseconds(100)) != nil
                }
            }
            var answers: [String: Int] = [:]
            for number in 0..<Effort.datagrams {
                let socket = try TestSocket(.udp, in: site.client.namespace)
                try socket.connect(to: echo)
                let datagram = Array(long.prefix([8_000, 1, 1_400, 8_000, 3_000][number % 5]))
                answers[try socket.exchange(datagram) ?? "none", default: 0] += 1
            }
            #expect(Set(answers.keys) == ["server1", "server2"], "\(echo): \(answers)")
        }
    }
}
