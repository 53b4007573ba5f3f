import ControlAPI
import ControlServer
import Foundation
import Logging
import ServiceLifecycle

/// A server of the fixture on a socket in a folder of its own, for the time of one test.
struct ServerHarness {
    let folder: String
    var socket: String { "\(folder)/run/admin.sock" }

    /// Runs the body in a fresh folder, which is removed afterwards.
    static func with(_ body: (ServerHarness) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "riptide-api-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(ServerHarness(folder: folder.path))
    }

    /// Serves while the body runs. Throws what either of them throws.
    func serve(
        _ controller: some Controller = FixtureController(), policy: PeerPolicy = .rootAndSelf,
        bodyLimit: Int = ControlSocket.largestRequest, _ body: (ControlClient) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let (opened, open) = AsyncStream.makeStream(of: Void.self)
        let server: any Service = ControlServer(
            socket: socket, controller: controller, policy: policy, bodyLimit: bodyLimit, logger: logger,
            ready: { open.yield() })
        let services = ServiceGroup(configuration: ServiceGroupConfiguration(services: [server], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { open.finish() }
                try await services.run()
            }
            guard await opened.first(where: { _ in true }) != nil else {
                // The server ended instead of opening its socket.
                return try await group.waitForAll()
            }
            do {
                try await ControlClient.with(socket: socket, timeout: .seconds(20), body)
            } catch {
                await services.triggerGracefulShutdown()
                throw error
            }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
        }
    }
}

/// Both of the above.
func withServer(
    _ controller: some Controller = FixtureController(), policy: PeerPolicy = .rootAndSelf,
    bodyLimit: Int = ControlSocket.largestRequest, _ body: (ControlClient, ServerHarness) async throws -> Void
) async throws {
    try await ServerHarness.with { harness in
        try await harness.serve(controller, policy: policy, bodyLimit: bodyLimit) { client in
            try await body(client, harness)
        }
    }
}

/// Runs the body, and answers with the error of the wanted type that it throws; `nil` when it throws none or another one.
func failure<Failure: Error>(_ type: Failure.Type, _ body: () async throws -> Void) async -> Failure? {
    do {
        try await body()
        return nil
    } catch {
        return error as? Failure
    }
}
