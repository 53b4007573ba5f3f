import ArgumentParser
import NetworkTypes

@main
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "riptide-bench", abstract: "Measures the data plane; called by ./tools/bench.",
        subcommands: [DataPlaneBenchmark.self, ForwardingBenchmark.self])
}

/// What both benchmarks have.
struct BenchOptions: ParsableArguments {
    @Option(help: "Where the figures go as JSON.")
    var json: String

    @Flag(help: "Fail where a figure is beyond its limit.")
    var gate = false

    /// Says whether limits are kept, which hold for one flow, where nothing but the programs' own work is compared.
    func judge(_ broken: [String]) throws {
        print("\nLimits: " + (broken.isEmpty ? "kept" : "NOT kept by " + broken.joined(separator: "; ")))
        if gate && !broken.isEmpty { throw ExitCode(1) }
    }
}

extension IPAddress.Family {
    var label: String { self == .ipv4 ? "IPv4" : "IPv6" }
}
