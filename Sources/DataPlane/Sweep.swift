import BPFRuntime
import DataPlaneABI

/// What a sweep found: how full the tables are.
package struct SweepReport: Hashable, Sendable {
    package let flows: Int
    package let expiredFlows: Int
    /// Since the table was made: flows in use that made way for others in a full table.
    package let evictedFlows: Int
    package let persistence: Int
    package let expiredPersistence: Int
}

/// The size of a table, and what the kernel charges for it.
package struct TableSize: Hashable, Sendable {
    package let capacity: Int
    package let memoryBytes: Int
}

extension DataPlane {
    /// Deletes what has expired and corrects the servers' connection counts. To be run every few seconds.
    package func sweep() throws -> SweepReport {
        let numbers = tables.identities.serverKeys.keys.map(Int.init)
        for number in numbers { maps.recount[number] = server_load() }
        let before = try numbers.map { (maps.serverLoads[$0].established, try begun($0)) }
        let found = try sweepTables()
        for (number, (established, connections)) in zip(numbers, before) {
            try correct(number, establishedBefore: established, begunBefore: connections)
        }
        correctHalfOpen(numbers)
        forgetPathMTUs(numbers)
        return SweepReport(
            flows: Int(found.flows), expiredFlows: Int(found.flows_expired),
            evictedFlows: Int(try maps.tableEvents.values(at: 0).reduce(0) { $0 &+ $1.flows_evicted }),
            persistence: Int(found.persistence),
            expiredPersistence: Int(found.persistence_expired))
    }

    /// In portions: one run in the kernel that takes long keeps a CPU from other work.
    func sweepTables() throws -> DataPlaneABI.sweep {
        let (all, portion) = (maps.capacity.flowBuckets + maps.capacity.beginningBuckets, 4096)
        var total = DataPlaneABI.sweep()
        for first in stride(from: 0, to: all, by: portion) {
            var part = DataPlaneABI.sweep()
            part.first_bucket = UInt32(first)
            part.bucket_count = UInt32(min(portion, all - first))
            try maps.sweep.call(&part)
            total.flows += part.flows
            total.flows_expired += part.flows_expired
            total.persistence += part.persistence
            total.persistence_expired += part.persistence_expired
        }
        return total
    }

    private func begun(_ number: Int) throws -> UInt64 {
        try maps.serverTraffic.values(at: number).reduce(0) { $0 &+ $1.connections }
    }

    /// The recount saw some of the flows that came and went while it ran, and missed others: only a difference that they cannot
    /// explain is an error of the running count.
    private func correct(_ number: Int, establishedBefore before: Int32, begunBefore: UInt64) throws {
        let after = maps.serverLoads[number].established
        let counted = maps.recount[number].established
        guard counted != after else { return }
        let came = Int64(bitPattern: try begun(number) &- begunBefore)
        let went = came - Int64(after - before)
        let difference = counted - after
        if Int64(abs(difference)) > came + max(0, went) {
            riptide_add_connections(maps.serverLoads.base + number, difference, 0)
        }
    }

    /// A path may have become wider: what routers told is asked for again now and then (RFC 1191 §6.3 has ten minutes).
    private func forgetPathMTUs(_ numbers: [Int]) {
        guard ContinuousClock.now - pathMTUsForgotten > .seconds(600) else { return }
        for number in numbers where maps.serverLoads[number].path_mtu != 0 { maps.serverLoads.base[number].path_mtu = 0 }
        pathMTUsForgotten = .now
    }

    /// Beginnings come and go by the thousand while a sweep runs, so a difference now and then is no error of the running count;
    /// one that two sweeps find is. It comes from tables that were made anew while notes were written.
    private func correctHalfOpen(_ numbers: [Int]) {
        var errors: [Int: Int32] = [:]
        for number in numbers {
            let difference = maps.recount[number].half_open - maps.serverLoads[number].half_open
            guard difference != 0 else { continue }
            let last = halfOpenErrors[number] ?? 0
            if last.signum() == difference.signum() {
                let error = difference.signum() * Int32(min(last.magnitude, difference.magnitude))
                riptide_add_connections(maps.serverLoads.base + number, 0, error)
            } else {
                errors[number] = difference
            }
        }
        halfOpenErrors = errors
    }

    package var flowTable: TableSize {
        TableSize(
            capacity: maps.capacity.flows,
            memoryBytes: maps.flows.raw.memory() + maps.flowBuckets.raw.memory() + maps.translations.raw.memory())
    }

    package var persistenceTable: TableSize {
        TableSize(capacity: maps.persistence.capacity, memoryBytes: maps.persistence.raw.memory())
    }
}
