import ControlAPI
import DataPlane
import FoundationEssentials
import Glibc
import LinuxSystem
import LoadBalancing
import NetworkTypes
import RiptideConfiguration

// What the daemon knows, in the words of the control API.

extension Reconciler {
    func statusReport() throws -> Status {
        Status(
            node: NodeStatus(
                name: current.node.name, version: Release.version, role: "single",
                active: dataPlane.isActive, uptimeSeconds: Int((ContinuousClock.now - started).components.seconds),
                pid: Int(getpid())),
            configuration: ConfigurationStatus(
                file: options.configuration, revision: fingerprint(of: currentText),
                loadedAt: loadedAt.formatted(.iso8601)),
            dataPath: dataPathReport(), services: try serviceReports(), warnings: warnings())
    }

    private func warnings() -> [String] {
        var warnings: [String] = []
        if isDetached { warnings.append("The data plane is detached: 'riptide config apply' attaches it again.") }
        for (name, state) in attachments.sorted(by: { $0.key < $1.key }) {
            switch state {
            case .failed(let reason): warnings.append("\(name) is not attached: \(reason).")
            case .missing: warnings.append("There is no interface \(name): it is used when it appears.")
            case .attached(let attachment, _):
                if let note = attachment.note { warnings.append("\(name) runs in \(attachment.mode) mode: \(note).") }
            }
        }
        if let sweep = lastSweep {
            let capacity = dataPlane.flowTable.capacity
            if sweep.flows * 5 >= capacity * 4 {
                warnings.append(
                    "The flow table is \(sweep.flows * 100 / capacity) % full: when it is full, the longest idle flow is "
                        + "forgotten for each new one. Set datapath.flows higher.")
            }
        }
        if let sweep = lastSweep, sweep.evictedFlows > 0 {
            warnings.append(
                "\(sweep.evictedFlows) flows have made way for others in a full table since it was made. "
                    + "Set datapath.flows higher.")
        }
        for (interface, advice) in offloadAdvice.sorted(by: { $0.key < $1.key }) where translates {
            warnings.append("\(interface): \(advice)")
        }
        return warnings
    }

    private var translates: Bool { current.services.contains { $0.mode == .nat || $0.mode == .snat } }

    func dataPathReport() -> DataPathStatus {
        func use(_ used: Int?, _ table: TableSize) -> TableUse {
            TableUse(used: used ?? 0, capacity: table.capacity, memoryBytes: table.memoryBytes)
        }
        func seconds(_ duration: Duration) -> Int { Int(duration.components.seconds) }
        let timeouts = current.dataPath.timeouts
        return DataPathStatus(
            attached: current.interfaces.map { interface in
                switch attachments[interface.name] {
                case .attached(let attachment, _):
                    InterfaceAttachment(
                        interface: interface.name, mode: attachment.mode, wanted: interface.xdp.rawValue,
                        programID: Int(dataPlane.programID), note: attachment.note ?? "")
                case .failed(let reason):
                    InterfaceAttachment(
                        interface: interface.name, mode: "none", wanted: interface.xdp.rawValue, note: reason)
                case .missing:
                    InterfaceAttachment(
                        interface: interface.name, mode: "none", wanted: interface.xdp.rawValue,
                        note: "there is no such interface")
                case nil:
                    InterfaceAttachment(
                        interface: interface.name, mode: "none", wanted: interface.xdp.rawValue, note: "detached")
                }
            },
            bpffs: dataPlane.pins.maps, layoutVersion: dataPlane.pins.layoutVersion,
            flows: use(lastSweep?.flows, dataPlane.flowTable),
            persistence: use(lastSweep?.persistence, dataPlane.persistenceTable),
            timeouts: FlowTimeouts(
                tcpEstablishedSeconds: seconds(timeouts.tcpEstablished), tcpFinSeconds: seconds(timeouts.tcpFin),
                tcpSynSeconds: seconds(timeouts.tcpSyn), udpSeconds: seconds(timeouts.udp)))
    }

    func serviceReports(only name: String? = nil) throws -> [ServiceStatus] {
        let statistics = try dataPlane.statistics(service: name)
        let network = monitor.snapshot
        hasGarbage = true
        return current.services.filter { name == nil || $0.name == name }.map { service in
            report(service, statistics[service.name] ?? ServiceStatistics(), network)
        }
    }

    private func report(
        _ service: VirtualService, _ statistics: ServiceStatistics, _ network: NetworkState
    ) -> ServiceStatus {
        let effective = administrative.applied(to: [service])[0]
        let servers = zip(service.servers, effective.servers).map { configured, effective in
            report(
                configured, effective: effective, of: service,
                statistics.servers[configured.name] ?? ServerStatistics(), network)
        }
        func sum(_ path: KeyPath<ServerStatus, Int>) -> Int { servers.reduce(0) { $0 + $1[keyPath: path] } }
        return ServiceStatus(
            name: service.name, address: "\(service.address)", ports: "\(service.ports)",
            protocol: service.protocols.listed, mode: service.mode.rawValue, scheduler: service.scheduler.rawValue,
            persistence: service.persistence.map {
                PersistenceSettings(prefix: $0.prefix, timeoutSeconds: Int($0.timeout.components.seconds))
            },
            colour: Colour.ofService(servers: servers.compactMap { Colour(rawValue: $0.colour) }).rawValue,
            connections: sum(\.connections), packets: sum(\.packets), bytes: sum(\.bytes),
            newConnections: sum(\.newConnections), refused: Int(clamping: statistics.refused),
            answerPackets: statistics.servers.values.reduce(0) { $0 + Int(clamping: $1.answerPackets) },
            answerBytes: statistics.servers.values.reduce(0) { $0 + Int(clamping: $1.answerBytes) },
            sourcePorts: sourcePortUse(service, statistics), servers: servers)
    }

    private func sourcePortUse(_ service: VirtualService, _ statistics: ServiceStatistics) -> SourcePortUse? {
        guard service.mode == .snat else { return nil }
        return SourcePortUse(
            used: statistics.servers.values.map(\.sourcePorts).max() ?? 0,
            capacity: service.source.ports.count * max(1, service.source.addresses.count),
            exhausted: Int(clamping: statistics.exhausted))
    }

    private func report(
        _ configured: RealServer, effective: RealServer, of service: VirtualService, _ statistics: ServerStatistics,
        _ network: NetworkState
    ) -> ServerStatus {
        let hop = NeighbourKeeper.neighbour(towards: effective.address, in: network)
        let isReachable = hop.map { service.mode != .dr || $0.address == effective.address } ?? false
        let link = isReachable ? hop.flatMap { network.links[$0.interface] } : nil
        let neighbour = hop.flatMap { network.neighbours[$0] }
        var (colour, reason) = (Colour.green, "")
        switch effective.state {
        case .halt: (colour, reason) = (.blue, "halted")
        case .drain: (colour, reason) = (.blue, "draining")
        case .online where effective.weight == 0: (colour, reason) = (.blue, "draining: its weight is 0")
        case .online:
            if let link, statistics.mac == nil {
                let question = hop?.address.family == .ipv4 ? "ARP" : "neighbour solicitations"
                let who = hop.map { $0.address == effective.address ? "" : "its router \($0.address) " } ?? ""
                (colour, reason) = (.red, "\(who)does not answer \(question) on \(link.name)")
            } else if link == nil {
                (colour, reason) = (
                    .red,
                    service.mode == .dr
                        ? "lies in no subnet of this machine's interfaces" : "there is no route to it")
            }
        }
        return ServerStatus(
            name: configured.name, address: "\(configured.address)", weight: effective.weight,
            configuredWeight: configured.weight, state: effective.state.rawValue,
            configuredState: configured.state.rawValue,
            administrativeState: administrative[service.name, configured.name].state, health: "unchecked",
            colour: colour.rawValue, reason: reason, connections: statistics.established,
            newConnections: Int(clamping: statistics.connections), packets: Int(clamping: statistics.packets),
            bytes: Int(clamping: statistics.bytes), mac: statistics.mac.map { "\($0)" },
            interface: link?.name, neighbour: neighbour.map { "\($0.state)" } ?? "missing")
    }
}

extension ConfigReport {
    init(_ result: ConfigurationResult) {
        self.init(
            valid: result.configuration != nil,
            diagnostics: result.diagnostics.map {
                ConfigDiagnostic(
                    severity: $0.severity.rawValue, file: $0.file, line: $0.line, column: $0.column, path: $0.path,
                    message: $0.message, cure: $0.cure)
            })
    }
}
