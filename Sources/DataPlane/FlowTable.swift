import BPFRuntime
import DataPlaneABI
package import NetworkTypes

/// A flow in being.
package struct FlowRecord: Hashable, Sendable {
    package enum State: String, Sendable {
        case established, closing, udp
    }

    package let client: IPAddress
    package let clientPort: UInt16
    package let address: IPAddress
    package let port: UInt16
    package let transport: TransportProtocol
    /// `nil` if it has been removed since.
    package let service: String?
    package let server: String?
    package let state: State
    package let age: Duration
    package let idle: Duration
    package let packets: UInt64
    package let bytes: UInt64
    /// Of the real server, as far as they come by: in the modes nat and snat.
    package let answerPackets: UInt64
    package let answerBytes: UInt64
    /// What the real server sees, in the modes nat and snat.
    package let inside: Translation?

    package struct Translation: Hashable, Sendable {
        package let source: IPAddress
        package let sourcePort: UInt16
        package let destination: IPAddress
        package let destinationPort: UInt16
    }
}

/// A client that is remembered.
package struct PersistenceRecord: Hashable, Sendable {
    package let service: String
    package let client: Prefix
    package let server: String
    package let left: Duration
}

/// Which flows or clients are meant; a `nil` means all.
package struct FlowFilter: Sendable {
    package var service: String?
    package var server: String?
    package var client: Prefix?

    package init(service: String? = nil, server: String? = nil, client: Prefix? = nil) {
        self.service = service
        self.server = server
        self.client = client
    }
}

extension DataPlane {
    /// How many flows match, and the first `limit` of them, in no order.
    package func flows(_ filter: FlowFilter = FlowFilter(), limit: Int) throws -> (total: Int, records: [FlowRecord]) {
        let (now, hz) = try clock()
        var (total, records) = (0, [FlowRecord]())
        try maps.flows.forEach { place, flow in
            guard flow.state != RIPTIDE_FLOW_FREE.rawValue, flow.state != RIPTIDE_FLOW_BEGINNING.rawValue else { return true }
            let key = flow.key
            let server = tables.identities.serverKeys[flow.server].flatMap { owner in
                maps.realServers[Int(flow.server)].generation == flow.generation ? owner.name : nil
            }
            let service = tables.identities.serviceNames[flow.service]
            let client = IPAddress(key.source)
            guard filter.service == nil || filter.service == service, filter.server == nil || filter.server == server,
                filter.client?.contains(client) ?? true
            else { return true }
            total += 1
            guard records.count < limit else { return true }
            records.append(
                FlowRecord(
                    client: client, clientPort: UInt16(bigEndian: key.source_port),
                    address: IPAddress(key.destination), port: UInt16(bigEndian: key.destination_port),
                    transport: TransportProtocol(rawValue: key.protocol) ?? .tcp, service: service, server: server,
                    state: FlowRecord.State(flow.state), age: Self.duration(from: flow.began, to: now, hz),
                    idle: Self.duration(from: flow.seen, to: now, hz), packets: flow.packets, bytes: flow.bytes,
                    answerPackets: flow.answer_packets, answerBytes: flow.answer_bytes,
                    inside: flow.isTranslated ? try maps.translations.value(for: place).map(FlowRecord.Translation.init) : nil))
            return true
        }
        return (total, records)
    }

    /// The clients that are remembered and match, in no order.
    package func persistence(_ filter: FlowFilter = FlowFilter()) throws -> [PersistenceRecord] {
        var records: [PersistenceRecord] = []
        try forEachPersistence(filter) { _, record in records.append(record) }
        return records
    }

    /// Forgets the clients that match; answers how many. Their flows go on.
    package func clearPersistence(_ filter: FlowFilter = FlowFilter()) throws -> Int {
        var keys: [persistence_key] = []
        try forEachPersistence(filter) { key, _ in keys.append(key) }
        return try keys.reduce(0) { try maps.persistence.remove($1) ? $0 + 1 : $0 }
    }

    private func forEachPersistence(
        _ filter: FlowFilter, _ body: (persistence_key, PersistenceRecord) -> Void
    ) throws {
        let (now, hz) = try clock()
        try maps.persistence.forEach { key, entry in
            guard let service = maps.services.service(key.service), let owner = tables.identities.serverKeys[entry.server],
                maps.realServers[Int(entry.server)].generation == entry.generation
            else { return true }
            let left = .seconds(Int64(service.persistence_timeout)) - Self.duration(from: entry.seen, to: now, hz)
            let address = IPAddress(key.client)
            // Cut to the prefix, an IPv4 address keeps its mapped form only if the prefix leaves it.
            let bits = Int(service.persistence_prefix) - (address.family == .ipv4 ? 96 : 0)
            guard left > .zero, let client = Prefix(address, length: max(0, bits)) else { return true }
            let record = PersistenceRecord(service: readName(service.name), client: client, server: owner.name, left: left)
            if filter.service ?? record.service == record.service, filter.server ?? owner.name == owner.name,
                filter.client.map({ $0.contains(client.address) || client.contains($0.address) }) ?? true
            {
                body(key, record)
            }
            return true
        }
    }

    private static func duration(from start: UInt64, to now: UInt64, _ hz: UInt64) -> Duration {
        // A packet may have come after `now` was read.
        now <= start ? .zero : .milliseconds((now - start) * 1000 / hz)
    }
}

extension FlowRecord.State {
    fileprivate init(_ state: UInt32) {
        switch state {
        case RIPTIDE_FLOW_ESTABLISHED.rawValue: self = .established
        case RIPTIDE_FLOW_UDP.rawValue: self = .udp
        default: self = .closing
        }
    }
}

extension FlowRecord.Translation {
    fileprivate init(_ translation: translation) {
        self.init(
            source: IPAddress(translation.source), sourcePort: UInt16(bigEndian: translation.source_port),
            destination: IPAddress(translation.destination),
            destinationPort: UInt16(bigEndian: translation.destination_port))
    }
}

extension flow {
    var isTranslated: Bool {
        UInt32(mode) == RIPTIDE_MODE_NAT.rawValue || UInt32(mode) == RIPTIDE_MODE_SNAT.rawValue
    }
}
