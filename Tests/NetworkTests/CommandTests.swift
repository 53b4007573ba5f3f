import FoundationEssentials
import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Commands", .serialized)
    struct CommandTests {
        @Test("Wrong usage ends with status 2, a daemon that is not there with 3, a name that is not there with 1")
        func statuses() throws {
            let lab = try Lab(servers: 1)
            let daemon = try Daemon(
                in: lab.balancer.namespace, configuration([ServiceText("web", Lab.vip, servers: lab.servers)]))
            for arguments in [
                ["status"], ["service", "list"], ["server", "drain", "web", "server1"], ["flows"], ["persistence", "list"],
                ["counters"], ["datapath", "status"], ["config", "apply"],
            ] {
                let result = try daemon.run(arguments)
                #expect(result.status == 3, "\(arguments)")
                #expect(result.stderr.contains(daemon.socket))
            }
            try daemon.start()
            for arguments in [
                ["no-such-noun"], ["service", "no-such-verb"], ["server", "drain"], ["status", "--no-such-option"],
                ["--format", "xml", "status"], ["server", "weight", "web", "server1", "heavy"],
            ] {
                #expect(try daemon.run(arguments).status == 2, "\(arguments)")
            }
            for (arguments, suggestion) in [
                (["service", "show", "wep"], "web"), (["server", "halt", "web", "server2"], "server1"),
            ] {
                let result = try daemon.run(arguments)
                #expect(result.status == 1, "\(arguments)")
                #expect(result.stderr.contains("did you mean \(suggestion)?"))
            }
            #expect(try daemon.run("status").status == 0)
        }

        @Test("What is listed for people is listed as JSON too, with the traffic that there was")
        func documents() throws {
            let lab = try Lab()
            let servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(
                in: lab.balancer.namespace,
                configuration([ServiceText("web", Lab.vip, persistence: "{ timeout: 5m }", servers: lab.servers)]))
            let conversation = try Conversation(lab.client, to: Endpoint(Lab.vip, 80))
            #expect(try conversation.echoes())

            let status = try daemon.read(StatusDocument.self, "status")
            #expect(status.node.active && status.node.name == "lab")
            #expect(status.node.pid == Int(try #require(daemon.process).pid))
            #expect(status.services.map(\.connections) == [1])
            #expect(try daemon.services().map(\.ports) == ["80"])
            #expect(try daemon.service("web").newConnections == 1)
            let listed = try daemon.read(ServersDocument.self, "server", "list", "web").servers
            #expect(listed.map(\.name) == lab.servers.map(\.name))
            #expect(listed.first { $0.name == conversation.server }?.connections == 1)
            #expect(try daemon.read(ServicesDocument.self, "server", "list").services.count == 1)
            #expect(try daemon.server("web", "server1").mac == "\(lab.servers[0].mac)")
            let flows = try daemon.read(FlowsDocument.self, "flows", "--client", "10.77.1.0/24")
            #expect(flows.total == 1 && flows.flows.first?.server == conversation.server)
            #expect(flows.flows.first?.client == "10.77.1.1" && flows.flows.first?.state == "established")
            #expect(try daemon.read(FlowsDocument.self, "flows", "--client", "10.99.0.0/16").total == 0)
            #expect(try daemon.persistence("web").map(\.server) == [conversation.server])
            #expect(try daemon.counters()["forward.confirmed"] == 1)
            #expect(try daemon.dataPath().attached.count == 1)
            for arguments in [
                ["status"], ["service", "list"], ["service", "show", "web"], ["server", "list"], ["server", "list", "web"],
                ["server", "show", "web", "server1"], ["flows"], ["flows", "--count"], ["persistence", "list"], ["counters"],
                ["datapath", "status"], ["config", "check"], ["config", "show"],
            ] {
                let json = try daemon.run(arguments + ["--format", "json"])
                #expect(json.status == 0, "\(arguments)")
                #expect(json.standardOutput.first == UInt8(ascii: "{"), "\(arguments)")
                #expect(try daemon.run(arguments).status == 0, "\(arguments)")
            }
        }

        @Test("bpftool shows the pinned tables with named fields")
        func tables() throws {
            let lab = try Lab(servers: 1)
            let servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(
                in: lab.balancer.namespace,
                configuration([ServiceText("web", Lab.vip, persistence: "{ timeout: 5m }", servers: lab.servers)]))
            let conversation = try Conversation(lab.client, to: Endpoint(Lab.vip, 80))
            #expect(try conversation.echoes())
            let folder = try daemon.dataPath().bpffs
            for (map, fields) in [
                ("flows", ["source_port", "server", "packets", "state"]), ("persistence", ["client", "server", "seen"]),
                ("services", ["scheduler", "persistence_prefix"]), ("real_servers", ["mac", "weight", "state"]),
            ] {
                let text = try Command.check(["bpftool", "-j", "map", "dump", "pinned", "\(folder)/\(map)"])
                for field in fields { #expect(text.contains("\"\(field)\""), "\(map) has \(field)") }
            }
        }
    }
}
