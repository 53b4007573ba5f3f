import BPFRuntime
import DataPlane
import Foundation
import Testing

extension DataPlaneKernelTests {
    /// bpf/verifier-cost.json tells what the programs cost; what it tells is kept up to date.
    @Suite struct VerifierCosts {
        private static let file = URL(filePath: #filePath).appending(path: "../../../bpf/verifier-cost.json")
            .standardizedFileURL
        /// Of a million that the kernel allows. Kernels and compilers differ by less than the other half.
        private static let highestProcessed = 500_000
        private static let highestStack = 512
        private static let cure = "if it must be so, ./tools/record-verifier-cost records it anew"

        /// With RIPTIDE_RECORD_VERIFIER_COST=1 the file is written instead.
        @Test func `no program costs the verifier a tenth more than is recorded`() throws {
            let report = try DataPlane.verifierReport()
            if ProcessInfo.processInfo.environment["RIPTIDE_RECORD_VERIFIER_COST"] == "1" { try Self.record(report) }
            for (name, cost) in report.programs {
                #expect(cost.processed <= Self.highestProcessed, "\(name): instructions that the verifier walks")
                #expect(cost.stack <= Self.highestStack, "\(name): octets of stack")
            }
            let recorded = try JSONDecoder().decode(VerifierReport.self, from: Data(contentsOf: Self.file))
            #expect(recorded.programs.keys.sorted() == report.programs.keys.sorted(), "\(Self.cure)")
            // Another kernel's verifier and another compiler count otherwise: there the ceilings above must do.
            guard report.kernel == recorded.kernel, report.clang == recorded.clang else { return }
            for (name, cost) in report.programs {
                for growth in Self.growth(of: cost, over: recorded.programs[name] ?? cost) {
                    Issue.record("\(name): \(growth); \(Self.cure)")
                }
            }
        }

        @Test func `a growth of more than a tenth is found in each figure`() {
            let before = VerifierCost(processed: 1000, instructions: 100, stack: 10)
            #expect(Self.growth(of: before, over: before).isEmpty)
            #expect(Self.growth(of: VerifierCost(processed: 1100, instructions: 110, stack: 11), over: before).isEmpty)
            #expect(Self.growth(of: VerifierCost(processed: 500, instructions: 50, stack: 5), over: before).isEmpty)
            #expect(Self.growth(of: VerifierCost(processed: 1101, instructions: 100, stack: 10), over: before).count == 1)
            #expect(Self.growth(of: VerifierCost(processed: 1000, instructions: 111, stack: 12), over: before).count == 2)
        }

        private static func growth(of now: VerifierCost, over before: VerifierCost) -> [String] {
            [
                ("instructions that the verifier walks", before.processed, now.processed),
                ("translated instructions", before.instructions, now.instructions),
                ("octets of the deepest function's stack", before.stack, now.stack),
            ].filter { $0.2 * 10 > $0.1 * 11 }.map { "\($0.0) grew from \($0.1) to \($0.2)" }
        }

        private static func record(_ report: VerifierReport) throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try (encoder.encode(report) + Data("\n".utf8)).write(to: file, options: .atomic)
        }
    }
}
