import ArgumentParser
package import ControlAPI
import Glibc

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Shows, checks and applies the configuration.",
        subcommands: [Show.self, Check.self, Apply.self])

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Prints the configuration that is in force.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withDaemon { daemon, output in
                let configuration = try await daemon.configuration()
                switch output.format {
                case .json: print(try Output.json(configuration))
                // The very text, so that it can be edited and applied.
                case .table: print(configuration.text, terminator: configuration.text.hasSuffix("\n") ? "" : "\n")
                }
            }
        }
    }

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Checks a configuration without applying it.",
            discussion: """
                Without FILE the daemon reads its own file. A FILE is checked even when no daemon runs, then without \
                regard to this machine's addresses. Exit status 1 when there are errors.
                """)

        @Argument(help: "A configuration; - is standard input.") var file: String?
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let source = try file.map(ConfigurationSource.init)
            let output = options.output
            let report: ConfigReport
            do {
                report = try await ControlClient.with(socket: options.socketPath) {
                    try await $0.checkConfiguration(source?.text, file: source?.name)
                }
            } catch let failure as ControlFailure where failure.kind == .unreachable {
                guard let source else { throw failure }
                report = checkOffline(source.text, file: source.name)
                complain("\(failure.message): checked without the daemon, this machine's addresses were not considered")
            }
            try output.show(report) { _ in reportLines(report, source?.name ?? "the daemon's file") }
            guard report.valid else { throw CommandFailure() }
        }
    }

    struct Apply: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Puts a configuration in force; with errors nothing changes.",
            discussion: "Without FILE the daemon reads its own file anew.")

        @Argument(help: "A configuration; - is standard input.") var file: String?
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let source = try file.map(ConfigurationSource.init)
            try await options.withDaemon { daemon, output in
                let report = try await daemon.applyConfiguration(source?.text, file: source?.name)
                try output.show(report) { _ in applyLines(report) }
            }
        }
    }
}

/// A configuration's text, and the name that diagnostics use for it.
struct ConfigurationSource: Sendable {
    var text: String
    var name: String

    /// - Parameter path: `-` is standard input.
    init(_ path: String) throws {
        name = path == "-" ? "standard input" : path
        let bytes: [UInt8]
        do throws(ReadError) {
            bytes = try readAll(path)
        } catch {
            throw CommandFailure(message: "read \(name): \(error.reason) (name a file that can be read)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure(message: "read \(name): it is not UTF-8 (save it as UTF-8)")
        }
        guard !text.isEmpty else {
            // For the daemon an empty text means its own file.
            throw CommandFailure(message: "read \(name): it is empty (a configuration begins with version: 1)")
        }
        self.text = text
    }
}

private struct ReadError: Error {
    var errno: Int32
    var reason: String { String(cString: strerror(errno)) }
}

/// A whole file; `-` is standard input.
private func readAll(_ path: String) throws(ReadError) -> [UInt8] {
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ReadError(errno: errno) }
    defer { if descriptor != STDIN_FILENO { close(descriptor) } }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count == 0 { return bytes }
        if count > 0 { bytes += chunk[..<count] } else if errno != EINTR { throw ReadError(errno: errno) }
    }
}

/// The lines of `riptide config check`.
package func reportLines(_ report: ConfigReport, _ name: String) -> [String] {
    let errors = report.diagnostics.filter { $0.severity == "error" }.count
    let warnings = report.diagnostics.filter { $0.severity == "warning" }.count
    var summary = "\(name): \(report.valid ? "valid" : Text.count(errors, "error"))"
    if warnings > 0 { summary += ", \(Text.count(warnings, "warning"))" }
    return report.diagnostics.map(\.text.printable) + [summary.printable]
}

/// The lines of `riptide config apply`.
package func applyLines(_ report: ApplyReport) -> [String] {
    var lines = report.report.diagnostics.map(\.text.printable)
    guard report.changed else { return lines + ["Nothing changed."] }
    let groups = [
        ("Added", report.servicesAdded), ("Changed", report.servicesChanged), ("Removed", report.servicesRemoved),
    ]
    for (title, services) in groups where !services.isEmpty {
        lines.append("\(title): \(services.joined(separator: ", "))".printable)
    }
    return lines + ["Applied with \(Text.count(report.mapWrites, "map write"))."]
}
