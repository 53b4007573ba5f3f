import ControlAPI
import ControlServer
import Synchronization

/// A daemon without a data path: answers from values, and remembers what it was asked for.
final class FixtureController: Controller {
    struct State {
        var services: [ServiceStatus]
        var changes: [ServerChange] = []
        var filters: [ClientFilter] = []
        var limits: [Int] = []
        var texts: [String?] = []
        var files: [String?] = []
        var detached = false
    }

    /// What a controller may throw besides a problem.
    struct Breakdown: Error, CustomStringConvertible {
        var description: String { "map write: no space left on device (ENOSPC)" }
    }

    let state: Mutex<State>

    init(services: [ServiceStatus] = Fixture.services) { state = Mutex(State(services: services)) }

    func status() -> Status { Fixture.status(services: services()) }

    func services() -> [ServiceStatus] { state.withLock { $0.services } }

    func change(server: String, of service: String, to change: ServerChange) throws -> ServerStatus {
        try state.withLock { state in
            state.changes.append(change)
            let first = state.services.firstIndex { $0.name == service }
            let second = first.flatMap { index in state.services[index].servers.firstIndex { $0.name == server } }
            guard let first, let second else { throw Breakdown() }
            var status = state.services[first].servers[second]
            if let wanted = change.state {
                status.state = wanted
                status.administrativeState = wanted
                status.colour = wanted == "online" ? "green" : "blue"
                status.reason = wanted == "online" ? "" : "set by an operator"
            }
            switch change.weight {
            case .value(let weight): status.weight = weight
            case .configured: status.weight = status.configuredWeight
            case nil: break
            }
            state.services[first].servers[second] = status
            return status
        }
    }

    func flows(matching filter: ClientFilter, limit: Int) throws -> FlowPage {
        if let client = filter.client, !client.contains(".") && !client.contains(":") {
            throw APIProblem.badParameter("client", "\(client) is neither an address nor a prefix")
        }
        state.withLock {
            $0.filters.append(filter)
            $0.limits.append(limit)
        }
        return FlowPage(total: 2_345, flows: [Fixture.flow], truncated: true)
    }

    func flowCount(matching filter: ClientFilter) -> Int {
        state.withLock { $0.filters.append(filter) }
        return 2_345
    }

    func persistence(matching filter: ClientFilter) -> [PersistenceEntry] {
        state.withLock { $0.filters.append(filter) }
        return [Fixture.entry]
    }

    func clearPersistence(matching filter: ClientFilter) -> Int {
        state.withLock { $0.filters.append(filter) }
        return 7
    }

    func counters() -> [Counter] { Fixture.counters }

    func configuration() -> ConfigurationText {
        ConfigurationText(file: "/etc/riptide/riptide.yaml", text: "version: 1\n", revision: "ab12cd34")
    }

    func checkConfiguration(_ text: String?, file: String?) -> ConfigReport {
        state.withLock {
            $0.texts.append(text)
            $0.files.append(file)
        }
        return Fixture.report(text)
    }

    func applyConfiguration(_ text: String?, file: String?) throws -> ApplyReport {
        let report = checkConfiguration(text, file: file)
        guard report.valid else { throw APIProblem.invalidConfiguration(report) }
        if text == "version: 1 # breaks\n" { throw Breakdown() }
        return ApplyReport(
            changed: true, report: report, servicesAdded: ["New"], servicesChanged: ["Web"], servicesRemoved: [],
            mapWrites: 42)
    }

    func dataPath() -> DataPathStatus {
        var dataPath = Fixture.dataPath
        if state.withLock({ $0.detached }) { dataPath.attached = [] }
        return dataPath
    }

    func detachDataPath() -> DataPathStatus {
        state.withLock { $0.detached = true }
        return dataPath()
    }
}

/// Values that have something in every place.
enum Fixture {
    static let services = [
        ServiceStatus(
            name: "Harmonic_Traffic", address: "192.168.94.110", ports: "554,1935,50000-65535", protocol: "tcp/udp",
            mode: "dr", scheduler: "wlc", persistence: PersistenceSettings(prefix: 32, timeoutSeconds: 300),
            colour: "yellow", connections: 1_204, packets: 1_000_000, bytes: 1_500_000_000, newConnections: 5_000,
            refused: 3,
            servers: [
                ServerStatus(
                    name: "HT1", address: "192.168.94.115", weight: 100, configuredWeight: 100, state: "online",
                    configuredState: "online", health: "up", colour: "green", connections: 1_202,
                    newConnections: 4_000, packets: 900_000, bytes: 1_400_000_000, mac: "02:00:00:00:00:15",
                    interface: "eth0", neighbour: "reachable"),
                ServerStatus(
                    name: "HT2", address: "192.168.94.116", weight: 50, configuredWeight: 100, state: "online",
                    configuredState: "online", administrativeState: "online", health: "down", colour: "red",
                    reason: "no answer to ARP", connections: 2, neighbour: "missing"),
            ]),
        ServiceStatus(
            name: "Web", address: "2001:db8::80", ports: "80,443", protocol: "tcp", mode: "dr", scheduler: "maglev",
            persistence: nil, colour: "green", connections: 0,
            servers: [
                ServerStatus(
                    name: "web1", address: "2001:db8::1", weight: 100, configuredWeight: 100, state: "online",
                    configuredState: "online", health: "up", colour: "green", neighbour: "stale")
            ]),
    ]

    static let dataPath = DataPathStatus(
        attached: [
            InterfaceAttachment(interface: "eth0", mode: "native", wanted: "auto", programID: 17),
            InterfaceAttachment(
                interface: "eth1", mode: "generic", wanted: "auto", programID: 17, note: "the driver has no XDP"),
        ],
        bpffs: "/sys/fs/bpf/riptide", layoutVersion: 1,
        flows: TableUse(used: 1_234, capacity: 524_288, memoryBytes: 67_108_864),
        persistence: TableUse(used: 12, capacity: 65_536, memoryBytes: 4_194_304),
        timeouts: FlowTimeouts(tcpEstablishedSeconds: 900, tcpFinSeconds: 120, tcpSynSeconds: 60, udpSeconds: 300))

    static func status(services: [ServiceStatus] = services) -> Status {
        Status(
            node: NodeStatus(
                name: "lb1", version: "0.1.0", role: "single", active: true, uptimeSeconds: 273_600, pid: 4_711),
            configuration: ConfigurationStatus(
                file: "/etc/riptide/riptide.yaml", revision: "ab12cd34", loadedAt: "2026-01-02T03:04:05Z"),
            dataPath: dataPath, services: services, warnings: ["eth1 runs in generic mode."])
    }

    static let flow = Flow(
        client: "2001:db8::7", clientPort: 40_000, address: "2001:db8::80", port: 443, protocol: "tcp", service: "Web",
        server: "web1", state: "established", ageSeconds: 65, idleSeconds: 1, packets: 12, bytes: 3_456)

    static let entry = PersistenceEntry(
        service: "Harmonic_Traffic", client: "192.0.2.7/32", server: "HT1", secondsLeft: 299)

    static let counters = [
        Counter(name: "forwarded_dr", value: 1_000_000, kind: "forward", text: "to a real server", expected: true),
        Counter(name: "no_service", value: 20, kind: "pass", text: "not for a virtual service", expected: true),
        Counter(name: "no_server", value: 3, kind: "drop", text: "no real server could take it", expected: false),
        Counter(name: "malformed", value: 0, kind: "drop", text: "a header was cut short", expected: false),
        Counter(name: "reset_sent", value: 5, kind: "reply", text: "refused with a reset", expected: true),
    ]

    /// Invalid when the text has the word `wrong`.
    static func report(_ text: String?) -> ConfigReport {
        guard let text, text.contains("wrong") else { return ConfigReport(valid: true, diagnostics: []) }
        return ConfigReport(
            valid: false,
            diagnostics: [
                ConfigDiagnostic(
                    severity: "error", file: "f.yaml", line: 3, column: 5, path: "services[0].ports",
                    message: "wrong is not a port", cure: "write a number from 1 to 65535")
            ])
    }
}
