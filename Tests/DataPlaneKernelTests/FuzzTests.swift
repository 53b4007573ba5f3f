import Foundation
import TestSupport
import Testing

extension DataPlaneKernelTests {
    /// A short run of ./tools/fuzz, which runs for as long as one likes.
    @Suite struct Fuzzing {
        @Test func `200 000 mutated packets find nothing`() throws {
            let result = try Self.fuzz(["--packets", "200000", "--seed", "1"])
            #expect(result.status == 0, "\(result.stdout)\(result.stderr)")
            #expect(result.stdout.contains("Nothing found."), "\(result.stdout)")
        }

        @Test func `what is wrong with an outcome is seen`() throws {
            let result = try Self.fuzz(["--packets", "20000", "--seed", "2", "--self-test"])
            #expect(result.status == 0, "\(result.stdout)\(result.stderr)")
            let doctored = try #require(result.stdout.firstMatch(of: /Self-test: ([0-9]+) of ([0-9]+) doctored/))
            #expect(doctored.1 == doctored.2 && (Int(doctored.1) ?? 0) > 100, "\(doctored.0)")
        }

        /// Runs the program that was built beside these tests, on a BPF file system that goes when it ends.
        private static func fuzz(_ arguments: [String]) throws -> CommandResult {
            var folder = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
            while folder.path != "/", !FileManager.default.isExecutableFile(atPath: folder.appending(path: "riptide-fuzz").path) {
                folder = folder.deletingLastPathComponent()
            }
            let program = folder.appending(path: "riptide-fuzz").path
            return try Command.run(
                ["unshare", "--mount", "sh", "-c", "mount -t bpf bpf /sys/fs/bpf && exec \"$0\" \"$@\"", program] + arguments,
                timeout: .seconds(240))
        }
    }
}
