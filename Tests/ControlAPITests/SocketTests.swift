import ControlAPI
import ControlServer
import Foundation
import Glibc
import Synchronization
import Testing

@Suite("The control socket")
struct SocketTests {
    @Test func `the socket and its folder are private, and the socket is gone at the end`() async throws {
        try await ServerHarness.with { harness in
            try await harness.serve { _ in
                #expect(mode(harness.socket) == 0o600)
                #expect(mode("\(harness.folder)/run") == 0o700)
            }
            #expect(mode(harness.socket) == nil)
            #expect(mode("\(harness.folder)/run") == 0o700)
        }
    }

    @Test func `a folder that exists keeps its mode`() async throws {
        try await ServerHarness.with { harness in
            #expect(mkdir("\(harness.folder)/run", 0o755) == 0)
            try await harness.serve { client async throws in _ = try await client.status() }
            #expect(mode("\(harness.folder)/run") == 0o755)
        }
    }

    @Test func `the socket of a dead daemon is replaced`() async throws {
        try await ServerHarness.with { harness in
            #expect(mkdir("\(harness.folder)/run", 0o700) == 0)
            try RawConnection.leaveStaleSocket(harness.socket)
            try await harness.serve { client async throws in #expect(try await client.status().node.name == "lb1") }
        }
    }

    @Test func `the socket of a live daemon is left alone, and goes on serving`() async throws {
        try await withServer { client, harness async throws in
            let error = await failure(ControlServerError.self) {
                try await harness.serve { _ in Issue.record("two daemons on one socket") }
            }
            #expect(error?.errno == EADDRINUSE)
            #expect(error?.description.contains("another daemon listens there") == true)
            #expect(try await client.status().node.name == "lb1")
        }
    }

    @Test func `a file that is no socket is left alone`() async throws {
        try await ServerHarness.with { harness in
            #expect(mkdir("\(harness.folder)/run", 0o700) == 0)
            try Data("precious".utf8).write(to: URL(filePath: harness.socket))
            let error = await failure(ControlServerError.self) { try await harness.serve { _ in } }
            #expect(error?.errno == EEXIST)
            #expect(try String(contentsOfFile: harness.socket, encoding: .utf8) == "precious")
        }
    }

    @Test func `a path too long for a socket is refused on both sides`() async throws {
        try await ServerHarness.with { harness in
            let long = ServerHarness(folder: harness.folder + "/" + String(repeating: "x", count: 100))
            let server = await failure(ControlServerError.self) { try await long.serve { _ in } }
            #expect(server?.errno == ENAMETOOLONG)
            let client = await failure(ControlFailure.self) {
                try await ControlClient.with(socket: long.socket) { _ = try await $0.status() }
            }
            #expect(client?.kind == .unreachable)
        }
    }

    @Test func `a daemon that is not there is reported with the socket and the cure`() async throws {
        try await ServerHarness.with { harness in
            let missing = await failure(ControlFailure.self) {
                try await ControlClient.with(socket: harness.socket) { _ = try await $0.status() }
            }
            #expect(missing?.kind == .unreachable && missing?.errno == ENOENT)
            #expect(missing?.message == "connect to \(harness.socket): there is no such socket")
            #expect(missing?.cure.contains("systemctl start riptided") == true)
            #expect(mkdir("\(harness.folder)/run", 0o700) == 0)
            try RawConnection.leaveStaleSocket(harness.socket)
            let dead = await failure(ControlFailure.self) {
                try await ControlClient.with(socket: harness.socket) { _ = try await $0.status() }
            }
            #expect(dead?.kind == .unreachable && dead?.errno == ECONNREFUSED)
        }
    }

    @Test func `one client survives a restart of the daemon`() async throws {
        try await ServerHarness.with { harness in
            try await ControlClient.with(socket: harness.socket) { client in
                try await harness.serve { _ async throws in #expect(try await client.services().count == 2) }
                let error = await failure(ControlFailure.self) { _ = try await client.status() }
                #expect(error?.kind == .unreachable)
                try await harness.serve { _ async throws in #expect(try await client.services().count == 2) }
            }
        }
    }

    // MARK: Users

    @Test func `the kernel tells who the client is`() async throws {
        let seen = Mutex<[PeerCredentials]>([])
        let policy = PeerPolicy { peer in
            seen.withLock { $0.append(peer) }
            return true
        }
        try await withServer(policy: policy) { client, _ async throws in _ = try await client.status() }
        #expect(seen.withLock { $0 } == [PeerCredentials(pid: getpid(), uid: getuid(), gid: getgid())])
    }

    @Test func `a user that the policy does not permit gets a 403, and nothing is done`() async throws {
        let controller = FixtureController()
        try await withServer(controller, policy: PeerPolicy { _ in false }) { client, _ async throws in
            let problem = await failure(APIProblem.self) { _ = try await client.detachDataPath() }
            #expect(problem?.status == 403)
        }
        #expect(controller.state.withLock { $0.detached } == false)
    }

    @Test func `root and the daemon's user are permitted, others are not`() {
        #expect(PeerPolicy.rootAndSelf.permits(PeerCredentials(pid: 1, uid: 0, gid: 0)))
        #expect(PeerPolicy.rootAndSelf.permits(PeerCredentials(pid: 1, uid: getuid(), gid: 12_345)))
        #expect(!PeerPolicy.rootAndSelf.permits(PeerCredentials(pid: 1, uid: getuid() + 1_000, gid: 0)))
    }

    @Test(.enabled(if: getuid() == 0, "needs root, to become another user"))
    func `another user is refused even if the file's mode lets it in`() async throws {
        try await withServer { _, harness in
            for path in [harness.folder, "\(harness.folder)/run", harness.socket] { #expect(chmod(path, 0o777) == 0) }
            let curl = try await run("/usr/bin/setpriv", [
                "--reuid", "65534", "--regid", "65534", "--clear-groups", "curl", "--silent", "--unix-socket",
                harness.socket, "http://riptide/v1/status",
            ])
            #expect(curl.status == 0)
            #expect(curl.output.contains("user 65534 may not use this socket"))
        }
    }

    // MARK: Abuse

    @Test func `a body at the limit is taken, one byte more is refused`() async throws {
        try await withServer(bodyLimit: 1_000) { client, _ async throws in
            #expect(try await client.checkConfiguration(String(repeating: "#", count: 1_000)).valid)
            let problem = await failure(APIProblem.self) {
                _ = try await client.checkConfiguration(String(repeating: "#", count: 1_001))
            }
            #expect(problem?.status == 413)
        }
    }

    @Test func `a body of no announced length is refused at the limit, too`() async throws {
        try await withServer(bodyLimit: 1_000) { client, harness async throws in
            let answer = try await blocking {
                let connection = try RawConnection(harness.socket)
                try connection.write(
                    "POST /v1/config/check HTTP/1.1\r\nhost: riptide\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n"
                        + String(repeating: "#", count: 1_001) + "\r\n0\r\n\r\n")
                connection.finish()
                return try connection.readToEnd()
            }
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
            _ = try await client.status()
        }
    }

    @Test func `a configuration of sixteen megabytes is taken`() async throws {
        let text = String(repeating: "# filler line of a large file ##\n", count: ControlSocket.largestRequest / 33)
        let controller = FixtureController()
        try await withServer(controller) { client, _ async throws in #expect(try await client.checkConfiguration(text).valid) }
        #expect(controller.state.withLock { $0.texts } == [text])
    }

    /// Named, so that the test's log stays readable.
    enum Garbage: String, CaseIterable {
        case handshake = "\u{16}\u{03}\u{01} this is no HTTP\r\n\r\n"
        case methodOnly = "GET\r\n\r\n"
        case version = "GET /v1/status HTTP/9.9\r\n\r\n"
        case header = "GET /v1/status HTTP/1.1\r\nno colon here\r\n\r\n"
        case lengths = "GET /v1/status HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\ncontent-length: 11\r\n\r\n"
        case chunk = "POST /v1/config/check HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
        case short = "POST /v1/config/check HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nshort"
        case endless = "GET /v1/status HTTP/1.1\r\nlong: "
        case nothing = ""

        var text: String { self == .endless ? rawValue + String(repeating: "x", count: 200_000) : rawValue }
    }

    @Test(arguments: Garbage.allCases)
    func `garbage does not disturb the server`(garbage: Garbage) async throws {
        try await withServer { client, harness async throws in
            for _ in 0..<20 {
                let answer = try await blocking {
                    let connection = try RawConnection(harness.socket)
                    // The server may close before all is sent.
                    try? connection.write(garbage.text)
                    connection.finish()
                    return try connection.readToEnd()
                }
                #expect(!answer.hasPrefix("HTTP/1.1 200"))
            }
            #expect(try await client.status() == Fixture.status())
        }
    }

    @Test func `clients that hang do not keep others from being served, nor the server from ending`() async throws {
        try await ServerHarness.with { harness in
            // They stay open until the server has ended.
            var hanging: [RawConnection] = []
            let clock = ContinuousClock()
            var shutdown = clock.now
            try await harness.serve { client async throws in
                hanging = [try RawConnection(harness.socket), try RawConnection(harness.socket)]
                try hanging[1].write("POST /v1/config/check HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nshort")
                #expect(try await client.status() == Fixture.status())
                shutdown = clock.now
            }
            #expect(clock.now - shutdown < .seconds(10))
            #expect(hanging.count == 2)
        }
    }

    private func mode(_ path: String) -> mode_t? {
        var file = stat()
        return lstat(path, &file) == 0 ? file.st_mode & 0o7777 : nil
    }
}
