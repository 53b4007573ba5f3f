import DataPlaneABI
import LoadBalancing

/// The three runs of server numbers that a service's scheduler reads (struct service in the ABI).
struct ServiceRuns: Equatable {
    var table: [UInt16] = []
    var sequence: [UInt16] = []
    var members: [UInt16] = []

    /// What the runs follow from: equal inputs have equal runs, so they need not be made again.
    struct Input: Hashable {
        let scheduler: Scheduler
        let tableSize: Int
        let servers: [MaglevTable.Entry]
        let numbers: [UInt16]
        /// Servers with a limit make way for others, whatever the scheduler.
        let isLimited: Bool

        /// `numbers` are those of the service's servers, in their order.
        init(_ service: VirtualService, numbers: [UInt16]) {
            scheduler = service.scheduler
            tableSize = MaglevTable.size(servers: service.servers.count)
            let scheduled = zip(service.servers, numbers).filter { $0.0.isScheduled }
            servers = scheduled.map { MaglevTable.Entry(address: $0.0.address, weight: $0.0.weight) }
            self.numbers = scheduled.map(\.1)
            isLimited = service.servers.contains { $0.maxConnections > 0 }
        }
    }

    init(_ input: Input) {
        let numbers = input.numbers
        table = MaglevTable.make(input.servers, size: input.tableSize).map { numbers[Int($0)] }
        switch input.scheduler {
        case .wrr: sequence = TurnSequence.make(weights: input.servers.map(\.weight)).map { numbers[Int($0)] }
        case .rr: sequence = TurnSequence.make(weights: input.servers.map { _ in 1 }).map { numbers[Int($0)] }
        case .lc, .wlc, .sh, .maglev: break
        }
        if input.scheduler == .lc || input.scheduler == .wlc || input.isLimited { members = numbers }
    }

    /// How many slots the runs of a service can take, at most.
    static func largestSize(of service: VirtualService) -> Int {
        let count = service.servers.count
        let sequence =
            switch service.scheduler {
            case .wrr: max(TurnSequence.longest, count) + count
            case .rr: count
            case .lc, .wlc, .sh, .maglev: 0
            }
        return MaglevTable.size(servers: count) + sequence + count + 3 * Int(RIPTIDE_SLOTS_PER_ELEMENT)
    }
}
