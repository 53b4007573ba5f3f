import BPFRuntime
import DataPlane
import Glibc
import LoadBalancing

/// The shipped object with a world's configuration, and the judge of what it does. Its maps go when it goes.
final class Arena {
    private(set) var judge: Judge
    private let plane: DataPlane
    private let totals: PerCPUTotals
    /// Each counter as it was after the packet before.
    private var known: [UInt64]
    private let memory: Int
    private var packets = 0
    /// The last packet's outcome, judged or not.
    private(set) var last: Outcome?
    /// Flows that made way for others so far, when last looked at.
    private(set) var evicted = 0

    /// Counters by what the packet's verdict was, as XDP_* has it; together they are the whole catalogue.
    private static let ranges: [UInt32: Range<Int>] = {
        func range(_ kinds: Counter.Kind...) -> Range<Int> {
            let members = CounterSet.catalogue.indices.filter { kinds.contains(CounterSet.catalogue[$0].kind) }
            precondition(members == Array(members[0]...members.last!), "kinds of counters are not side by side")
            return members[0]..<members.last! + 1
        }
        return [
            Outcome.pass: range(.pass), Outcome.drop: range(.drop), Outcome.transmit: range(.forward, .reply),
            Outcome.redirect: range(.forward, .reply),
        ]
    }()

    /// Two may be there at once, each with its own maps.
    private nonisolated(unsafe) static var made = 0

    /// How often the whole catalogue is read: a counter that rose beside the right one is found then.
    private static let interval = 64

    init(_ world: World) throws {
        judge = Judge(world: world)
        Self.made += 1
        let pins = PinDirectory(root: "/sys/fs/bpf/riptide-fuzz-\(getpid())-\(Self.made)")
        plane = try DataPlane(pins: pins, settings: world.settings, services: world.configuration)
        do {
            try plane.setInterface(1, mac: World.ownMAC)
            try plane.setInterface(2, mac: World.farMAC)
            guard let counters = try AnyMap.pinned(at: "\(pins.maps)/counters") else {
                throw FuzzError("the map of the counters is not pinned at \(pins.maps)")
            }
            totals = try PerCPUTotals(PerCPUArray(counters, name: "counters"))
            known = [UInt64](repeating: 0, count: totals.count)
            memory = try plane.audit().memory
        } catch {
            plane.removePins()
            throw error
        }
        try change(to: world)
        _ = try rises()
    }

    deinit { plane.removePins() }

    /// Configures the data plane anew.
    private func change(to world: World) throws {
        judge.world = world
        plane.setActive(world.isActive)
        _ = try plane.apply(world.configuration, settings: world.settings, nextHop: world.nextHop)
    }

    /// Throws a ``Complaint`` if what comes of the step may not be. Answers what became of a packet.
    @discardableResult
    func take(_ step: Step, seed: WorldSeed) throws -> Outcome? {
        switch step {
        case .packet(let frame):
            let outcome = try run(frame)
            try judge.check(outcome)
            return outcome
        case .canary(let frame, let output):
            let outcome = try run(frame)
            try judge.check(outcome)
            if outcome.output == output { return outcome }
            throw Complaint(
                "canary",
                "a packet of a connection that nobody else knows is \(outcome.counterName) and leaves otherwise than before")
        case .change(let number): try change(to: seed.changed(judge.world, number))
        case .audit: try audit()
        }
        return nil
    }

    /// What becomes of the frame, before it is judged. Throws a ``Complaint`` if it was not counted once.
    private func run(_ frame: [UInt8]) throws -> Outcome {
        last = nil
        let result = try plane.test(frame)
        let range = Self.ranges[result.action] ?? 0..<totals.count
        var risen: [(counter: Int, by: UInt64)] = []
        try totals.read(range) { number, total in
            if total != known[number] { risen.append((number, total &- known[number])) }
            known[number] = total
        }
        packets += 1
        if risen.count != 1 || risen[0].by != 1 {
            let others = try rises()
            let names = (risen + others).map { "\(CounterSet.catalogue[$0.counter].name) by \($0.by)" }
            throw Complaint("count", "\(Outcome.name(result.action)), and counters rose: \(names)")
        }
        if packets % Self.interval == 0, case let others = try rises(), !others.isEmpty {
            let names = others.map { "\(CounterSet.catalogue[$0.counter].name) by \($0.by)" }
            throw Complaint("count", "within \(Self.interval) packets other counters than theirs rose: \(names)")
        }
        let outcome = Outcome(input: frame, output: result.packet, action: result.action, counter: risen[0].counter)
        last = outcome
        return outcome
    }

    /// All counters that have risen since they were last read.
    private func rises() throws -> [(counter: Int, by: UInt64)] {
        var risen: [(counter: Int, by: UInt64)] = []
        try totals.read(0..<totals.count) { number, total in
            if total != known[number] { risen.append((number, total &- known[number])) }
            known[number] = total
        }
        return risen
    }

    /// Throws a ``Complaint`` if the tables contradict themselves or have grown.
    private func audit() throws {
        let audit = try plane.audit()
        evicted = audit.evicted
        if !audit.errors.isEmpty {
            let more = audit.errors.count > 5 ? "; and \(audit.errors.count - 5) more" : ""
            throw Complaint("audit", audit.errors.prefix(5).joined(separator: "; ") + more)
        }
        guard audit.memory == memory else {
            throw Complaint("memory", "the tables took \(memory) octets and take \(audit.memory)")
        }
        guard audit.flows <= judge.world.settings.flows else {
            throw Complaint("memory", "\(audit.flows) flows are in a table for \(judge.world.settings.flows)")
        }
    }
}

/// What keeps the fuzzer itself from going on.
struct FuzzError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
