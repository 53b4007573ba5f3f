import FoundationEssentials
import LoadBalancing

/// What operators have set apart from the configuration: states and weights of real servers. Kept over restarts.
struct AdministrativeStates: Codable, Equatable {
    struct Override: Codable, Equatable {
        /// An `AdministrativeState`; `nil`: as configured.
        var state: String?
        /// `nil`: as configured.
        var weight: Int?

        var isEmpty: Bool { state == nil && weight == nil }
    }

    /// By service, then by real server.
    private(set) var overrides: [String: [String: Override]] = [:]

    subscript(service: String, server: String) -> Override {
        get { overrides[service]?[server] ?? Override() }
        set {
            overrides[service, default: [:]][server] = newValue.isEmpty ? nil : newValue
            if overrides[service]?.isEmpty == true { overrides[service] = nil }
        }
    }

    /// The services with what is in effect in place of what is configured.
    func applied(to services: [VirtualService]) -> [VirtualService] {
        services.map { service in
            guard let changes = overrides[service.name] else { return service }
            var service = service
            for index in service.servers.indices {
                guard let change = changes[service.servers[index].name] else { continue }
                if let state = change.state.flatMap(AdministrativeState.init) { service.servers[index].state = state }
                if let weight = change.weight { service.servers[index].weight = weight }
            }
            return service
        }
    }

    /// Forgets what concerns servers that no longer are.
    mutating func prune(to services: [VirtualService]) {
        let servers = Dictionary(services.map { ($0.name, Set($0.servers.map(\.name))) }) { a, _ in a }
        overrides = overrides.reduce(into: [:]) { kept, entry in
            let left = entry.value.filter { servers[entry.key]?.contains($0.key) == true }
            if !left.isEmpty { kept[entry.key] = left }
        }
    }

    static func read(from file: StateFile) throws -> AdministrativeStates {
        guard let text = try file.read() else { return AdministrativeStates() }
        do {
            return try JSONDecoder().decode(AdministrativeStates.self, from: Data(text.utf8))
        } catch {
            throw DaemonError("cannot understand \(file.path): \(error); remove the file to forget drains, halts and weights")
        }
    }

    func write(to file: StateFile) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try file.write(String(decoding: try encoder.encode(self), as: UTF8.self) + "\n")
    }
}
