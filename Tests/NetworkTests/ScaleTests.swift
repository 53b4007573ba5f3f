import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("1 000 services with 10 000 real servers")
    struct ScaleTests {
        private static let services = 1_000
        private static let serversPerService = 10
        /// The servers share machines: the kernel keeps 1 024 neighbours for all namespaces together, unless it is told
        /// otherwise, and those of a namespace that is gone count for a while.
        private static let machines = 100

        private static func text(changed weight: Int = 100) -> String {
            let services = (0..<services).map { number in
                var service = ServiceText(
                    "service\(number)", address("10.77.\(200 + number / 250).\(number % 250 + 1)"), ports: "80,443",
                    scheduler: "wlc", persistence: "{ timeout: 5m }", servers: [])
                service.servers = (0..<serversPerService).map { index in
                    let machine = (number * serversPerService + index) % machines
                    return ServerText(
                        name: "server\(index)", address: address("10.77.\(64 + machine / 250).\(machine % 250 + 1)"))
                }
                return service
            }
            var changed = services
            changed[500].servers[3].weight = weight
            return configuration(changed, flows: 524_288)
        }

        /// - Parameter kind: `VmRSS` is all that is in memory, `RssAnon` what is not a part of the program's own files.
        private func megabytes(_ kind: String, of daemon: Daemon) throws -> Double {
            let pid = try #require(daemon.process).pid
            let status = try Command.check(["cat", "/proc/\(pid)/status"])
            guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("\(kind):") }),
                let kilobytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Double($0) })
            else { throw TestFailure("no \(kind) of process \(pid)") }
            return (kilobytes / 1024).rounded()
        }

        private func measure<Value>(_ body: () throws -> Value) rethrows -> (Value, Duration) {
            let began = ContinuousClock.now
            let value = try body()
            return (value, ContinuousClock.now - began)
        }

        @Test("They load in under 3 s, a change of one weight touches its own entries alone, and memory stays under 80 MB")
        func load() throws {
            let lab = try Lab(servers: 1)
            // One namespace is all of the machines.
            try lab.servers[0].namespace.ip("route add local 10.77.64.0/18 dev lo")
            let daemon = try Daemon.running(in: lab.balancer.namespace, configuration([]))
            let (applied, loading) = try measure { try daemon.apply(Self.text(), timeout: .seconds(120)) }
            #expect(applied.servicesAdded.count == Self.services)
            let (changed, changing) = try measure { try daemon.apply(Self.text(changed: 50), timeout: .seconds(120)) }
            #expect(changed.servicesChanged == ["service500"])
            // The service, the server, and the table that holds its shares: all services alike took as much each.
            #expect(changed.mapWrites > 0 && changed.mapWrites <= applied.mapWrites / Self.services)
            // A daemon's life has many changes; they must not add up.
            for weight in 51...60 { try daemon.apply(Self.text(changed: weight), timeout: .seconds(120)) }
            let (_, status) = try measure { try daemon.check("status") }
            let (loaded, anonymous) = try (megabytes("VmRSS", of: daemon), megabytes("RssAnon", of: daemon))

            try daemon.terminate()
            let (_, starting) = try measure { try daemon.start() }
            print(
                "1 000 services: applied in \(loading) with \(applied.mapWrites) map writes, one weight in \(changing) with "
                    + "\(changed.mapWrites); riptide status \(status); restart \(starting)")
            let restarted = try megabytes("VmRSS", of: daemon)
            print(
                "memory: \(loaded) MB, \(anonymous) of it anonymous; after the restart \(restarted) MB, "
                    + "\(try megabytes("RssAnon", of: daemon)) of it anonymous")
            guard Programs.areOptimised else { return }
            #expect(loading < .seconds(3))
            #expect(starting < .seconds(3))
            #expect(loaded < 80)
            #expect(restarted < 80)
        }

        @Test("Real servers that are not there hold up nothing")
        func absent() throws {
            let lab = try Lab()
            let servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, configuration([]))
            let web = configuration([ServiceText("web", Lab.vip, servers: lab.servers)])
            let lines = Self.text().split(separator: "\n", omittingEmptySubsequences: false)
            let services = lines.drop { $0 != "services:" }.dropFirst()
            let (_, loading) = try measure {
                try daemon.apply(web + services.joined(separator: "\n"), timeout: .seconds(120))
            }
            try eventually(within: .seconds(10), "the three that are there are known") {
                try daemon.service("web").servers.allSatisfy { $0.mac != nil }
            }
            #expect(try Set((0..<6).map { _ in try lab.client.askTCP(Endpoint(Lab.vip, 80)) }).count == 3)
            print("1 000 services without their servers: \(loading)")
        }
    }
}
