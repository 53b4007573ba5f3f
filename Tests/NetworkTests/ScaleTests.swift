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

        private func residentMegabytes(_ pid: Int32) throws -> Double {
            let status = try Command.check(["cat", "/proc/\(pid)/status"])
            guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
                let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Double($0) })
            else { throw TestFailure("no VmRSS of process \(pid)") }
            return kilobytes / 1024
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
            let (_, status) = try measure { try daemon.check("status") }
            let process = try #require(daemon.process)
            let megabytes = try residentMegabytes(process.pid)

            try daemon.terminate()
            let (_, starting) = try measure { try daemon.start() }
            print(
                "1 000 services: applied in \(loading) with \(applied.mapWrites) map writes, one weight in \(changing) with "
                    + "\(changed.mapWrites); riptide status \(status); \(megabytes) MB; restart \(starting)")
            let resident = try residentMegabytes(#require(daemon.process).pid)
            print("after the restart: \(resident) MB")
            guard Programs.areOptimised else { return }
            #expect(loading < .seconds(3))
            #expect(starting < .seconds(3))
            #expect(megabytes < 80)
            #expect(resident < 80)
        }

        @Test("Real servers that are not there hold up nothing")
        func absent() throws {
            let lab = try Lab()
            let servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, configuration([]))
            let web = configuration([ServiceText("web", Lab.vip, servers: lab.servers)])
            let services = Self.text().split(separator: "\n", omittingEmptySubsequences: false).drop { $0 != "services:" }.dropFirst()
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
