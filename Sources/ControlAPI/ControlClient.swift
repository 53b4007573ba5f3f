import AsyncHTTPClient
import FoundationEssentials
import Glibc
import NIOCore
import NIOHTTP1

/// Speaks to a daemon over its Unix socket.
///
/// Every request throws an `APIProblem` when the daemon refuses or fails it, and a `ControlFailure` when there is no usable
/// answer. Requests may run at the same time.
package struct ControlClient: Sendable {
    /// The socket's path.
    package let socket: String
    private let http: HTTPClient
    private let timeout: TimeAmount

    /// Runs `body` with a client for the socket at `path`; its connections are closed when `body` ends.
    ///
    /// - Parameter timeout: For one request, from the connection to the last byte of the answer.
    package static func with<Result: Sendable>(
        socket path: String, timeout: Duration = .seconds(60),
        _ body: (ControlClient) async throws -> Result
    ) async throws -> Result {
        guard path.utf8.count <= ControlSocket.longestPath else {
            throw ControlFailure(
                .unreachable, message: "connect to \(path): the path is longer than a socket's may be",
                cure: "use a path of at most \(ControlSocket.longestPath) bytes", errno: ENAMETOOLONG)
        }
        var configuration = HTTPClient.Configuration()
        // A daemon that is not there is reported at once.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.redirectConfiguration = .disallow
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let client = ControlClient(socket: path, http: http, timeout: TimeAmount(timeout))
        let result: Result
        do {
            result = try await body(client)
        } catch {
            // The error of the work matters more than one of closing.
            try? await http.shutdown()
            throw error
        }
        try await http.shutdown()
        return result
    }

    // MARK: Requests

    package func status() async throws -> Status { try await get(["status"]) }

    package func services() async throws -> [ServiceStatus] {
        try await get(["services"], as: ServiceList.self).services
    }

    package func service(_ name: String) async throws -> ServiceStatus { try await get(["services", name]) }

    package func servers(of service: String) async throws -> [ServerStatus] {
        try await get(["services", service, "servers"], as: ServerList.self).servers
    }

    package func server(_ name: String, of service: String) async throws -> ServerStatus {
        try await get(["services", service, "servers", name])
    }

    /// Changes a real server's state or weight, and answers with what is then in force.
    package func change(_ server: String, of service: String, _ change: ServerChange) async throws -> ServerStatus {
        let body = try JSONEncoder().encode(change)
        return try await send(
            .PATCH, ControlPath(["services", service, "servers", server]), body: ByteBuffer(bytes: body),
            type: "application/json")
    }

    /// - Parameter limit: How many flows to list at most; `nil` leaves it to the daemon.
    package func flows(_ filter: ClientFilter = ClientFilter(), limit: Int? = nil) async throws -> FlowPage {
        let query = Self.query(filter) + [(name: "limit", value: limit.map(String.init))]
        return try await send(.GET, ControlPath(["flows"], query: query))
    }

    package func flowCount(_ filter: ClientFilter = ClientFilter()) async throws -> Int {
        let query = Self.query(filter) + [(name: "count", value: "true")]
        return try await send(.GET, ControlPath(["flows"], query: query), as: FlowCount.self).total
    }

    package func persistence(_ filter: ClientFilter = ClientFilter()) async throws -> [PersistenceEntry] {
        let path = ControlPath(["persistence"], query: Self.query(filter))
        return try await send(.GET, path, as: PersistenceList.self).entries
    }

    /// Forgets remembered clients, and answers with how many they were.
    package func clearPersistence(_ filter: ClientFilter = ClientFilter()) async throws -> Int {
        let path = ControlPath(["persistence"], query: Self.query(filter))
        return try await send(.DELETE, path, as: Removal.self).removed
    }

    package func counters() async throws -> [Counter] {
        try await get(["counters"], as: CounterList.self).counters
    }

    package func configuration() async throws -> ConfigurationText { try await get(["config"]) }

    /// - Parameters:
    ///   - text: YAML; `nil` is the daemon's own file.
    ///   - file: The name to use in diagnostics.
    package func checkConfiguration(_ text: String? = nil, file: String? = nil) async throws -> ConfigReport {
        try await send(
            .POST, ControlPath(["config", "check"], query: [(name: "file", value: file)]),
            body: ByteBuffer(string: text ?? ""), type: "application/yaml")
    }

    /// Like `checkConfiguration`, and puts the configuration in force. With errors nothing is applied: the problem that is
    /// thrown carries the diagnostics.
    package func applyConfiguration(_ text: String? = nil, file: String? = nil) async throws -> ApplyReport {
        try await send(
            .POST, ControlPath(["config", "apply"], query: [(name: "file", value: file)]),
            body: ByteBuffer(string: text ?? ""), type: "application/yaml")
    }

    package func dataPath() async throws -> DataPathStatus { try await get(["datapath"]) }

    /// Takes the data path off the interfaces, and answers with what is left.
    package func detachDataPath() async throws -> DataPathStatus { try await send(.DELETE, ControlPath(["datapath"])) }

    // MARK: The exchange

    private static func query(_ filter: ClientFilter) -> [(name: String, value: String?)] {
        [(name: "service", value: filter.service), (name: "server", value: filter.server),
            (name: "client", value: filter.client)]
    }

    private func get<Answer: Decodable>(_ segments: [String], as type: Answer.Type = Answer.self) async throws -> Answer {
        try await send(.GET, ControlPath(segments), as: type)
    }

    private func send<Answer: Decodable>(
        _ method: HTTPMethod, _ path: ControlPath, body: ByteBuffer? = nil, type: String? = nil,
        as answer: Answer.Type = Answer.self
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: "http+unix://\(ControlPath.encode(socket))\(path.text)")
        request.method = method
        // The default would be the encoded path of the socket.
        request.headers.add(name: "host", value: "riptide")
        request.headers.add(name: "accept", value: "application/json")
        if let type { request.headers.add(name: "content-type", value: type) }
        if let body { request.body = .bytes(body) }

        let operation = "\(method.rawValue) \(path.text)"
        let status: Int
        let bytes: ByteBuffer
        do {
            let response = try await http.execute(request, timeout: timeout)
            status = Int(response.status.code)
            bytes = try await response.body.collect(upTo: ControlSocket.largestAnswer)
        } catch let error as CancellationError {
            throw error
        } catch {
            throw failure(operation, error)
        }
        if (200..<300).contains(status) {
            return try decode(answer, from: bytes, operation)
        }
        guard let problem = try? JSONDecoder().decode(APIProblem.self, from: Data(bytes.readableBytesView)) else {
            throw ControlFailure(
                .unreadable, message: "\(operation): \(socket) answered with status \(status) and no explanation",
                cure: "see that the socket is riptided's, of this version")
        }
        throw problem
    }

    private func decode<Answer: Decodable>(
        _ type: Answer.Type, from bytes: ByteBuffer, _ operation: String
    ) throws -> Answer {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes.readableBytesView))
        } catch {
            throw ControlFailure(
                .unreadable, message: "\(operation): the answer of \(socket) is not understood: \(error)",
                cure: "see that riptided is of this version, \(Release.version)")
        }
    }

    private func failure(_ operation: String, _ error: any Error) -> ControlFailure {
        guard let system = error as? IOError else {
            return ControlFailure(
                .interrupted, message: "\(operation): no complete answer came from \(socket): \(error)",
                cure: "see riptided's log")
        }
        let number = system.errnoCode
        let reason = String(cString: strerror(number))
        switch number {
        case ENOENT, ECONNREFUSED, ENOTDIR:
            let what = number == ECONNREFUSED ? "no daemon listens there" : "there is no such socket"
            return ControlFailure(
                .unreachable, message: "connect to \(socket): \(what)",
                cure: "start it: systemctl start riptided, or riptided --config FILE --socket \(socket)",
                errno: number)
        case EACCES, EPERM:
            return ControlFailure(
                .unreachable, message: "connect to \(socket): permission denied",
                cure: "run this as root, or as the daemon's user", errno: number)
        default:
            return ControlFailure(
                .interrupted, message: "\(operation): exchange with \(socket): \(reason)",
                cure: "see riptided's log", errno: number)
        }
    }
}
