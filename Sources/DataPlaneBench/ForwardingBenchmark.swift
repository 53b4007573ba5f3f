import ArgumentParser
import NetworkTypes

/// `./tools/bench forwarding`.
struct ForwardingBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forwarding", abstract: "Packets per second over veth, beside what else forwards.")

    @OptionGroup var options: BenchOptions

    @Option(help: "Each measures all paths once.")
    var rounds = 9

    /// One path's rate by another's, and what it must not be below with one flow.
    struct Comparison {
        let path: Forwarding.Path
        let other: Forwarding.Path
        let limit: Double?
    }

    static let comparisons = [
        Comparison(path: .dr, other: .reflect, limit: 0.80),
        Comparison(path: .nat, other: .redirect, limit: 0.75),
        Comparison(path: .natAnswer, other: .redirect, limit: 0.75),
        Comparison(path: .nat, other: .nftables, limit: 4),
        Comparison(path: .nat, other: .kernel, limit: nil),
    ]

    static let cases: [(IPAddress.Family, Int)] = [(.ipv4, 1), (.ipv6, 1), (.ipv4, 65_536)]

    struct Ratio: Codable {
        var path: Forwarding.Path
        var other: Forwarding.Path
        /// The median of the rounds' own ratios.
        var ratio: Double
        var limit: Double?
    }

    struct Figures: Codable {
        var family: String
        var flows: Int
        /// Million packets a second, medians over the rounds.
        var rates: [Forwarding.Path: Double]
        var ratios: [Ratio]
    }

    func run() throws {
        let forwarding = try Forwarding()
        print("End to end over veth, one CPU, counted at the sink: medians of alternating rounds")
        let figures = try Self.cases.map { family, flows in
            let rates = try forwarding.measure(family, flows: flows, rounds: rounds)
            let figures = Figures(
                family: family.label, flows: flows, rates: rates.mapValues(median),
                ratios: Self.comparisons.map { comparison in
                    Ratio(
                        path: comparison.path, other: comparison.other,
                        ratio: median(zip(rates[comparison.path]!, rates[comparison.other]!).map { $0 / $1 }),
                        limit: flows == 1 ? comparison.limit : nil)
                })
            show(figures)
            return figures
        }
        try write(figures, to: options.json)
        try options.judge(
            figures.flatMap { each in
                each.ratios.filter { $0.ratio < $0.limit ?? 0 }
                    .map { "\($0.path.rawValue) by \($0.other.rawValue) (\(each.family))" }
            })
    }

    private func show(_ figures: Figures) {
        let title = "\(figures.family), \(figures.flows) flow\(figures.flows == 1 ? "" : "s")"
        let rates = Sheet(title, [("million packets a second", 0), ("", 5)])
        for path in Forwarding.Path.allCases { rates.line([path.rawValue, decimal(figures.rates[path]!, 2)]) }
        let ratios = Sheet(nil, [("", 20), ("by", 17), ("ratio", 5), ("limit", 5)])
        for each in figures.ratios {
            ratios.line([
                each.path.rawValue, each.other.rawValue, decimal(each.ratio, 2), each.limit.map { decimal($0, 2) } ?? "",
            ])
        }
    }
}
