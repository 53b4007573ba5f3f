package import ControlAPI

/// What the control API asks of the daemon, one method for each endpoint.
///
/// An `APIProblem` that a method throws is answered as it is; any other error becomes a 500 with the error's description.
/// Methods may be called at the same time. The server has checked names of services and real servers, in paths and in
/// filters, before it calls, but a configuration may change in between.
package protocol Controller: Sendable {
    func status() async throws -> Status
    func services() async throws -> [ServiceStatus]
    /// Throws `.unknownService` with a suggestion.
    func service(named name: String) async throws -> ServiceStatus
    /// Throws `.unknownService` with a suggestion.
    func servers(of service: String) async throws -> [ServerStatus]
    /// Throws `.unknownService` or `.unknownServer` with a suggestion.
    func server(named name: String, of service: String) async throws -> ServerStatus
    /// - Parameter change: Asks for at least one thing; its values are in range.
    func change(server: String, of service: String, to change: ServerChange) async throws -> ServerStatus

    /// - Parameters:
    ///   - filter: `client` is as the user wrote it: throw `.badParameter("client", …)` when it is no address or prefix.
    ///   - limit: In `FlowLimit.range`.
    func flows(matching filter: ClientFilter, limit: Int) async throws -> FlowPage
    func flowCount(matching filter: ClientFilter) async throws -> Int
    func persistence(matching filter: ClientFilter) async throws -> [PersistenceEntry]
    /// The number of entries removed. An empty filter matches all.
    func clearPersistence(matching filter: ClientFilter) async throws -> Int
    func counters() async throws -> [Counter]

    func configuration() async throws -> ConfigurationText
    /// - Parameters:
    ///   - text: YAML; `nil` is the daemon's own file, read anew.
    ///   - file: The name to use in diagnostics; `nil` is for the daemon to choose.
    func checkConfiguration(_ text: String?, file: String?) async throws -> ConfigReport
    /// Throws `APIProblem.invalidConfiguration` when there are errors, with nothing applied. Parameters as for checking.
    func applyConfiguration(_ text: String?, file: String?) async throws -> ApplyReport

    func dataPath() async throws -> DataPathStatus
    /// Takes the data path off all interfaces, and answers with what is left.
    func detachDataPath() async throws -> DataPathStatus
}

extension Controller {
    package func service(named name: String) async throws -> ServiceStatus {
        let services = try await services()
        guard let service = services.first(where: { $0.name == name }) else {
            throw APIProblem.unknownService(name, among: services.map(\.name))
        }
        return service
    }

    package func servers(of service: String) async throws -> [ServerStatus] {
        try await self.service(named: service).servers
    }

    package func server(named name: String, of service: String) async throws -> ServerStatus {
        let servers = try await servers(of: service)
        guard let server = servers.first(where: { $0.name == name }) else {
            throw APIProblem.unknownServer(name, of: service, among: servers.map(\.name))
        }
        return server
    }
}
