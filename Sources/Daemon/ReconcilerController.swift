import ControlAPI
import ControlServer
import DataPlane
import LoadBalancing
import NetworkTypes
import RiptideConfiguration

// The control API, answered by the reconciler.

extension Reconciler: Controller {
    func status() throws -> Status { try statusReport() }

    func services() throws -> [ServiceStatus] { try serviceReports() }

    func service(named name: String) throws -> ServiceStatus {
        guard let service = try serviceReports(only: name).first else {
            throw APIProblem.unknownService(name, among: current.services.map(\.name))
        }
        return service
    }

    func change(server: String, of service: String, to change: ServerChange) throws -> ServerStatus {
        guard let owner = current.services.first(where: { $0.name == service }) else {
            throw APIProblem.unknownService(service, among: current.services.map(\.name))
        }
        guard let configured = owner.servers.first(where: { $0.name == server }) else {
            throw APIProblem.unknownServer(server, of: service, among: owner.servers.map(\.name))
        }
        var override = administrative[service, server]
        if let state = change.state {
            // What equals the configuration is no exception from it.
            override.state = state == configured.state.rawValue ? nil : state
        }
        switch change.weight {
        case .value(let weight): override.weight = weight == configured.weight ? nil : weight
        case .configured: override.weight = nil
        case nil: break
        }
        try self.change(override, service: service, server: server)
        return try self.service(named: service).servers.first { $0.name == server }!
    }

    func flows(matching filter: ClientFilter, limit: Int) throws -> FlowPage {
        let (total, records) = try dataPlane.flows(try flowFilter(filter), limit: limit)
        let flows = records.sorted { ($0.client, $0.clientPort) < ($1.client, $1.clientPort) }.map { record in
            Flow(
                client: "\(record.client)", clientPort: Int(record.clientPort), address: "\(record.address)",
                port: Int(record.port), protocol: "\(record.transport)", service: record.service ?? "(removed)",
                server: record.server ?? "(removed)", state: record.state.rawValue,
                ageSeconds: Int(record.age.components.seconds), idleSeconds: Int(record.idle.components.seconds),
                packets: Int(clamping: record.packets), bytes: Int(clamping: record.bytes),
                answerPackets: Int(clamping: record.answerPackets), answerBytes: Int(clamping: record.answerBytes),
                seenAs: record.inside.flatMap { $0.source == record.client ? nil : endpoint($0.source, $0.sourcePort) })
        }
        return FlowPage(total: total, flows: flows, truncated: total > flows.count)
    }

    func flowCount(matching filter: ClientFilter) throws -> Int {
        try dataPlane.flows(try flowFilter(filter), limit: 0).total
    }

    func persistence(matching filter: ClientFilter) throws -> [PersistenceEntry] {
        try dataPlane.persistence(try flowFilter(filter))
            .sorted { ($0.service, $0.client.address) < ($1.service, $1.client.address) }
            .map {
                PersistenceEntry(
                    service: $0.service, client: "\($0.client)", server: $0.server,
                    secondsLeft: Int($0.left.components.seconds))
            }
    }

    func clearPersistence(matching filter: ClientFilter) throws -> Int {
        try dataPlane.clearPersistence(try flowFilter(filter))
    }

    private func flowFilter(_ filter: ClientFilter) throws -> FlowFilter {
        let client = try filter.client.map { text in
            guard let prefix = Prefix(text) else {
                throw APIProblem.badParameter(
                    "client", "'\(text)' is neither an address nor a prefix", cure: "write 192.0.2.7 or 192.0.2.0/24")
            }
            return prefix
        }
        return FlowFilter(service: filter.service, server: filter.server, client: client)
    }

    func counters() throws -> [ControlAPI.Counter] {
        try dataPlane.counters().map {
            ControlAPI.Counter(
                name: $0.name, value: Int(clamping: $0.packets), kind: $0.kind.rawValue, text: $0.text,
                expected: $0.isExpected)
        }
    }

    func configuration() -> ConfigurationText {
        ConfigurationText(
            file: options.configuration, text: currentText, revision: fingerprint(of: currentText))
    }

    func checkConfiguration(_ text: String?, file: String?) throws -> ConfigReport {
        ConfigReport(read(try text ?? ownFile(), file: file ?? options.configuration))
    }

    func applyConfiguration(_ text: String?, file: String?) throws -> ApplyReport {
        // What stands in the daemon's own file need not be written there.
        let isNew = text != nil
        let text = try text ?? ownFile()
        let result = read(text, file: file ?? options.configuration)
        let report = ConfigReport(result)
        guard let fresh = result.configuration else { throw APIProblem.invalidConfiguration(report) }
        let before = current
        let writes: MapWrites
        do {
            writes = try apply(fresh, text: text, save: isNew)
        } catch {
            throw APIProblem(
                .failed, detail: "the configuration was not applied, and the one before is in force: \(error)")
        }
        let (old, new) = (Self.byName(before.services), Self.byName(fresh.services))
        return ApplyReport(
            changed: before != fresh || writes.total > 0, report: report,
            servicesAdded: fresh.services.map(\.name).filter { old[$0] == nil },
            servicesChanged: fresh.services.map(\.name).filter { old[$0] != nil && old[$0] != new[$0] },
            servicesRemoved: before.services.map(\.name).filter { new[$0] == nil }, mapWrites: writes.total)
    }

    private static func byName(_ services: [VirtualService]) -> [String: VirtualService] {
        Dictionary(services.map { ($0.name, $0) }) { first, _ in first }
    }

    private func ownFile() throws -> String {
        guard let text = try StateFile(path: options.configuration).read() else {
            throw APIProblem(
                .conflict, detail: "the file \(options.configuration) is gone",
                cure: "write it again, or apply another: riptide config apply FILE")
        }
        return text
    }

    func dataPath() -> DataPathStatus { dataPathReport() }

    func detachDataPath() throws -> DataPathStatus {
        try detach()
        return dataPathReport()
    }
}

/// RFC 3986 has brackets around an IPv6 address.
private func endpoint(_ address: IPAddress, _ port: UInt16) -> String {
    address.family == .ipv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
}
