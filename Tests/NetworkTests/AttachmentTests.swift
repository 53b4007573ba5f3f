import Glibc
import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Attaching, detaching, and several daemons", .serialized)
    struct AttachmentTests {
        private let web = Endpoint(Lab.vip, 80)

        private func text(_ lab: Lab, xdp: String = "auto") -> String {
            configuration([ServiceText("web", Lab.vip, servers: lab.servers)], xdp: xdp)
        }

        private func answeringServers(_ lab: Lab) throws -> [AnsweringServer] {
            try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
        }

        private func programs(_ lab: Lab) throws -> Bool {
            try lab.balancer.namespace.ip("link show dev eth0").contains("xdp")
        }

        private func pins(_ daemon: Daemon) throws -> [String] {
            guard access(daemon.bpffs, F_OK) == 0 else { return [] }
            return try Command.check(["find", daemon.bpffs, "-type", "f"]).split(separator: "\n").map(String.init)
        }

        @Test("Two daemons in two namespaces do not disturb each other")
        func sideBySide() throws {
            let labs = [try Lab(servers: 2), try Lab(servers: 2)]
            let servers = try labs.flatMap { try answeringServers($0) }
            defer { servers.forEach { $0.close() } }
            let daemons = try labs.map { try Daemon.running(in: $0.balancer.namespace, text($0)) }
            #expect(try labs.map { try $0.client.askTCP(web) }.allSatisfy { $0.hasPrefix("server") })
            try daemons[0].check("server", "drain", "web", "server1")
            #expect(try daemons[1].server("web", "server1").state == "online")
            try daemons[0].apply(configuration([ServiceText("other", Lab.secondVIP, servers: labs[0].servers)]))
            try daemons[0].check("datapath", "detach")
            try daemons[0].terminate()
            #expect(try Set((0..<6).map { _ in try labs[1].client.askTCP(web) }) == ["server1", "server2"])
            #expect(try daemons[1].service("web").newConnections == 7)
        }

        @Test("Detaching leaves no program, no VIP and no pins, and applying attaches again")
        func detach() throws {
            let lab = try Lab()
            let servers = try answeringServers(lab)
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text(lab))
            #expect(try programs(lab))
            try daemon.check("datapath", "detach")
            #expect(try !programs(lab))
            #expect(try lab.balancer.vipsOnLoopback() == [])
            #expect(try daemon.dataPath().attached.map(\.mode) == ["none"])
            #expect(throws: SocketFailure.self) { try Conversation(lab.client, to: web, within: .milliseconds(300)) }

            try daemon.check("config", "apply")
            #expect(try programs(lab))
            #expect(try lab.client.askTCP(web).hasPrefix("server"))

            try daemon.check("datapath", "detach")
            try daemon.terminate()
            #expect(try pins(daemon) == [])
        }

        @Test("SIGTERM leaves forwarding; with --detach it takes all of it away")
        func ending() throws {
            let lab = try Lab()
            let servers = try answeringServers(lab)
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text(lab))
            #expect(try daemon.terminate() == .exited(0))
            #expect(try Set((0..<6).map { _ in try lab.client.askTCP(web) }).count == 3)
            #expect(access(daemon.socket, F_OK) != 0)

            try daemon.start(["--detach"])
            try daemon.awaitServers()
            #expect(try lab.client.askTCP(web).hasPrefix("server"))
            #expect(try daemon.terminate() == .exited(0))
            #expect(try !programs(lab))
            #expect(try lab.balancer.vipsOnLoopback() == [])
            #expect(try pins(daemon) == [])
        }

        @Test("Native and generic mode forward, and the mode is told", arguments: ["native", "generic"])
        func modes(mode: String) throws {
            let lab = try Lab()
            let servers = try answeringServers(lab)
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text(lab, xdp: mode))
            let attached = try #require(try daemon.dataPath().attached.first)
            #expect(attached.interface == "eth0" && attached.mode == mode && attached.programID != nil)
            let conversation = try Conversation(lab.client, to: web)
            #expect(try conversation.echoes(300_000))
            #expect(try Set((0..<6).map { _ in try lab.client.askTCP(web) }).count == 3)
        }

        @Test("The mode can be changed while it runs")
        func changedMode() throws {
            let lab = try Lab()
            let servers = try answeringServers(lab)
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text(lab))
            let conversation = try Conversation(lab.client, to: web)
            for mode in ["generic", "native"] {
                try daemon.apply(text(lab, xdp: mode))
                #expect(try daemon.dataPath().attached.map(\.mode) == [mode])
                #expect(try conversation.echoes(), "the connection goes on in \(mode) mode")
            }
        }
    }
}
