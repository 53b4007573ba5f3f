import BPFRuntime
import DataPlane
import NetworkTypes
import PacketKit

/// What one packet of an established flow costs, beside the reference program: nanoseconds over the empty wrapper.
struct ProgramCost {
    struct Result: Codable {
        var family: String
        var flows: Int
        /// Nanoseconds of the wrapper with nothing behind it.
        var wrapper: Double
        /// Net of the wrapper.
        var reference: Double
        var riptide: Double
        /// The median over the rounds of riptide's net cost over the reference's.
        var ratio: Double
    }

    private enum Slot: UInt32, CaseIterable {
        case empty, reference, riptide, referenceLearn
    }

    let bench: BenchObject
    let riptide: BenchDataPlane

    init(_ bench: BenchObject, _ riptide: BenchDataPlane) throws {
        self.bench = bench
        self.riptide = riptide
        try bench.register(bench.empty, as: Slot.empty.rawValue)
        try bench.register(bench.reference, as: Slot.reference.rawValue)
        try bench.register(bench.referenceLearn, as: Slot.referenceLearn.rawValue)
        try riptide.dataPlane.withProgram { try bench.register($0, as: Slot.riptide.rawValue) }
    }

    /// Establishes the flows in both programs' tables, then measures in alternating rounds.
    func measure(_ family: IPAddress.Family, flows: Int, rounds: Int, repetitions: Int) throws -> Result {
        let (syn, ack) = (BenchDataPlane.packet(family, flags: [.syn]), BenchDataPlane.packet(family, flags: [.ack]))
        try run(.riptide, syn, flows: flows, repetitions: flows)
        try run(.riptide, ack, flows: flows, repetitions: flows)
        try run(.referenceLearn, ack, flows: flows, repetitions: flows)
        var costs: [Slot: [Double]] = [:]
        for round in 0..<rounds {
            // Each program is first in some rounds and last in others.
            let order: [Slot] = round % 2 == 0 ? [.empty, .reference, .riptide] : [.riptide, .reference, .empty]
            for slot in order {
                costs[slot, default: []].append(try run(slot, ack, flows: flows, repetitions: repetitions))
            }
        }
        let rounds = zip(costs[.empty]!, zip(costs[.reference]!, costs[.riptide]!))
        return Result(
            family: family == .ipv4 ? "IPv4" : "IPv6", flows: flows, wrapper: median(costs[.empty]!),
            reference: median(rounds.map { $1.0 - $0 }), riptide: median(rounds.map { $1.1 - $0 }),
            ratio: median(rounds.map { ($1.1 - $0) / ($1.0 - $0) }))
    }

    @discardableResult
    private func run(_ slot: Slot, _ packet: [UInt8], flows: Int, repetitions: Int) throws -> Double {
        try bench.use(packet, flows: flows, program: slot.rawValue)
        let result = try bench.wrapper.test(packet, repetitions: max(2, repetitions))
        guard result.action == 3 else {
            throw BenchFailure("\(slot) answered \(result.action) where XDP_TX (3) was expected")
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
