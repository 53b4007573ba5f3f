import BPFRuntime
import DataPlane
import NetworkTypes

/// What packets cost a data plane's program, beside the reference program. Neither has other flows than those measured.
final class ProgramCost {
    /// Nanoseconds, medians over the rounds.
    struct Cost: Codable {
        /// Of the wrapper with nothing behind it, once for each packet.
        var wrapper: Double
        /// Net of the wrapper.
        var reference: Double
        var riptide: Double
        /// The median of the rounds' own ratios.
        var ratio: Double

        fileprivate init(_ rounds: [(wrapper: Double, reference: Double, riptide: Double)]) {
            wrapper = median(rounds.map(\.wrapper))
            reference = median(rounds.map(\.reference))
            riptide = median(rounds.map(\.riptide))
            ratio = median(rounds.map { $0.riptide / $0.reference })
        }
    }

    /// XDP_* of <linux/bpf.h>.
    enum Action: UInt32 {
        case pass = 2
        case transmit = 3
    }

    private enum Slot: UInt32 {
        case empty, reference, riptide, referenceLearn
    }

    private let bench: BenchObject
    private let riptide: BenchDataPlane
    private let rounds: Int

    init(_ riptide: BenchDataPlane, rounds: Int) throws {
        bench = try BenchObject()
        self.riptide = riptide
        self.rounds = rounds
        try bench.register(bench.empty, as: Slot.empty.rawValue)
        try bench.register(bench.reference, as: Slot.reference.rawValue)
        try bench.register(bench.referenceLearn, as: Slot.referenceLearn.rawValue)
        try riptide.dataPlane.withProgram { try bench.register($0, as: Slot.riptide.rawValue) }
    }

    /// Begins the flows of this traffic in Riptide's table, one after the other.
    func establish(_ clients: Traffic) throws {
        _ = try connect(clients, first: 0, count: clients.words.count)
    }

    /// Of packets whose flows, if they have any, are established; all are counted under `counter`.
    func ofPackets(
        _ traffic: Traffic, countedAs counter: String, action: Action = .transmit, repetitions: Int
    ) throws -> Cost {
        if action == .transmit {
            _ = try run(.referenceLearn, traffic, repetitions: traffic.words.count, action: .transmit)
        }
        let times = try alternate([
            { _ in try self.run(.empty, traffic, repetitions: repetitions, action: .transmit) },
            { _ in try self.run(.reference, traffic, repetitions: repetitions, action: action) },
            { _ in
                try self.riptide.counting([counter: repetitions]) {
                    try self.run(.riptide, traffic, repetitions: repetitions, action: action)
                }
            },
        ])
        return Cost(times.map { ($0[0], $0[1] - $0[0], $0[2] - $0[0]) })
    }

    /// Of the two packets that begin a connection, beside the reference's cost of a packet of one flow that is established.
    /// Each connection is a client's first.
    func ofConnections(_ clients: Traffic, perRound: Int) throws -> Cost {
        precondition(clients.words.count >= perRound * rounds)
        var one = clients
        one.words = [clients.words[0]]
        _ = try run(.referenceLearn, one, repetitions: 1, action: .transmit)
        let times = try alternate([
            { _ in try self.run(.empty, one, repetitions: Self.repetitionsOfOne, action: .transmit) },
            { _ in try self.run(.reference, one, repetitions: Self.repetitionsOfOne, action: .transmit) },
            { _ in
                try self.run(.empty, clients.beginning, repetitions: 2 * perRound, action: .transmit)
            },
            { round in try self.connect(clients, first: round * perRound, count: perRound) },
        ])
        return Cost(times.map { ($0[2], $0[1] - $0[0], 2 * ($0[3] - $0[2])) })
    }

    private static let repetitionsOfOne = 500_000

    private func connect(_ clients: Traffic, first: Int, count: Int) throws -> Double {
        try riptide.counting(["forward.new": count, "forward.confirmed": count]) {
            try run(.riptide, clients.beginning, first: 2 * first, repetitions: 2 * count, action: .transmit)
        }
    }

    /// The times of all runs in each round. Each run is first in some rounds and last in others.
    private func alternate(_ runs: [(_ round: Int) throws -> Double]) throws -> [[Double]] {
        try (0..<rounds).map { round in
            if round % 2 == 0 { return try runs.map { try $0(round) } }
            return Array(try runs.reversed().map { try $0(round) }.reversed())
        }
    }

    /// Nanoseconds a packet.
    private func run(
        _ slot: Slot, _ traffic: Traffic, first: Int = 0, repetitions: Int, action: Action
    ) throws -> Double {
        bench.use(traffic)
        try bench.call(slot.rawValue, first: first)
        let result = try bench.wrapper.test(traffic.packet, repetitions: repetitions)
        guard result.action == action.rawValue else {
            throw BenchFailure("\(slot) answered \(result.action) where \(action) (\(action.rawValue)) was expected")
        }
        return Double(result.duration)
    }
}

struct BenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

func median(_ numbers: [Double]) -> Double {
    let sorted = numbers.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
