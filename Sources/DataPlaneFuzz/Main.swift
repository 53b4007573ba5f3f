import ArgumentParser
import FoundationEssentials
import DataPlane

@main
struct Fuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "riptide-fuzz",
        abstract: "Sends mutated packets through the data plane and checks what becomes of each; called by ./tools/fuzz.",
        discussion: """
            A seed gives the same configurations and packets in every run on one CPU of a machine until it is started again: \
            hashes have a secret of each boot, and what is made from packets that left follows their choices. Notes of \
            beginnings, client rates and time-outs follow the clock. What is checked holds whatever they choose.

            Exit status: 0 if nothing was found.
            """)

    @Option(help: ArgumentHelp("How many packets.", valueName: "n"))
    var packets = 1_000_000

    @Option(help: ArgumentHelp("Where chance begins.", valueName: "s"))
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("End after so many minutes, if it is not the end before.", valueName: "m"))
    var minutes: Double?

    @Option(help: ArgumentHelp("The first world; each has 100 000 packets and a configuration of its own.", valueName: "w"))
    var world = 0

    @Option(help: ArgumentHelp("Take the steps in this file, as findings list them, in that world.", valueName: "file"))
    var replay: String?

    @Option(help: ArgumentHelp("Write the steps that lead to the findings to files in this folder.", valueName: "folder"))
    var steps: String?

    @Flag(help: "Doctor outcomes, to see whether what is wrong is found.")
    var selfTest = false

    func validate() throws {
        guard packets > 0, world >= 0, minutes ?? 1 > 0 else { throw ValidationError("numbers must be above zero") }
    }

    func run() throws {
        let isFine = try replay.map(replay) ?? fuzz()
        if !isFine { throw ExitCode(1) }
    }

    private func fuzz() throws -> Bool {
        let began = ContinuousClock.now
        let deadline = minutes.map { began + .seconds($0 * 60) }
        let isEnded = { deadline.map { ContinuousClock.now >= $0 } ?? false }
        var fuzzer = Fuzzer(seed: seed)
        if selfTest { fuzzer.selfTest = SelfTest(seed: seed) }
        var (number, told, shown) = (world, began, 0)
        while fuzzer.packets < packets, !isEnded() {
            try fuzzer.run(world: number, limit: packets - fuzzer.packets, until: isEnded)
            number += 1
            for (place, finding) in fuzzer.findings.enumerated().dropFirst(shown) {
                print("\nFOUND \(finding.text)\n")
                try steps.map { try write(finding, to: "\($0)/finding-\(place + 1)") }
            }
            shown = fuzzer.findings.count
            if ContinuousClock.now - told > .seconds(10) {
                told = .now
                print("\(fuzzer.packets) packets in \(number - world) worlds: \(fuzzer.findings.count) findings")
            }
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        print(Summary(fuzzer, seconds: seconds, worlds: number - world).text)
        return fuzzer.findings.isEmpty && fuzzer.selfTest?.unseen.isEmpty ?? true
    }

    private func write(_ finding: Finding, to file: String) throws {
        let lines = (finding.steps ?? []).map { $0.line + "\n" }
        try lines.joined().write(to: URL(filePath: file), atomically: true, encoding: .utf8)
        print("Its steps are in \(file).")
    }

    private func replay(_ file: String) throws -> Bool {
        let text = try String(contentsOf: URL(filePath: file), encoding: .utf8)
        let seed = WorldSeed(seed: seed, number: world)
        let arena = try Arena(seed.world())
        var isFine = true
        for (number, line) in text.split(separator: "\n").map({ $0.trimmed }).filter({ !$0.isEmpty }).enumerated() {
            guard let step = Step(line: line) else { throw FuzzError("\(file): no step: \(line)") }
            var complaint: Complaint?
            do {
                try arena.take(step, seed: seed)
            } catch let error as Complaint {
                complaint = error
                isFine = false
            }
            print(Finding.describe(step, arena.last, number: number + 1, complaint))
        }
        return isFine
    }
}

/// What a run came to.
private struct Summary {
    let text: String

    init(_ fuzzer: Fuzzer, seconds: Double, worlds: Int) {
        var lines = ["", "What became of them:"]
        for (counter, count) in zip(CounterSet.catalogue, fuzzer.counts) {
            let digits = "\(count)"
            lines.append("  \(String(repeating: " ", count: max(0, 10 - digits.count)))\(digits)  \(counter.name)")
        }
        if let selfTest = fuzzer.selfTest {
            let seen = selfTest.doctored - selfTest.unseen.count
            lines.append("Self-test: \(seen) of \(selfTest.doctored) doctored outcomes were seen")
            lines += selfTest.unseen.prefix(20).map { "  not seen: \($0)" }
        }
        for (rule, count) in fuzzer.complaints.sorted(by: { $0.key < $1.key }) { lines.append("Complaints of \(rule): \(count)") }
        let rate = Int(Double(fuzzer.packets) / max(seconds, 0.001))
        lines.append(
            "Seed \(fuzzer.seed): \(fuzzer.packets) packets and \(fuzzer.canaryPackets) of canaries in \(worlds) worlds, "
                + "\(Int(seconds)) s, \(rate) a second; \(fuzzer.evicted) flows made way for others")
        lines.append(fuzzer.findings.isEmpty ? "Nothing found." : "\(fuzzer.findings.count) findings.")
        text = lines.joined(separator: "\n")
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
