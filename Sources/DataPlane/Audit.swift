import BPFRuntime
import DataPlaneABI
import NetworkTypes

/// The books of the data plane held against what is there. They agree as long as no packet comes while they are compared: for
/// tests and for the fuzzer, which send packets one by one.
package struct Audit: Hashable, Sendable {
    /// What is off, in words; empty if all is right.
    package var errors: [String] = []
    /// Flows in the table.
    package var flows = 0
    /// Since the table was made: flows in use that made way for others.
    package var evicted = 0
    /// Bytes of kernel memory of all tables that packets fill.
    package var memory = 0
}

extension DataPlane {
    /// Sweeps, and compares each server's running counts with a recount, and places of flows with what leads to them. Corrects
    /// nothing.
    package func audit() throws -> Audit {
        for number in tables.identities.serverKeys.keys { maps.recount[Int(number)] = server_load() }
        var audit = Audit()
        audit.flows = Int(try sweepTables().flows)
        audit.evicted = Int(try maps.tableEvents.values(at: 0).reduce(0) { $0 &+ $1.flows_evicted })
        audit.memory = flowTable.memoryBytes + persistenceTable.memoryBytes
        let places = try auditPlaces(&audit)
        for (number, key) in tables.identities.serverKeys.sorted(by: { $0.key < $1.key }) {
            let (kept, found) = (maps.serverLoads[Int(number)], maps.recount[Int(number)])
            for (name, kept, found) in [
                ("established", Int64(kept.established), Int64(found.established)),
                ("half-open", Int64(kept.half_open), Int64(found.half_open)),
                ("source ports", Int64(bitPattern: kept.source_ports), Int64(places.sourcePorts[number] ?? 0)),
            ] where kept != found {
                audit.errors.append("\(key.name): \(name): counted \(kept), there are \(found)")
            }
        }
        return audit
    }

    /// Places of the flow table as their entries have them.
    private struct Places {
        /// Flows that are there, and of those that are translated the connections as their servers see them.
        var isTranslated: [UInt32: Bool] = [:]
        var keys: [[UInt64]: UInt32] = [:]
        var seen: [[UInt64]: UInt32] = [:]
        var sourcePorts: [UInt32: UInt64] = [:]
    }

    private func auditPlaces(_ audit: inout Audit) throws -> Places {
        var places = Places()
        try maps.flows.forEach { place, flow in
            guard flow.state != RIPTIDE_FLOW_FREE.rawValue else { return true }
            places.isTranslated[place] = flow.isTranslated
            let key = withUnsafeBytes(of: flow.key) { bytes in
                (0..<5).map { bytes.load(fromByteOffset: $0 * 8, as: UInt64.self) }
            }
            if places.keys.updateValue(place, forKey: key) != nil {
                audit.errors.append("this flow is in the table twice: \(describe(flow))")
            }
            let isSNAT = UInt32(flow.mode) == RIPTIDE_MODE_SNAT.rawValue
            if isSNAT, maps.realServers[Int(flow.server)].generation == flow.generation {
                places.sourcePorts[flow.server, default: 0] += 1
            }
            if flow.isTranslated, let translation = try maps.translations.value(for: place) {
                let words = withUnsafeBytes(of: translation) { bytes in
                    (0..<4).map { bytes.load(fromByteOffset: $0 * 8, as: UInt64.self) }
                }
                let ports = UInt64(translation.source_port) << 16 | UInt64(translation.destination_port)
                if let other = places.seen.updateValue(place, forKey: words + [ports, UInt64(flow.key.protocol)]) {
                    let others = try maps.flows.value(for: other).map(describe) ?? "?"
                    audit.errors.append("these flows look the same to their server: \(others) and \(describe(flow))")
                }
            }
            return true
        }
        try auditBuckets(places, &audit)
        return places
    }

    private func describe(_ flow: flow) -> String {
        let (source, destination) = (IPAddress(flow.key.source), IPAddress(flow.key.destination))
        return "\(flow.key.protocol) \(source) \(flow.key.source_port.byteSwapped) > \(destination) "
            + "\(flow.key.destination_port.byteSwapped) state \(flow.state) server \(flow.server)/\(flow.generation)"
    }

    /// Each flow has one name and, if it is translated, one cell for its answers; cells lead nowhere else.
    private func auditBuckets(_ places: Places, _ audit: inout Audit) throws {
        let ways = UInt32(RIPTIDE_WAYS)
        var (named, answered) = (Set<UInt32>(), Set<UInt32>())
        try maps.flowBuckets.forEach { bucket, cells in
            withUnsafeBytes(of: cells) { bytes in
                for way in 0..<ways {
                    let name = bytes.load(fromByteOffset: Int(way) * 8, as: UInt64.self)
                    if name == RIPTIDE_CELL_BUSY { audit.errors.append("place \(bucket * ways + way) was left busy") }
                    if name != RIPTIDE_CELL_FREE { named.insert(bucket * ways + way) }
                    let answer = bytes.load(fromByteOffset: Int(ways + way) * 8, as: UInt64.self)
                    guard answer != 0 else { continue }
                    let place = UInt32(truncatingIfNeeded: answer & (1 << UInt64(RIPTIDE_PLACE_BITS) - 1))
                    if places.isTranslated[place] != true || !answered.insert(place).inserted {
                        audit.errors.append("bucket \(bucket) leads answers to place \(place), which has no use for it")
                    }
                }
            }
            return true
        }
        for (place, isTranslated) in places.isTranslated {
            if !named.contains(place) { audit.errors.append("nothing leads to the flow at place \(place)") }
            if isTranslated && !answered.contains(place) {
                audit.errors.append("no answer finds its way to the flow at place \(place)")
            }
        }
        for place in named where places.isTranslated[place] == nil {
            audit.errors.append("place \(place) has a name, but no flow")
        }
    }
}
