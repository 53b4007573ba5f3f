import ControlAPI
import Foundation
import Synchronization
import Testing

@Suite("The command line, as built, against a real socket")
struct CommandLineTests {
    @Test func `every reading command succeeds as a table and as JSON`() async throws {
        let commands = [
            ["status"], ["config", "show"], ["config", "check"], ["service", "list"], ["service", "show", "Web"],
            ["server", "list"], ["server", "list", "Web"], ["server", "show", "Web", "web1"], ["flows"],
            ["flows", "--count", "--service", "Web", "--server", "web1", "--client", "192.0.2.0/24"],
            ["flows", "--limit", "3"], ["persistence", "list", "--service", "Web"], ["counters"],
            ["datapath", "status"],
        ]
        try await withServer { _, harness in
            for command in commands {
                let table = try await riptide(command, environment: ["RIPTIDE_SOCKET": harness.socket])
                #expect(table.status == 0 && !table.output.isEmpty && table.errors.isEmpty, "\(command)")
                #expect(!table.output.contains("\u{1B}"), "no colours in a file")
                let json = try await riptide(command + ["--format", "json", "--socket", harness.socket])
                #expect(json.status == 0, "\(command)")
                #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(json.output.utf8)) }
            }
        }
    }

    @Test func `JSON is what the API answers`() async throws {
        try await withServer { _, harness in
            let result = try await riptide(["--format", "json", "--socket", harness.socket, "service", "list"])
            let list = try JSONDecoder().decode(ServiceList.self, from: Data(result.output.utf8))
            #expect(list.services == Fixture.services)
        }
    }

    @Test func `the socket and the format may stand before the noun, between and after`() async throws {
        try await withServer { _, harness in
            let socket = ["--socket", harness.socket]
            let format = ["--format", "json"]
            let orders = [
                socket + format + ["server", "show", "Web", "web1"], socket + ["server", "show", "Web", "web1"] + format,
                ["server"] + socket + ["show"] + format + ["Web", "web1"],
                ["server", "show", "Web"] + socket + ["web1"] + format, format + ["server", "show", "Web", "web1"] + socket,
            ]
            for arguments in orders {
                let result = try await riptide(arguments)
                #expect(result.status == 0 && result.output.hasPrefix("{"), "\(arguments): \(result.errors)")
            }
        }
    }

    @Test func `several real servers are drained at once, each with a line`() async throws {
        let controller = FixtureController()
        try await withServer(controller) { _, harness in
            let result = try await riptide(
                ["server", "drain", "Harmonic_Traffic", "HT1", "HT2", "--socket", harness.socket])
            #expect(result.status == 0)
            #expect(
                result.output == """
                    Harmonic_Traffic/HT1: drain, 1,202 connections to run out
                    Harmonic_Traffic/HT2: drain, 2 connections to run out

                    """)
        }
        #expect(controller.state.withLock { $0.changes.count } == 2)
    }

    @Test func `one misspelt name among several changes nothing`() async throws {
        let controller = FixtureController()
        try await withServer(controller) { _, harness in
            let result = try await riptide(
                ["server", "halt", "Harmonic_Traffic", "HT1", "HT9", "--socket", harness.socket])
            #expect(result.status == 1)
            #expect(
                result.errors == "riptide: no real server of Harmonic_Traffic is called HT9 (did you mean HT1?)\n")
        }
        #expect(controller.state.withLock { $0.changes.isEmpty })
    }

    @Test func `weights are set, and reset`() async throws {
        let controller = FixtureController()
        try await withServer(controller) { _, harness in
            let set = try await riptide(["server", "weight", "Web", "web1", "7", "--socket", harness.socket])
            #expect(set.output == "Web/web1: online, up, weight 7, 0 connections\n")
            let reset = try await riptide(["server", "weight", "Web", "web1", "configured", "--socket", harness.socket])
            #expect(reset.output == "Web/web1: online, up, weight 100, 0 connections\n")
            let online = try await riptide(["server", "online", "Web", "web1", "--socket", harness.socket])
            #expect(online.status == 0)
        }
        let changes = controller.state.withLock { $0.changes }
        #expect(
            changes == [
                ServerChange(weight: .value(7)), ServerChange(weight: .configured), ServerChange(state: "online"),
            ])
    }

    @Test func `changes of the whole say what was done`() async throws {
        try await withServer { _, harness in
            let socket = ["--socket", harness.socket]
            #expect(try await riptide(["persistence", "clear"] + socket).output == "7 clients forgotten\n")
            #expect(
                try await riptide(["datapath", "detach"] + socket).output
                    == "Detached: no service is balanced any more.\n")
            let applied = try await riptide(["config", "apply"] + socket)
            #expect(applied.output == "Added: New\nChanged: Web\nApplied with 42 map writes.\n")
        }
    }

    @Test func `a configuration with errors is shown with its places, and exits with 1`() async throws {
        try await withServer { _, harness in
            let line = "f.yaml:3:5: services[0].ports: wrong is not a port (write a number from 1 to 65535)\n"
            let checked = try await riptide(["config", "check", "-", "--socket", harness.socket], input: "wrong\n")
            #expect(checked.status == 1)
            #expect(checked.output == line + "standard input: 1 error\n")
            let applied = try await riptide(["config", "apply", "-", "--socket", harness.socket], input: "wrong\n")
            #expect(applied.status == 1 && applied.output.isEmpty)
            #expect(applied.errors.hasPrefix(line + "riptide: the configuration has an error; nothing was applied"))
        }
    }

    @Test(arguments: [
        ["frobnicate"], ["status", "extra"], ["--format", "xml", "status"], ["service", "show"], ["server", "drain", "Web"],
        ["server", "weight", "Web", "web1"], ["server", "weight", "Web", "web1", "heavy"],
        ["server", "weight", "Web", "web1", "65536"], ["flows", "--limit", "0"], ["flows", "--nonsense"],
    ])
    func `wrong usage exits with 2 and says so on standard error`(arguments: [String]) async throws {
        let result = try await riptide(arguments)
        #expect(result.status == 2)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains("Usage: riptide"))
    }

    @Test func `a daemon that is not there exits with 3, and the socket and the cure are told`() async throws {
        let result = try await riptide(["status", "--socket", "/nonexistent/admin.sock"])
        #expect(result.status == 3)
        #expect(result.output.isEmpty)
        #expect(
            result.errors.hasPrefix("riptide: connect to /nonexistent/admin.sock: there is no such socket (start it: "))
    }

    @Test func `a configuration is checked without a daemon, which is said`() async throws {
        let socket = ["--socket", "/nonexistent/admin.sock"]
        let bad = try await riptide(["config", "check", "-"] + socket, input: "version: 1\nnonsense: 1\n")
        #expect(bad.status == 1)
        #expect(bad.output.hasPrefix("standard input:"))
        #expect(bad.errors.contains("this machine's addresses were not considered"))
        let good = try await riptide(
            ["config", "check", "-"] + socket,
            input: "version: 1\nnode: { name: lb1 }\ninterfaces: [{ name: eth0 }]\nservices: []\n")
        #expect(good.status == 0, "\(good.output)")
        #expect(good.output == "standard input: valid\n")
        // Its own file only the daemon knows.
        #expect(try await riptide(["config", "check"] + socket).status == 3)
    }

    @Test func `help and version are successes`() async throws {
        let help = try await riptide(["--help"])
        #expect(help.status == 0 && help.output.contains("counters"))
        #expect(try await riptide(["--version"]).output == "\(Release.version)\n")
    }

    @Test func `a file that cannot be read is named with the reason`() async throws {
        let result = try await riptide(["config", "check", "/nonexistent.yaml"])
        #expect(result.status == 1)
        #expect(
            result.errors
                == "riptide: read /nonexistent.yaml: No such file or directory (name a file that can be read)\n")
    }
}
