import ControlAPI
import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Serves the control API of a controller on a Unix socket.
///
/// The socket is private: mode 0600, in a folder that is made with mode 0700 if it is missing, and each request's user is
/// checked as the kernel tells it. The socket of a dead daemon is replaced, that of a live one is left alone with an error.
/// The socket's file is removed when the service ends.
package struct ControlServer: Service {
    private let file: SocketFile
    private let responder: ControlResponder
    private let logger: Logger
    private let ready: @Sendable () async -> Void

    /// - Parameters:
    ///   - path: Of the socket.
    ///   - policy: Who may use it.
    ///   - bodyLimit: In bytes; larger ones are refused with 413.
    ///   - ready: Called once, when the socket takes connections.
    package init(
        socket path: String, controller: some Controller, policy: PeerPolicy = .rootAndSelf,
        bodyLimit: Int = ControlSocket.largestRequest, logger: Logger,
        ready: @escaping @Sendable () async -> Void = {}
    ) {
        self.file = SocketFile(path: path)
        self.responder = ControlResponder(
            routes: .v1(controller), policy: policy, bodyLimit: bodyLimit, logger: logger)
        self.logger = logger
        self.ready = ready
    }

    /// Serves until a graceful shutdown. Throws a `ControlServerError` when the socket cannot be made.
    package func run() async throws {
        try file.prepare(longestPath: ControlSocket.longestPath)
        // The framework's own messages are about sockets in general; this module logs what matters here.
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let restriction = Mutex<ControlServerError?>(nil)
        let application = Application(
            responder: responder,
            configuration: ApplicationConfiguration(address: .unixDomainSocket(path: file.path)),
            onServerRunning: { [file, logger, ready] channel in
                do throws(ControlServerError) {
                    try file.restrict()
                } catch {
                    restriction.withLock { $0 = error }
                    channel.close(promise: nil)
                    return
                }
                logger.info("control socket open", metadata: ["path": "\(file.path)"])
                await ready()
            },
            logger: quiet)
        try await serve(application)
        if let error = restriction.withLock({ $0 }) { throw error }
        logger.info("control socket closed", metadata: ["path": "\(file.path)"])
    }

    /// Ends gracefully, unless clients keep it from doing so: those that hang are cut after a while.
    private func serve(_ application: some Service) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                try await gracefulShutdown()
                try await Task.sleep(for: Self.patience)
            }
            // The application ended, or patience did; in either case the other one is not needed.
            try await group.next()
            group.cancelAll()
            do {
                try await group.waitForAll()
            } catch is CancellationError {}
        }
    }

    /// How long a request may take on after the shutdown began.
    private static let patience = Duration.seconds(2)
}
