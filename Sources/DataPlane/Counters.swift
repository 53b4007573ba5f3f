import BPFRuntime
import DataPlaneABI
package import NetworkTypes

/// One counter of packets; every packet falls under exactly one.
package struct Counter: Hashable, Sendable {
    /// What became of the packets.
    package enum Kind: String, Sendable {
        /// Left to the kernel, unchanged.
        case pass
        /// Sent to a real server.
        case forward
        /// Answered.
        case reply
        case drop
    }

    package let name: String
    package let kind: Kind
    package let text: String
    /// Whether a healthy network shows it.
    package let isExpected: Bool
    package var packets: UInt64
}

extension Counter {
    /// All counters, before any packet.
    package static var catalogue: [Counter] {
        (0..<UInt32(RIPTIDE_COUNTER_COUNT.rawValue)).map { number in
            let row = riptide_counter_description(number)!.pointee
            let name = String(cString: row.name)
            return Counter(
                name: name, kind: Kind(rawValue: String(name.prefix { $0 != "." }))!, text: String(cString: row.text),
                isExpected: row.expected != 0, packets: 0)
        }
    }
}

extension DataPlane {
    /// All counters, in the order of the catalogue.
    package func counters() throws -> [Counter] {
        try Counter.catalogue.enumerated().map { number, counter in
            var counter = counter
            counter.packets = try maps.counters.values(at: number).reduce(0, &+)
            return counter
        }
    }
}

/// What a real server carries and has carried.
package struct ServerStatistics: Hashable, Sendable {
    /// Open flows.
    package var established: Int = 0
    /// Connections that have sent one packet.
    package var halfOpen: Int = 0
    /// Since the server was added:
    package var connections: UInt64 = 0
    package var packets: UInt64 = 0
    /// Of IP packets, without their frames.
    package var bytes: UInt64 = 0
    /// Of the real server, as far as they come by: in the modes nat and snat.
    package var answerPackets: UInt64 = 0
    package var answerBytes: UInt64 = 0
    /// That snat has given away.
    package var sourcePorts: Int = 0
    /// Of a tunnel, if a router on the way told one.
    package var pathMTU: Int?
    /// The neighbour's address; `nil` if it is not known.
    package var mac: MACAddress?
    package var interface: UInt32?

    package init() {}
}

/// What a service's servers carry, by name, and what it has refused.
package struct ServiceStatistics: Hashable, Sendable {
    package var servers: [String: ServerStatistics] = [:]
    /// Connections for which no real server was to be had.
    package var refused: UInt64 = 0
    /// Connections for which snat had no free source port.
    package var exhausted: UInt64 = 0

    package init(refused: UInt64 = 0, exhausted: UInt64 = 0) {
        self.refused = refused
        self.exhausted = exhausted
    }
}

extension DataPlane {
    /// The statistics of all services by name; or of one.
    package func statistics(service only: String? = nil) throws -> [String: ServiceStatistics] {
        var result: [String: ServiceStatistics] = [:]
        for (number, name) in tables.identities.serviceNames where only == nil || only == name {
            let traffic = try maps.serviceTraffic.values(at: Int(number))
            result[name] = ServiceStatistics(
                refused: traffic.reduce(0) { $0 &+ $1.refused }, exhausted: traffic.reduce(0) { $0 &+ $1.exhausted })
        }
        for (number, key) in tables.identities.serverKeys {
            guard let service = tables.identities.serviceNames[key.service], result[service] != nil else { continue }
            let load = maps.serverLoads[Int(number)]
            var statistics = ServerStatistics()
            statistics.established = max(0, Int(load.established))
            statistics.halfOpen = max(0, Int(load.half_open))
            statistics.sourcePorts = max(0, Int(Int64(bitPattern: load.source_ports)))
            statistics.pathMTU = load.path_mtu == 0 ? nil : Int(load.path_mtu)
            for cpu in try maps.serverTraffic.values(at: Int(number)) {
                statistics.connections &+= cpu.connections
                statistics.packets &+= cpu.packets
                statistics.bytes &+= cpu.bytes
                statistics.answerPackets &+= cpu.answer_packets
                statistics.answerBytes &+= cpu.answer_bytes
            }
            let entry = maps.realServers[Int(number)]
            if entry.interface != 0 {
                statistics.mac = MACAddress(entry.mac)
                statistics.interface = entry.interface
            }
            result[service]!.servers[key.name] = statistics
        }
        return result
    }
}
