import FoundationEssentials
import Glibc
import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Configuration of a running daemon", .serialized)
    struct ConfigurationTests {
        let lab: Lab
        let daemon: Daemon
        let valid: String

        init() throws {
            lab = try Lab()
            valid = configuration([ServiceText("web", Lab.vip, servers: lab.servers)])
            daemon = try Daemon.running(in: lab.balancer.namespace, valid)
        }

        /// `riptide config check` of a text as a file.
        private func diagnostics(of text: String) throws -> [ReportDocument.Diagnostic] {
            let file = try daemon.write(text, to: "candidate.yaml")
            let result = try daemon.run(["--format", "json", "config", "check", file])
            let report = try JSONDecoder().decode(ReportDocument.self, from: Data(result.standardOutput))
            #expect(result.status == (report.valid ? 0 : 1))
            return report.diagnostics
        }

        @Test("A check names file, line, column and path of every error at once, and ends with status 1")
        func positions() throws {
            let text = valid.replacing("scheduler: rr", with: "shceduler: rr").replacing("ports: 80", with: "ports: 80-70")
            let file = try daemon.write(text, to: "candidate.yaml")
            let result = try daemon.run("config", "check", file)
            #expect(result.status == 1)
            let lines = result.stdout.split(separator: "\n") + result.stderr.split(separator: "\n")
            #expect(
                lines.contains {
                    $0.hasPrefix("\(file):11:5: services[web].shceduler:") && $0.contains("did you mean scheduler?")
                })
            #expect(lines.contains { $0.hasPrefix("\(file):9:12: services[web].ports:") })
            #expect(try daemon.run("config", "check", try daemon.write(valid, to: "valid.yaml")).status == 0)
        }

        @Test("A VIP that an interface of the machine has, and a server beyond a router, are errors")
        func surroundings() throws {
            let own = try diagnostics(of: valid.replacing("\(Lab.vip)", with: "\(lab.balancer.ipv4)"))
            #expect(own.contains { $0.severity == "error" && $0.path == "services[web].address" && $0.line == 8 })
            let far = try diagnostics(of: valid.replacing("\(lab.servers[0].ipv4)", with: "192.0.2.11"))
            #expect(far.contains { $0.severity == "error" && $0.path == "services[web].servers[server1].address" })
            let missing = try diagnostics(of: valid.replacing("name: eth0", with: "name: eth7"))
            #expect(missing.contains { $0.severity == "error" && $0.path.hasPrefix("interfaces") })
            // The VIP that it has put on lo itself is none of the machine's own.
            #expect(try diagnostics(of: valid).filter { $0.severity == "error" }.isEmpty)
        }

        @Test("An invalid configuration that is applied changes nothing: services, file and traffic stay")
        func refused() throws {
            let servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            let broken = valid.replacing("name: web", with: "name: other").replacing("\(lab.servers[0].ipv4)", with: "192.0.2.11")
            let result = try daemon.run(["config", "apply", "-"], input: broken)
            #expect(result.status == 1)
            #expect(result.stderr.contains("services[other].servers[server1].address"))
            #expect(try daemon.services().map(\.name) == ["web"])
            #expect(try daemon.fileText() == valid)
            #expect(try Set((0..<6).map { _ in try lab.client.askTCP(Endpoint(Lab.vip, 80)) }).count == 3)
        }

        @Test("A configuration that cannot be saved is not applied, and cuts no connection")
        func unsaved() throws {
            let servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            let open = try (0..<6).map { _ in try Conversation(lab.client, to: Endpoint(Lab.vip, 80)) }
            // Where the new text would be written first, there is a folder.
            #expect(mkdir(daemon.configurationFile + ".new", 0o700) == 0)
            let smaller = configuration([ServiceText("web", Lab.vip, servers: Array(lab.servers.prefix(1)))])
            let result = try daemon.run(["config", "apply", "-"], input: smaller)
            #expect(result.status == 1)
            #expect(result.stderr.contains("\(daemon.configurationFile).new"))
            #expect(try daemon.fileText() == valid)
            #expect(try daemon.services().first?.servers.count == 3)
            for conversation in open { #expect(try conversation.echoes()) }
            #expect(rmdir(daemon.configurationFile + ".new") == 0)
            #expect(try daemon.apply(smaller).servicesChanged == ["web"])
        }

        @Test("The text in force, applied again, replaces a file that was edited meanwhile")
        func edited() throws {
            _ = try daemon.write(valid + "# an edit that was never applied\n", to: "riptide.yaml")
            try daemon.apply(valid)
            #expect(try daemon.fileText() == valid)
        }

        @Test("A valid configuration that is applied replaces the daemon's file, and is told what it changed")
        func applied() throws {
            let fresh = configuration([
                ServiceText("web", Lab.vip, servers: Array(lab.servers.prefix(2))),
                ServiceText("extra", Lab.secondVIP, servers: lab.servers),
            ])
            let report = try daemon.apply(fresh)
            #expect(report.changed)
            #expect(report.servicesAdded == ["extra"] && report.servicesChanged == ["web"] && report.servicesRemoved == [])
            #expect(try daemon.fileText() == fresh)
            #expect(try daemon.services().map(\.name) == ["web", "extra"])
            let again = try daemon.apply(fresh)
            #expect(!again.changed && again.mapWrites == 0)
            try daemon.terminate()
            try daemon.start()
            #expect(try daemon.services().map(\.name) == ["web", "extra"])
        }

        @Test("SIGHUP reads the daemon's file anew; a broken one leaves everything as it is")
        func hangUp() throws {
            let fresh = configuration([ServiceText("renamed", Lab.vip, servers: lab.servers)])
            try Command.check(["tee", daemon.configurationFile], input: Array(fresh.utf8))
            daemon.signal(SIGHUP)
            try eventually("the new service is there") { try daemon.services().map(\.name) == ["renamed"] }
            try Command.check(["tee", daemon.configurationFile], input: Array("version: 7\n".utf8))
            daemon.signal(SIGHUP)
            try eventually("the refusal is logged") { daemon.log.contains("not read again") }
            #expect(try daemon.services().map(\.name) == ["renamed"])
        }

        @Test("A service whose address changes moves at once, and its old address is free again")
        func moved() throws {
            let servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            try daemon.apply(configuration([ServiceText("web", Lab.secondVIP, servers: lab.servers)]))
            _ = try lab.client.askTCP(Endpoint(Lab.secondVIP, 80))
            #expect(throws: SocketFailure.self) {
                try Conversation(lab.client, to: Endpoint(Lab.vip, 80), within: .milliseconds(300))
            }
        }
    }
}
