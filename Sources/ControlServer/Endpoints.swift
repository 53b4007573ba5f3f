import ControlAPI
import FoundationEssentials
import HTTPTypes

extension RouteTable {
    /// The API of docs/api.md, answered by a controller.
    static func v1(_ controller: some Controller) -> RouteTable {
        RouteTable(routes: overview(controller) + servers(controller) + clients(controller) + system(controller))
    }

    private static func overview(_ controller: some Controller) -> [Route] {
        [
            Route(.get, "/status") { _ in try await controller.status() },
            Route(.get, "/services") { _ in ServiceList(services: try await controller.services()) },
            Route(.get, "/services/{name}") { try await controller.service(named: $0.names[0]) },
            Route(.get, "/counters") { _ in CounterList(counters: try await controller.counters()) },
        ]
    }

    private static func servers(_ controller: some Controller) -> [Route] {
        [
            Route(.get, "/services/{name}/servers") {
                ServerList(servers: try await controller.servers(of: $0.names[0]))
            },
            Route(.get, "/services/{name}/servers/{server}") {
                try await controller.server(named: $0.names[1], of: $0.names[0])
            },
            Route(.patch, "/services/{name}/servers/{server}") { request in
                let change = try serverChange(await request.body())
                let (service, server) = (request.names[0], request.names[1])
                _ = try await controller.server(named: server, of: service)
                return try await controller.change(server: server, of: service, to: change)
            },
        ]
    }

    private static func clients(_ controller: some Controller) -> [Route] {
        [
            Route(.get, "/flows", parameters: ["service", "server", "client", "limit", "count"]) { request in
                let filter = try filter(request.query, withServer: true)
                let limit = try request.query.number("limit", in: FlowLimit.range)
                let count = try request.query.flag("count")
                try await check(filter, controller)
                if count { return FlowCount(total: try await controller.flowCount(matching: filter)) }
                return try await controller.flows(matching: filter, limit: limit ?? FlowLimit.standard)
            },
            Route(.get, "/persistence", parameters: ["service", "client"]) { request in
                let filter = try filter(request.query, withServer: false)
                try await check(filter, controller)
                return PersistenceList(entries: try await controller.persistence(matching: filter))
            },
            Route(.delete, "/persistence", parameters: ["service", "client"]) { request in
                let filter = try filter(request.query, withServer: false)
                try await check(filter, controller)
                return Removal(removed: try await controller.clearPersistence(matching: filter))
            },
        ]
    }

    private static func system(_ controller: some Controller) -> [Route] {
        [
            Route(.get, "/config") { _ in try await controller.configuration() },
            Route(.post, "/config/check", parameters: ["file"]) { request in
                let (text, file) = try await configuration(request)
                return try await controller.checkConfiguration(text, file: file)
            },
            Route(.post, "/config/apply", parameters: ["file"]) { request in
                let (text, file) = try await configuration(request)
                return try await controller.applyConfiguration(text, file: file)
            },
            Route(.get, "/datapath") { _ in try await controller.dataPath() },
            Route(.delete, "/datapath") { _ in try await controller.detachDataPath() },
        ]
    }

    // MARK: Parts of requests

    private static func filter(_ query: Query, withServer: Bool) throws(APIProblem) -> ClientFilter {
        ClientFilter(
            service: try query.text("service"), server: withServer ? try query.text("server") : nil,
            client: try query.text("client"))
    }

    /// A misspelt name would match nothing, which looks like an idle service.
    private static func check(_ filter: ClientFilter, _ controller: some Controller) async throws {
        if let service = filter.service {
            if let server = filter.server {
                _ = try await controller.server(named: server, of: service)
            } else {
                _ = try await controller.service(named: service)
            }
        } else if let server = filter.server {
            let names = try await controller.services().flatMap(\.servers).map(\.name)
            guard names.contains(server) else {
                throw APIProblem.unknownServer(server, of: "any service", among: Array(Set(names)).sorted())
            }
        }
    }

    private static func configuration(_ request: ControlRequest) async throws -> (text: String?, file: String?) {
        let text = try await request.body()
        return (text.isEmpty ? nil : text, try request.query.text("file"))
    }

    private static func serverChange(_ body: String) throws(APIProblem) -> ServerChange {
        let keys: [String]
        let change: ServerChange
        do {
            keys = try JSONDecoder().decode([String: AnyValue].self, from: Data(body.utf8)).keys.sorted()
            change = try JSONDecoder().decode(ServerChange.self, from: Data(body.utf8))
        } catch {
            throw APIProblem(
                .badRequest, detail: "the body is not a change of a real server: \(explanation(error))",
                cure: #"send {"state": "drain"} or {"weight": 50} or {"weight": "configured"}"#)
        }
        for key in keys where key != "state" && key != "weight" {
            throw .badParameter(key, "a real server has no such key to change", cure: "there are: state, weight")
        }
        if let state = change.state, !ServerChange.states.contains(state) {
            throw .badParameter(
                "state", "\(state) is not a state", cure: "use \(ServerChange.states.joined(separator: ", "))")
        }
        if case .value(let weight) = change.weight, !ServerChange.weights.contains(weight) {
            throw .badParameter("weight", "\(weight) is out of range", cure: "use 0 to 65535, or configured")
        }
        guard change.state != nil || change.weight != nil else {
            throw APIProblem(.badRequest, detail: "the body changes nothing", cure: "give state or weight")
        }
        return change
    }

    private static func explanation(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        let context: DecodingError.Context
        switch error {
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .keyNotFound(_, let found),
            .dataCorrupted(let found):
            context = found
        @unknown default: return "\(error)"
        }
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
    }
}

/// Any JSON value, only its presence mattering.
private struct AnyValue: Decodable {
    init(from decoder: any Decoder) throws {}
}
