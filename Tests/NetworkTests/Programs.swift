import Glibc
import Synchronization
import TestSupport

/// Where the programs under test are, and where each lab keeps its files.
enum Programs {
    /// RIPTIDE_BUILD_DIR, else the folder of this test bundle or one above it.
    static func path(_ name: String) throws -> String {
        let environment = getenv("RIPTIDE_BUILD_DIR").map { String(cString: $0) }
        var folders = environment.map { [$0] } ?? []
        if environment == nil {
            for argument in CommandLine.arguments where argument.contains("/") {
                var parts = argument.split(separator: "/", omittingEmptySubsequences: false).dropLast()
                while parts.count > 1 {
                    folders.append(parts.joined(separator: "/"))
                    parts = parts.dropLast()
                }
            }
        }
        guard let folder = folders.first(where: { access("\($0)/\(name)", X_OK) == 0 }) else {
            throw TestFailure("no \(name) in \(folders.joined(separator: ", ")); set RIPTIDE_BUILD_DIR")
        }
        return "\(folder)/\(name)"
    }

    /// Whether they were built for speed; only then may their times be judged.
    static var areOptimised: Bool {
        (try? path("riptided").split(separator: "/").contains { $0 == "release" }) ?? false
    }
}

/// A folder for files and one on the BPF file system, removed with this object; what killed runs left is removed by the next.
final class Scratch {
    let files: String
    let bpffs: String

    private static let prefix = "rtt"
    private static let count = Mutex(0)

    init() throws {
        let number = Self.count.withLock { count in
            count += 1
            return count
        }
        if number == 1 { try Self.sweep() }
        let name = "\(Self.prefix)-\(getpid())-\(number)"
        files = "/tmp/\(name)"
        bpffs = "/sys/fs/bpf/\(name)"
        guard mkdir(files, 0o755) == 0 else { throw TestFailure("make the folder \(files)") }
    }

    deinit { _ = try? Command.run(["rm", "-rf", files, bpffs]) }

    func write(_ text: String, to name: String) throws -> String {
        let path = "\(files)/\(name)"
        guard let file = fopen(path, "w") else { throw TestFailure("write \(path)") }
        defer { fclose(file) }
        guard fputs(text, file) >= 0 else { throw TestFailure("write \(path)") }
        return path
    }

    private static func sweep() throws {
        for folder in ["/tmp", "/sys/fs/bpf"] {
            for name in try Command.check(["ls", folder]).split(separator: "\n") {
                let parts = name.split(separator: "-")
                guard parts.count >= 3, parts[0] == prefix, let pid = Int32(parts[1]) else { continue }
                if kill(pid, 0) != 0, errno == ESRCH { _ = try Command.run(["rm", "-rf", "\(folder)/\(name)"]) }
            }
        }
    }
}
