import ControlAPI
import ControlServer
import Synchronization
import Testing

@Suite("What the server refuses, and how it says so")
struct ProblemTests {
    @Test func `an unknown service is a 404 that suggests the nearest name`() async throws {
        try await withServer { client, _ in
            let problem = await failure(APIProblem.self) { _ = try await client.service("harmonic_trafic") }
            #expect(problem?.status == 404)
            #expect(problem?.isOf(.unknownService) == true)
            #expect(problem?.cure == "did you mean Harmonic_Traffic?")
        }
    }

    @Test func `an unknown real server is a 404 everywhere that one is named`() async throws {
        let controller = FixtureController()
        try await withServer(controller) { client, _ in
            let shown = await failure(APIProblem.self) { _ = try await client.server("HT3", of: "Harmonic_Traffic") }
            #expect(shown?.isOf(.unknownServer) == true && shown?.cure == "did you mean HT1?")
            let changed = await failure(APIProblem.self) {
                _ = try await client.change("nosuch", of: "Harmonic_Traffic", ServerChange(state: "halt"))
            }
            #expect(changed?.isOf(.unknownServer) == true && changed?.cure == "there are: HT1, HT2")
            let filtered = await failure(APIProblem.self) { _ = try await client.flows(ClientFilter(server: "web2")) }
            #expect(filtered?.isOf(.unknownServer) == true && filtered?.cure == "did you mean web1?")
            let cleared = await failure(APIProblem.self) {
                _ = try await client.clearPersistence(ClientFilter(service: "Wob"))
            }
            #expect(cleared?.isOf(.unknownService) == true && cleared?.cure == "did you mean Web?")
        }
        #expect(controller.state.withLock { $0.changes.isEmpty && $0.filters.isEmpty })
    }

    @Test func `a controller's problem and its other errors both reach the client`() async throws {
        try await withServer { client, _ in
            let bad = await failure(APIProblem.self) { _ = try await client.flows(ClientFilter(client: "nonsense")) }
            #expect(bad?.status == 400)
            #expect(bad?.detail == "client: nonsense is neither an address nor a prefix")
            let broken = await failure(APIProblem.self) {
                _ = try await client.applyConfiguration("version: 1 # breaks\n")
            }
            #expect(broken?.status == 500)
            #expect(broken?.detail.contains("no space left on device (ENOSPC)") == true)
        }
    }

    @Test(arguments: [
        ("GET", "/v1/nothing", 404, "unknown-path"),
        ("GET", "/", 404, "unknown-path"),
        ("GET", "/v2/status", 404, "unknown-path"),
        ("GET", "/v1/services/Web/servers/web1/more", 404, "unknown-path"),
        ("POST", "/v1/status", 405, "wrong-method"),
        ("DELETE", "/v1/services/Web/servers/web1", 405, "wrong-method"),
        ("GET", "/v1/services/%ff", 400, "bad-request"),
        ("GET", "/v1/services/%4", 400, "bad-request"),
        ("GET", "/v1/flows?limit=0", 400, "bad-parameter"),
        ("GET", "/v1/flows?limit=many", 400, "bad-parameter"),
        ("GET", "/v1/flows?count=maybe", 400, "bad-parameter"),
        ("GET", "/v1/flows?sevrice=Web", 400, "bad-parameter"),
        ("GET", "/v1/flows?service=Web&service=Web", 400, "bad-parameter"),
        ("GET", "/v1/flows?service=", 400, "bad-parameter"),
        ("GET", "/v1/status?pretty=true", 400, "bad-parameter"),
        ("DELETE", "/v1/persistence?server=web1", 400, "bad-parameter"),
    ])
    func `a wrong request line is refused with a problem`(
        method: String, target: String, status: Int, kind: String
    ) async throws {
        try await withServer { _, harness in
            let answer = try await exchange(harness, method, target)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            #expect(answer.lowercased().contains("content-type: application/problem+json"))
            #expect(answer.contains("\"type\":\"urn:riptide:problem:\(kind)\""))
        }
    }

    @Test func `a wrong method is told the right ones`() async throws {
        try await withServer { _, harness in
            let answer = try await exchange(harness, "PUT", "/v1/services/Web/servers/web1")
            #expect(answer.lowercased().contains("\r\nallow: get, patch\r\n"))
        }
    }

    @Test func `a bad parameter is named, with the one that was meant`() async throws {
        try await withServer { _, harness in
            let answer = try await exchange(harness, "GET", "/v1/flows?sevrice=Web")
            #expect(answer.contains("\"cure\":\"did you mean service?\""))
            #expect(answer.contains("\"detail\":\"sevrice: this path has no such parameter\""))
        }
    }

    @Test(arguments: [
        "", "{", "[]", "{}", "null", #"{"state":"off"}"#, #"{"state":7}"#, #"{"weight":-1}"#, #"{"weight":65536}"#,
        #"{"weight":"heavy"}"#, #"{"weight":1.5}"#, #"{"weigth":5}"#, #"{"state":"drain","extra":1}"#,
    ])
    func `a body that is no change of a real server is refused and changes nothing`(body: String) async throws {
        let controller = FixtureController()
        try await withServer(controller) { _, harness in
            let answer = try await exchange(harness, "PATCH", "/v1/services/Web/servers/web1", body)
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
        }
        #expect(controller.state.withLock { $0.changes.isEmpty })
    }

    @Test func `a body that is not UTF-8 is refused`() async throws {
        try await withServer { _, harness in
            let curl = try await run("/usr/bin/curl", [
                "--silent", "--unix-socket", harness.socket, "--data-binary", "@/dev/stdin",
                "http://riptide/v1/config/check",
            ], input: [0x76, 0xFF, 0xFE])
            #expect(curl.output.contains("the body is not UTF-8"))
        }
    }
}

/// One request by hand, and all of its answer.
func exchange(_ harness: ServerHarness, _ method: String, _ target: String, _ body: String = "") async throws -> String {
    let head =
        "\(method) \(target) HTTP/1.1\r\nhost: riptide\r\nconnection: close\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
    return try await blocking {
        let connection = try RawConnection(harness.socket)
        try connection.write(head + body)
        return try connection.readToEnd()
    }
}
