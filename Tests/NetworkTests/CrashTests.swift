import Glibc
import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("A daemon that dies in the middle of a change", .serialized)
    struct CrashTests {
        @Test("The tables of the program that runs are taken over, whatever was pinned when the daemon died")
        func stalePins() throws {
            let lab = try Lab()
            let servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
            defer { servers.forEach { $0.close() } }
            func text(flows: Int) -> String {
                configuration([ServiceText("web", Lab.vip, servers: lab.servers)], flows: flows)
            }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text(flows: 65_536))
            let maps = try daemon.dataPath().bpffs
            func pin(_ from: String, _ to: String) throws {
                try Command.check(["bpftool", "map", "pin", "pinned", "\(maps)/\(from)", "\(maps)/\(to)"])
            }
            // The table of before the change is kept, to be put back as if the new one had never been pinned.
            try pin("flows", "stale")
            try daemon.apply(text(flows: 131_072))
            let open = try (0..<12).map { _ in try Conversation(lab.client, to: Endpoint(Lab.vip, 80)) }
            try daemon.kill()
            #expect(unlink("\(maps)/flows") == 0)
            try pin("stale", "flows")
            #expect(unlink("\(maps)/stale") == 0)

            try daemon.start()
            #expect(try daemon.dataPath().flows.capacity == 131_072)
            try daemon.awaitServers()
            let before = try daemon.counters()["forward.stray"]
            for conversation in open { #expect(try conversation.echoes()) }
            #expect(try daemon.counters()["forward.stray"] == before, "no flow was forgotten")
        }
    }
}
