import ArgumentParser
import FoundationEssentials
import Glibc
import NetworkTypes

@main
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "riptide-bench", abstract: "Measures the data plane; called by ./tools/bench.",
        subcommands: [DataPlaneBenchmark.self])
}

/// `./tools/bench dataplane`.
struct DataPlaneBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataplane", abstract: "The cost of an established packet, beside a reference program and XDP_TX.")

    @Option(help: "The generator's end of a veth pair made for this run.")
    var near: String

    @Option(help: "Its other end.")
    var far: String

    @Option(help: "Where the figures go as JSON.")
    var json: String

    @Flag(help: "Fail where a figure is beyond its limit.")
    var gate = false

    /// The limits of issue A.
    static let highestCost = 1.6
    static let lowestRate = 0.80

    static let cases: [(IPAddress.Family, Int)] = [(.ipv4, 1), (.ipv6, 1), (.ipv4, 65_536)]

    struct Figures: Codable {
        var cost: [ProgramCost.Result] = []
        var endToEnd: [EndToEnd.Result] = []
    }

    func run() throws {
        var figures = Figures()
        let bench = try BenchObject()

        print("DR, established TCP packet: nanoseconds over the empty wrapper, medians of alternating rounds")
        print("           flows   wrapper   reference   Riptide   ratio")
        do {
            let cost = try ProgramCost(bench, BenchDataPlane(interface: 1))
            for (family, flows) in Self.cases + [(.ipv6, 65_536)] {
                let result = try cost.measure(family, flows: flows, rounds: 15, repetitions: 1_000_000)
                print(
                    "  \(result.family)   \(pad(flows, 9))   \(pad(result.wrapper, 7, 0))   \(pad(result.reference, 9, 0))"
                        + "   \(pad(result.riptide, 7, 0))   \(pad(result.ratio, 5, 2))")
                figures.cost.append(result)
            }
        }

        print("\nEnd to end over veth, one CPU, counted at the sink: million packets a second")
        print("           flows   XDP_TX alone   reference   Riptide   of XDP_TX")
        let endToEnd = try EndToEnd(bench, near: index(of: near), far: index(of: far))
        for (family, flows) in Self.cases {
            let result = try endToEnd.measure(family, flows: flows, rounds: 9, packets: 2_000_000)
            print(
                "  \(result.family)   \(pad(flows, 9))   \(pad(result.reflect, 12, 2))   \(pad(result.reference, 9, 2))"
                    + "   \(pad(result.riptide, 7, 2))   \(pad(result.ratio, 9, 2))")
            figures.endToEnd.append(result)
        }

        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(figures).write(to: URL(filePath: json))
        try judge(figures)
    }

    /// The limits hold for one flow, where nothing but the programs' own work is compared.
    private func judge(_ figures: Figures) throws {
        let dear = figures.cost.filter { $0.flows == 1 && $0.ratio > Self.highestCost }
        let slow = figures.endToEnd.filter { $0.flows == 1 && $0.ratio < Self.lowestRate }
        print("\nLimits: cost at most \(Self.highestCost) of the reference, rate at least \(Self.lowestRate) of XDP_TX: "
            + (dear.isEmpty && slow.isEmpty ? "kept" : "NOT kept"))
        if gate && !(dear.isEmpty && slow.isEmpty) { throw ExitCode(1) }
    }

    private func index(of interface: String) throws -> UInt32 {
        let index = if_nametoindex(interface)
        guard index != 0 else { throw BenchFailure("there is no interface \(interface)") }
        return index
    }

    private func pad(_ number: Int, _ width: Int) -> String { fill("\(number)", width) }

    private func pad(_ number: Double, _ width: Int, _ digits: Int) -> String {
        // Of a cost of nothing, as a clock of whole nanoseconds may find, there is no ratio.
        guard number.isFinite else { return fill("-", width) }
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        let rounded = Int((number * Double(scale)).rounded())
        guard digits > 0 else { return fill("\(rounded)", width) }
        let fraction = "\(rounded % scale)"
        return fill("\(rounded / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction, width)
    }

    private func fill(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
