import ArgumentParser
import ControlAPI
import Glibc

/// The command line of Riptide.
@main
struct Riptide: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "riptide",
        abstract: "Looks at a Riptide load balancer and operates it.",
        discussion: """
            Exit status: 0 done, 1 failed, 2 wrong usage, 3 the daemon cannot be reached.
            Environment: RIPTIDE_SOCKET is the socket when --socket is not given; NO_COLOR turns colours off.
            """,
        version: Release.version,
        subcommands: [
            StatusCommand.self, ConfigCommand.self, ServiceCommand.self, ServerCommand.self, FlowsCommand.self,
            PersistenceCommand.self, CountersCommand.self, DatapathCommand.self,
        ])

    // Here for options before the noun; the parser hands what it finds on to the subcommands' groups.
    @OptionGroup var options: GlobalOptions

    static func main() async {
        do {
            var command = try parseAsRoot(nil)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Glibc.exit(report(error))
        }
    }

    /// Says what happened, and answers with the exit status.
    private static func report(_ error: any Error) -> Int32 {
        switch error {
        case let failure as CommandFailure:
            if let message = failure.message { complain(message) }
            return ExitStatus.failed
        case let failure as ControlFailure:
            complain(failure.description)
            return failure.kind == .unreachable ? ExitStatus.unreachable : ExitStatus.failed
        case let problem as APIProblem:
            for diagnostic in problem.diagnostics ?? [] { writeError("\(diagnostic.text.printable)\n") }
            complain(problem.description)
            return ExitStatus.failed
        default:
            return reportParsing(error)
        }
    }

    /// Help and version are successes; the parser's own status for wrong usage is another one than ours.
    private static func reportParsing(_ error: any Error) -> Int32 {
        switch exitCode(for: error) {
        case .success:
            print(fullMessage(for: error))
            return ExitCode.success.rawValue
        case .validationFailure:
            writeError("\(fullMessage(for: error))\n")
            return ExitStatus.usage
        default:
            complain("\(error)")
            return ExitStatus.failed
        }
    }
}

/// What every command takes, before the noun or after the verb.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The daemon's socket (default: $RIPTIDE_SOCKET, else \(ControlSocket.defaultPath)).", valueName: "path"))
    var socket: String?

    @Option(help: ArgumentHelp("How to write results.", valueName: "table|json"))
    var format: OutputFormat = .table

    var socketPath: String {
        if let socket { return socket }
        if let variable = getenv("RIPTIDE_SOCKET").map({ String(cString: $0) }), !variable.isEmpty { return variable }
        return ControlSocket.defaultPath
    }

    var output: Output { Output(format: format, terminal: .standardOutput()) }

    /// Runs a command's work with the daemon.
    func withDaemon(_ body: (ControlClient, Output) async throws -> Void) async throws {
        let output = output
        try await ControlClient.with(socket: socketPath) { try await body($0, output) }
    }
}
