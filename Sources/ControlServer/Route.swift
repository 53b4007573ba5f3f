import ControlAPI
import HTTPTypes

/// One request as the handlers see it.
struct ControlRequest: Sendable {
    /// The names in the path, in order, decoded.
    var names: [String]
    var query: Query
    var body: @Sendable () async throws -> String
}

/// One endpoint.
struct Route: Sendable {
    var method: HTTPRequest.Method
    /// Segments after `/v1`; `nil` stands for a name.
    var segments: [String?]
    var parameters: [String]
    var handle: @Sendable (ControlRequest) async throws -> any Encodable & Sendable

    /// - Parameter path: As documented: `/services/{name}`.
    init(
        _ method: HTTPRequest.Method, _ path: String, parameters: [String] = [],
        handle: @escaping @Sendable (ControlRequest) async throws -> any Encodable & Sendable
    ) {
        self.method = method
        self.segments = path.split(separator: "/").map { $0.hasPrefix("{") ? nil : String($0) }
        self.parameters = parameters
        self.handle = handle
    }

    /// The names in a path that this route is for; `nil` when it is not.
    func names(in path: [String]) -> [String]? {
        guard path.count == segments.count else { return nil }
        var names: [String] = []
        for (segment, text) in zip(segments, path) {
            if let segment {
                guard segment == text else { return nil }
            } else {
                names.append(text)
            }
        }
        return names
    }
}

/// All endpoints, and the choice among them.
struct RouteTable: Sendable {
    var routes: [Route]

    /// The route for a request and the names in its path.
    ///
    /// - Parameter path: Still encoded.
    func route(_ method: HTTPRequest.Method, _ path: String) throws(APIProblem) -> (route: Route, names: [String]) {
        var segments: [String] = []
        for segment in path.split(separator: "/") {
            guard let decoded = ControlPath.decode(segment) else {
                throw APIProblem(.badRequest, detail: "the path \(path) is not percent-encoded UTF-8")
            }
            segments.append(decoded)
        }
        guard segments.first == "v1" else { throw Self.unknown(path) }
        segments.removeFirst()

        var methods: [String] = []
        for route in routes {
            guard let names = route.names(in: segments) else { continue }
            if route.method == method { return (route, names) }
            methods.append(route.method.rawValue)
        }
        guard methods.isEmpty else {
            throw APIProblem(
                .wrongMethod, detail: "\(path) does not take \(method.rawValue)",
                cure: "use \(methods.joined(separator: " or "))")
        }
        throw Self.unknown(path)
    }

    /// The methods that a path takes, for the header `Allow`.
    func methods(_ path: String) -> [String] {
        let segments = path.split(separator: "/").dropFirst().compactMap(ControlPath.decode)
        return routes.filter { $0.names(in: segments) != nil }.map(\.method.rawValue)
    }

    private static func unknown(_ path: String) -> APIProblem {
        APIProblem(.unknownPath, detail: "there is nothing at \(path)", cure: "see docs/api.md; all paths begin with /v1/")
    }
}
