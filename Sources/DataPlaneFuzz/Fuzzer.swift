import DataPlane
import PacketKit

/// What a world and all that happens in it follows from.
struct WorldSeed {
    let seed: UInt64
    let number: Int

    private func random(_ purpose: UInt64) -> Random {
        var random = Random(seed: seed &+ UInt64(number) &* 0x1_0000_0001 ^ purpose << 48)
        return Random(seed: random.next())
    }

    func world() -> World {
        var random = random(1)
        return World(&random)
    }

    func traffic() -> Traffic {
        var random = random(2)
        return Traffic(seed: random.next())
    }

    /// The world after its change of this number.
    func changed(_ world: World, _ change: Int) -> World {
        var (world, random) = (world, random(UInt64(3 + change)))
        world.change(&random)
        return world
    }
}

/// Something that should not be, and how to see it again.
struct Finding {
    let complaint: Complaint
    let packet: Int
    let seed: WorldSeed
    let step: Step
    /// Of the last packet that was sent.
    let outcome: Outcome?
    /// `nil` if it did not come again.
    let steps: [Step]?

    var text: String {
        var lines = ["\(complaint.rule): \(complaint.text)", "  seed \(seed.seed), packet \(packet), world \(seed.number)"]
        lines += Self.lines(step, outcome)
        guard let steps else {
            lines.append("  It did not come again in a second try: see it by running the seed.")
            return lines.joined(separator: "\n")
        }
        let again = "./tools/fuzz --seed \(seed.seed) --world \(seed.number) --replay FILE"
        lines.append("  These \(steps.count) steps lead there (\(again)):")
        lines += steps.prefix(12).map { "    \($0.line)" }
        if steps.count > 12 { lines.append("    … and \(steps.count - 12) more") }
        return lines.joined(separator: "\n")
    }
}

extension Finding {
    private static func lines(_ step: Step, _ outcome: Outcome?) -> [String] {
        switch step {
        case .change, .audit: return ["  \(step.line)"]
        case .packet(let frame), .canary(let frame, _):
            let came = ["  came  \(hexadecimal(frame))", "        \(Packet(decoding: frame))"]
            guard let outcome, outcome.input == frame else { return came }
            return came + [
                "  left  \(hexadecimal(outcome.output))", "        \(Packet(decoding: outcome.output))",
                "        \(outcome.actionName), \(outcome.counterName)",
            ]
        }
    }

    /// A step that was taken, for people to read.
    static func describe(_ step: Step, _ outcome: Outcome?, number: Int, _ complaint: Complaint?) -> String {
        let judgement = complaint.map { "\($0.rule): \($0.text)" } ?? "fine"
        return (["step \(number): \(judgement)"] + lines(step, outcome)).joined(separator: "\n")
    }
}

/// Runs world after world and collects what is found: of each rule the first case, made as small as it gets.
struct Fuzzer {
    static let packetsPerWorld = 100_000
    private static let packetsPerChange = 12_500
    private static let packetsPerCanary = 50

    let seed: UInt64
    /// Doctors outcomes to see whether the judge notices.
    var selfTest: SelfTest?
    private(set) var findings: [Finding] = []
    private(set) var packets = 0
    private(set) var canaryPackets = 0
    private(set) var evicted = 0
    /// By the number of the counter.
    private(set) var counts = [Int](repeating: 0, count: CounterSet.catalogue.count)
    /// By rule.
    private(set) var complaints: [String: Int] = [:]

    init(seed: UInt64) { self.seed = seed }

    /// Up to `limit` packets of the world of this number, until `isEnded` says so.
    mutating func run(world number: Int, limit: Int, until isEnded: () -> Bool) throws {
        let run = try Run(WorldSeed(seed: seed, number: number))
        for index in 0..<min(limit, Self.packetsPerWorld) {
            if index % Self.packetsPerChange == 0 {
                if isEnded() { break }
                if index > 0 {
                    try attempt(.audit, in: run)
                    try attempt(.change(index / Self.packetsPerChange), in: run)
                }
                try plantCanaries(in: run)
            }
            if index % Self.packetsPerCanary == 0, let canary = run.canaries.next() {
                canaryPackets += 1
                try attempt(.canary(canary.frame, output: canary.output), in: run)
            }
            if let outcome = try attempt(.packet(run.traffic.next(run.arena.judge.world)), in: run) {
                run.traffic.remember(outcome)
            }
            packets += 1
        }
        try attempt(.audit, in: run)
        evicted += run.arena.evicted
    }

    /// New connections that none of the other packets belong to, where no flow has to make way for others.
    private mutating func plantCanaries(in run: Run) throws {
        run.canaries = Canaries()
        guard run.arena.judge.world.isRoomy else { return }
        run.plantings += 1
        for opening in Canaries.openings(run.arena.judge.world, number: run.plantings) {
            _ = try attempt(.packet(opening.first), in: run)
            guard try attempt(.packet(opening.second), in: run)?.counters == .forwardConfirmed,
                let flow = try attempt(.packet(opening.second), in: run), flow.counters == .forwardFlow
            else { continue }
            run.canaries.add(flow)
            let answer = Traffic.turnedRound(flow.output, Facts(flow.output), own: World.ownMAC)
            if let outcome = try attempt(.packet(answer), in: run), outcome.counters == .forwardAnswer {
                run.canaries.add(outcome)
            }
        }
    }

    /// Takes a step; a complaint becomes a finding, unless one of its rule is known.
    @discardableResult
    private mutating func attempt(_ step: Step, in run: Run) throws -> Outcome? {
        run.steps.append(step)
        do {
            let outcome = try run.arena.take(step, seed: run.seed)
            if let outcome {
                counts[outcome.counter] += 1
                selfTest?.doctor(outcome, before: run.arena)
            }
            return outcome
        } catch let complaint as Complaint {
            complaints[complaint.rule, default: 0] += 1
            if complaints[complaint.rule] == 1 { try report(complaint, step, in: run) }
            return nil
        }
    }

    private mutating func report(_ complaint: Complaint, _ step: Step, in run: Run) throws {
        let outcome = run.arena.last
        var minimiser = Minimiser(run.seed.world(), seed: run.seed)
        let steps = try minimiser.minimise(run.steps, rule: complaint.rule)
        findings.append(
            Finding(complaint: complaint, packet: packets, seed: run.seed, step: step, outcome: outcome, steps: steps))
    }
}

/// One world's course.
private final class Run {
    let seed: WorldSeed
    let arena: Arena
    var traffic: Traffic
    var steps: [Step] = []
    var canaries = Canaries()
    var plantings = 0

    init(_ seed: WorldSeed) throws {
        self.seed = seed
        arena = try Arena(seed.world())
        traffic = seed.traffic()
    }
}
