import DataPlane
import FoundationEssentials
import LinuxSystem
import LoadBalancing
import Logging
import NetworkTypes
import RiptideConfiguration

/// Brings the kernel to what configuration and operators ask for, and keeps it there while the network changes.
///
/// Every step compares what shall be with what is and writes the difference, so each may be repeated and a restarted daemon
/// goes on where the last one ended. No step waits between reading and writing.
actor Reconciler {
    let options: DaemonOptions
    let logger: Logger
    let started = ContinuousClock.now
    let monitor: NetworkMonitor
    let dataPlane: DataPlane
    private var neighbours: NeighbourKeeper
    private var addresses: AddressKeeper
    private var gateway: GatewayKeeper
    /// By interface: what may spoil checksums there.
    private(set) var offloadAdvice: [String: String] = [:]
    private let administrativeFile: StateFile
    private let stateUse: ExclusiveUse
    private let pinsUse: ExclusiveUse

    /// The configuration in force, and its text.
    private(set) var current: Configuration
    private(set) var currentText: String
    private(set) var loadedAt = Date.now
    private(set) var administrative: AdministrativeStates
    /// By interface name; what was last tried and how it ended.
    private(set) var attachments: [String: InterfaceState] = [:]
    private(set) var lastSweep: SweepReport?
    private(set) var isDetached = false
    /// Whether much memory has been used and freed since it was last given back.
    var hasGarbage = true

    /// How an interface's attachment stands.
    enum InterfaceState {
        case attached(Attachment, mac: MACAddress)
        /// There is no such interface, or not yet.
        case missing
        case failed(String)
    }

    /// Reads the configuration, loads the data plane and makes it forward. When this throws, what was there before goes on.
    init(options: DaemonOptions, logger: Logger) throws {
        self.options = options
        self.logger = logger
        let kernel = KernelFacts.current()
        if let obstacle = kernel.obstacles.first { throw DaemonError(obstacle) }
        try StateFile.createFolder(options.stateDirectory)
        try Self.prepareBPFFilesystem(for: options.bpffs)
        let pins = PinDirectory(root: options.bpffs)
        try pins.create()
        stateUse = try ExclusiveUse(of: options.stateDirectory, option: "--state-directory")
        pinsUse = try ExclusiveUse(of: options.bpffs, option: "--bpffs")
        monitor = try NetworkMonitor()
        administrativeFile = StateFile(path: options.stateDirectory + "/administrative.json")
        administrative = try AdministrativeStates.read(from: administrativeFile)

        guard let text = try StateFile(path: options.configuration).read() else {
            throw DaemonError("there is no configuration file \(options.configuration); docs/configuration.md shows how to write one")
        }
        // At start a fault of the surroundings, such as an interface that is not there yet, must not keep the rest from working.
        let result = ConfigurationReader.read(text, file: options.configuration)
        guard let configuration = result.configuration else {
            throw DaemonError(
                "the configuration has errors:\n" + result.diagnostics.map(\.description).joined(separator: "\n"))
        }
        let strict = ConfigurationReader.read(text, file: options.configuration, facts: Self.facts(monitor.snapshot))
        for diagnostic in strict.diagnostics {
            logger.warning("configuration", metadata: ["diagnostic": "\(diagnostic)"])
        }
        current = configuration
        currentText = text
        neighbours = try NeighbourKeeper()
        addresses = try AddressKeeper(logger: logger)
        gateway = GatewayKeeper(logger: logger)
        dataPlane = try DataPlane(
            pins: pins, settings: configuration.dataPath,
            services: administrative.applied(to: configuration.services))
    }

    private static func prepareBPFFilesystem(for directory: String) throws {
        let parent = directory.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
        // The usual place is a mount point of its own; any other folder becomes one.
        if parent == "/sys/fs/bpf" || (try? isOnBPFFilesystem(parent)) == true {
            try mountBPFFilesystem(at: parent)
        } else {
            try mountBPFFilesystem(at: directory)
        }
    }

    // MARK: Reconciling

    /// Brings everything into force for the first time. An interface that is not there yet is waited for; one that refuses the
    /// program ends the start, unless another has taken it.
    func start() throws {
        administrative.prune(to: current.services)
        let writes = try reconcile(attachStrictly: false)
        let failures = attachments.values.compactMap { state -> String? in
            if case .failed(let reason) = state { reason } else { nil }
        }
        if !isAttached, let failure = failures.first { throw DaemonError(failure) }
        giveMemoryBack()
        logger.info(
            "forwarding",
            metadata: [
                "services": "\(current.services.count)",
                "servers": "\(current.services.reduce(0) { $0 + $1.servers.count })", "writes": "\(writes.total)",
            ])
    }

    /// Brings interfaces, maps and addresses to what is asked for; answers what it took.
    ///
    /// Interfaces come first, since they are what most likely fails, and the maps as they are serve them as well. VIPs leave
    /// `lo` before the maps forget them and come there after, and only with an interface attached: where the program is not,
    /// the kernel would answer for them.
    func reconcile(attachStrictly: Bool) throws -> MapWrites {
        let network = monitor.snapshot
        NeighbourKeeper.makeRoom(for: serverAddresses.count, logger: logger)
        try attachInterfaces(network, strictly: attachStrictly)
        let vips = vipsToHold(network)
        try addresses.release(except: vips, network: network)
        let writes = try applyServices(network)
        dataPlane.setActive(true)
        try addresses.take(vips)
        isDetached = false
        addresses.announce(interfaces: interfaceIndices(network), network: network)
        neighbours.probe(unknownServers(network), in: network)
        gateway.keep(externalInterface: current.autoNAT)
        return writes
    }

    private func applyServices(_ network: NetworkState) throws -> MapWrites {
        try dataPlane.apply(
            administrative.applied(to: current.services), addresses: otherAddresses(network), settings: current.dataPath,
            nextHop: nextHop(in: network))
    }

    /// What this node answers for besides the VIPs: floating addresses, and those that snat speaks from. An interface's own
    /// address is the kernel's to answer for.
    private func otherAddresses(_ network: NetworkState) -> Set<IPAddress> {
        let own = Set(network.addresses.lazy.filter { !$0.isOurs }.map(\.address))
        let pools = current.services.lazy.filter { $0.mode == .snat }.flatMap(\.source.addresses)
        return Set(current.floatingAddresses).union(pools).subtracting(own)
    }

    private var isAttached: Bool {
        attachments.values.contains { if case .attached = $0 { true } else { false } }
    }

    private func vipsToHold(_ network: NetworkState) -> Set<IPAddress> {
        isAttached ? otherAddresses(network).union(current.services.map(\.address)) : []
    }

    private func nextHop(in network: NetworkState) -> (IPAddress) -> NextHop? {
        let interfaces = interfaceIndices(network)
        return { NeighbourKeeper.nextHop(to: $0, in: network, interfaces: interfaces) }
    }

    private func interfaceIndices(_ network: NetworkState) -> Set<UInt32> {
        let names = Set(current.interfaces.map(\.name))
        return Set(network.links.values.filter { names.contains($0.name) }.map(\.index))
    }

    private func unknownServers(_ network: NetworkState) -> [IPAddress] {
        serverAddresses.filter { address in
            NeighbourKeeper.neighbour(towards: address, in: network).flatMap { network.neighbours[$0] }?.isUsable != true
        }
    }

    private var serverAddresses: Set<IPAddress> {
        Set(current.services.lazy.flatMap { $0.servers.map(\.address) + ($0.fallback.map { [$0.address] } ?? []) })
    }

    private func attachInterfaces(_ network: NetworkState, strictly: Bool) throws {
        for interface in current.interfaces {
            do {
                try attach(interface, network)
            } catch {
                if strictly { throw error }
                if case .failed("\(error)") = attachments[interface.name] { continue }
                attachments[interface.name] = .failed("\(error)")
                logger.error("interface not attached", metadata: ["interface": "\(interface.name)", "error": "\(error)"])
            }
        }
        let names = Set(current.interfaces.map(\.name))
        try dataPlane.detach(except: names)
        dataPlane.forgetInterfaces(except: interfaceIndices(network))
        for name in attachments.keys where !names.contains(name) {
            attachments[name] = nil
            logger.info("interface detached", metadata: ["interface": "\(name)"])
        }
    }

    private func attach(_ interface: InterfaceSettings, _ network: NetworkState) throws {
        guard let link = network.link(named: interface.name), let mac = link.mac else {
            if case .missing = attachments[interface.name] { return }
            attachments[interface.name] = .missing
            logger.warning("there is no such Ethernet interface; it is used when it appears", metadata: ["interface": "\(interface.name)"])
            return
        }
        let attachment = try dataPlane.attach(
            interface.name, index: link.index, mac: mac, wish: interface.xdp)
        let before = attachments[interface.name]
        attachments[interface.name] = .attached(attachment, mac: mac)
        noteOffloads(link, attachment)
        if case .attached(attachment, mac) = before { return }
        // On a link that is new, or with an address that is new, nobody knows where the VIPs are.
        addresses.announceAgain(vipsToHold(network))
        if case .attached(attachment, _) = before { return }
        var metadata: Logger.Metadata = ["interface": "\(interface.name)", "mode": "\(attachment.mode)"]
        metadata["note"] = attachment.note.map { "\($0)" }
        logger.log(level: attachment.note == nil ? .info : .warning, "interface attached", metadata: metadata)
    }

    /// Translation of packets whose checksums are not finished spoils them: the operator is told what to switch off.
    private func noteOffloads(_ link: Link, _ attachment: Attachment) {
        guard let facts = try? OffloadFacts.current(for: link) else { return }
        let advice = facts.checksumAdvice(native: attachment.mode == "native")
        let isConcerned = current.services.contains { $0.mode != .proxy }
        guard isConcerned, let advice, offloadAdvice[link.name] != advice else { return }
        offloadAdvice[link.name] = advice
        logger.warning("checksums may be unfinished", metadata: ["interface": "\(link.name)", "cure": "\(advice)"])
    }

    // MARK: The network

    /// Follows what the kernel says of links, addresses, routes and neighbours.
    func networkChanged(_ change: NetworkChange) {
        guard !isDetached else { return }
        let network = monitor.snapshot
        if change.links {
            do {
                try attachInterfaces(network, strictly: false)
                try addresses.take(vipsToHold(network))
            } catch {
                logger.error("interfaces not brought up to date", metadata: ["error": "\(error)"])
            }
        }
        let wide = change.links || change.addresses || change.routes
        // A router's address may be that of many servers' next hop.
        let isRouted = current.services.contains { $0.mode != .dr }
        let servers = wide || isRouted ? nil : Set(change.neighbours.map(\.address))
        let writes = dataPlane.refreshNextHops(of: servers, nextHop(in: network))
        if writes.total > 0 {
            logger.debug("real servers' next hops changed", metadata: ["servers": "\(writes.total)"])
        }
        if wide { neighbours.probe(unknownServers(network), in: network) }
    }

    /// What is to be done each second.
    func everySecond() {
        guard !isDetached else { return }
        let network = monitor.snapshot
        neighbours.maintain(serverAddresses, in: network)
        addresses.announce(interfaces: interfaceIndices(network), network: network)
    }

    /// What is to be done every few seconds: housekeeping of the tables.
    func sweep() {
        do {
            lastSweep = try dataPlane.sweep()
            if hasGarbage { giveMemoryBack() }
        } catch {
            logger.error("tables not swept", metadata: ["error": "\(error)"])
        }
    }

    /// A large configuration or report leaves tens of megabytes with the allocator, which by itself never returns them.
    private func giveMemoryBack() {
        ProcessMemory.giveBack()
        hasGarbage = false
    }

    // MARK: Changes

    /// What is wrong with a configuration on this machine.
    func read(_ text: String, file: String) -> ConfigurationResult {
        ConfigurationReader.read(text, file: file, facts: Self.facts(monitor.snapshot))
    }

    /// Makes a configuration the one in force, and its text the daemon's file if `save`. When this throws, the one before is
    /// in force.
    func apply(_ fresh: Configuration, text: String, save: Bool) throws -> MapWrites {
        let before = current
        // Also when the text is in force already: the file may have been edited since.
        let staged = save ? try StateFile(path: options.configuration).stage(text, mode: 0o644) : nil
        let writes: MapWrites
        do {
            current = fresh
            writes = try reconcile(attachStrictly: true)
            try staged?.commit()
        } catch {
            staged?.discard()
            current = before
            do {
                _ = try reconcile(attachStrictly: false)
            } catch let second {
                logger.critical("the configuration before could not be restored", metadata: ["error": "\(second)"])
            }
            throw error
        }
        currentText = text
        giveMemoryBack()
        loadedAt = .now
        administrative.prune(to: current.services)
        do {
            try administrative.write(to: administrativeFile)
        } catch {
            // What was forgotten concerned servers that are gone; it is forgotten again at the next start.
            logger.warning("drains, halts and weights not saved", metadata: ["error": "\(error)"])
        }
        logger.info("configuration applied", metadata: ["writes": "\(writes.total)"])
        return writes
    }

    /// Sets a server's state or weight apart from the configuration; a part that is `nil` stays.
    func change(_ change: AdministrativeStates.Override, service: String, server: String) throws {
        let before = administrative
        administrative[service, server] = change
        do {
            try administrative.write(to: administrativeFile)
        } catch {
            administrative = before
            throw error
        }
        do {
            try applyAdministrative()
        } catch {
            administrative = before
            try? administrative.write(to: administrativeFile)
            try? applyAdministrative()
            throw error
        }
        logger.info(
            "real server changed",
            metadata: [
                "service": "\(service)", "server": "\(server)", "state": "\(change.state ?? "as configured")",
                "weight": "\(change.weight.map(String.init) ?? "as configured")",
            ])
    }

    private func applyAdministrative() throws {
        _ = try applyServices(monitor.snapshot)
    }

    /// Takes the program off all interfaces and the VIPs off `lo`, until a configuration is applied again.
    func detach() throws {
        try addresses.release(except: [], network: monitor.snapshot)
        gateway.keep(externalInterface: nil)
        dataPlane.setActive(false)
        try dataPlane.detach(except: [])
        attachments = [:]
        isDetached = true
        logger.warning("data plane detached: nothing is forwarded")
    }

    /// Ends. The data plane goes on unless it was detached or is to be.
    func end() {
        do {
            if options.detach && !isDetached { try detach() }
        } catch {
            logger.error("data plane not detached", metadata: ["error": "\(error)"])
        }
        if isDetached { dataPlane.removePins() }
        monitor.close()
    }

    // MARK: The machine

    /// What the configuration is checked against. The VIPs that we put on `lo` are not the machine's own.
    static func facts(_ network: NetworkState) -> SystemFacts {
        SystemFacts(
            interfaces: network.links.values.sorted { $0.index < $1.index }.map { link in
                SystemFacts.Interface(
                    name: link.name, isEthernet: link.isEthernet, isLoopback: link.isLoopback,
                    addresses: network.addresses.filter { $0.interface == link.index && !$0.isOurs }.map {
                        SystemFacts.InterfaceAddress(address: $0.address, prefix: $0.prefix)
                    })
            })
    }
}
