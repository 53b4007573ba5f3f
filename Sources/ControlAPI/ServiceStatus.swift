/// One virtual service as it is now. Counts are since the data path was attached, over all real servers.
package struct ServiceStatus: Codable, Hashable, Sendable {
    package var name: String
    package var address: String
    /// Sorted list and ranges: `80,443,50000-65535`.
    package var ports: String
    /// `tcp`, `udp` or `tcp/udp`.
    package var `protocol`: String
    /// `dr`, `nat`, `snat`, `tunnel` or `proxy`.
    package var mode: String
    package var scheduler: String
    /// `nil`: off.
    package var persistence: PersistenceSettings?
    /// `green` all up, `yellow` some down, `red` all down, `blue` all deliberately offline.
    package var colour: String
    /// Open now.
    package var connections: Int
    package var packets: Int
    package var bytes: Int
    package var newConnections: Int
    /// New connections that no real server could take.
    package var refused: Int
    /// What the real servers sent back, as far as it comes by: in the modes `nat` and `snat`.
    package var answerPackets: Int
    package var answerBytes: Int
    /// Of mode `snat`.
    package var sourcePorts: SourcePortUse?
    /// In the order of the configuration.
    package var servers: [ServerStatus]

    package init(
        name: String, address: String, ports: String, protocol: String, mode: String, scheduler: String,
        persistence: PersistenceSettings?, colour: String, connections: Int, packets: Int = 0, bytes: Int = 0,
        newConnections: Int = 0, refused: Int = 0, answerPackets: Int = 0, answerBytes: Int = 0,
        sourcePorts: SourcePortUse? = nil, servers: [ServerStatus]
    ) {
        self.name = name
        self.address = address
        self.ports = ports
        self.protocol = `protocol`
        self.mode = mode
        self.scheduler = scheduler
        self.persistence = persistence
        self.colour = colour
        self.connections = connections
        self.packets = packets
        self.bytes = bytes
        self.newConnections = newConnections
        self.refused = refused
        self.answerPackets = answerPackets
        self.answerBytes = answerBytes
        self.sourcePorts = sourcePorts
        self.servers = servers
    }
}

/// How many of the source addresses' ports snat has given away. Towards each real server all of them are to be had.
package struct SourcePortUse: Codable, Hashable, Sendable {
    /// Towards the real server that has most.
    package var used: Int
    package var capacity: Int
    /// New connections that were dropped because no port was found free.
    package var exhausted: Int

    package init(used: Int, capacity: Int, exhausted: Int) {
        self.used = used
        self.capacity = capacity
        self.exhausted = exhausted
    }
}

/// How long a client prefix keeps its real server.
package struct PersistenceSettings: Codable, Hashable, Sendable {
    /// Leading bits of the client's address.
    package var prefix: Int
    package var timeoutSeconds: Int

    package init(prefix: Int, timeoutSeconds: Int) {
        self.prefix = prefix
        self.timeoutSeconds = timeoutSeconds
    }
}

/// One real server of a virtual service as it is now. Counts are since the data path was attached.
package struct ServerStatus: Codable, Hashable, Sendable {
    package var name: String
    package var address: String
    /// In force now, after any change by an operator.
    package var weight: Int
    package var configuredWeight: Int
    /// In force now: `online`, `drain` or `halt`.
    package var state: String
    package var configuredState: String
    /// What an operator asked for since the daemon read its configuration; `nil`: nothing.
    package var administrativeState: String?
    /// `up`, `down` or `unchecked`.
    package var health: String
    /// `green` up, `red` down, `blue` drained or halted.
    package var colour: String
    /// Why the colour is not green, in words; empty when it is.
    package var reason: String
    /// Open now.
    package var connections: Int
    package var newConnections: Int
    package var packets: Int
    package var bytes: Int
    /// `nil`: not known (yet), or of no use in this mode.
    package var mac: String?
    /// The interface that leads to the real server.
    package var interface: String?
    /// What the kernel's neighbour table says: `reachable`, `stale`, `missing`, …
    package var neighbour: String

    package init(
        name: String, address: String, weight: Int, configuredWeight: Int, state: String, configuredState: String,
        administrativeState: String? = nil, health: String, colour: String, reason: String = "",
        connections: Int = 0, newConnections: Int = 0, packets: Int = 0, bytes: Int = 0, mac: String? = nil,
        interface: String? = nil, neighbour: String
    ) {
        self.name = name
        self.address = address
        self.weight = weight
        self.configuredWeight = configuredWeight
        self.state = state
        self.configuredState = configuredState
        self.administrativeState = administrativeState
        self.health = health
        self.colour = colour
        self.reason = reason
        self.connections = connections
        self.newConnections = newConnections
        self.packets = packets
        self.bytes = bytes
        self.mac = mac
        self.interface = interface
        self.neighbour = neighbour
    }
}

/// The answer of `GET /v1/services`.
package struct ServiceList: Codable, Hashable, Sendable {
    package var services: [ServiceStatus]

    package init(services: [ServiceStatus]) { self.services = services }
}

/// The answer of `GET /v1/services/{name}/servers`.
package struct ServerList: Codable, Hashable, Sendable {
    package var servers: [ServerStatus]

    package init(servers: [ServerStatus]) { self.servers = servers }
}
