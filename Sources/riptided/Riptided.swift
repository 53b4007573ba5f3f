import ArgumentParser
import ControlAPI
import Daemon
import Foundation
import Logging

@main
struct Riptided: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "riptided",
        abstract: "The Riptide load balancer's daemon: loads the data plane, keeps it up to date, answers 'riptide'.",
        discussion: """
            It runs in the foreground and logs to standard error. SIGHUP reads the configuration again; SIGTERM ends the daemon
            and leaves the data plane forwarding.
            """,
        version: Release.version)

    @Option(help: ArgumentHelp("The configuration.", valueName: "file"))
    var config = "/etc/riptide/riptide.yaml"

    @Option(help: ArgumentHelp("The control socket.", valueName: "path"))
    var socket = "/run/riptide/admin.sock"

    @Option(help: ArgumentHelp("Where what must outlive the daemon is kept.", valueName: "directory"))
    var stateDirectory = "/var/lib/riptide"

    @Option(help: ArgumentHelp("Where maps and links are pinned.", valueName: "directory"))
    var bpffs = "/sys/fs/bpf/riptide"

    @Option(help: "text or json.")
    var logFormat: LogFormat = .text

    @Option(help: "debug, info, warning or error.")
    var logLevel: LogLevel = .info

    @Flag(help: "Take the data plane away when the daemon ends.")
    var detach = false

    enum LogLevel: String, ExpressibleByArgument, CaseIterable {
        case debug, info, warning, error
    }

    /// As the parser's own, but wrong usage is status 2, as `riptide` has it.
    static func main() async {
        do {
            let command = try parse()
            try await command.run()
        } catch let error where exitCode(for: error) == .validationFailure {
            FileHandle.standardError.write(Data("\(fullMessage(for: error))\n".utf8))
            Foundation.exit(2)
        } catch {
            exit(withError: error)
        }
    }

    func run() async throws {
        let (format, level) = (logFormat, Logger.Level(rawValue: logLevel.rawValue) ?? .info)
        LoggingSystem.bootstrap { LineLogHandler(label: $0, format: format) }
        var logger = Logger(label: "riptided")
        logger.logLevel = level
        let options = DaemonOptions(
            configuration: config, socket: socket, stateDirectory: stateDirectory, bpffs: bpffs, detach: detach)
        do {
            try await RiptideDaemon.run(options, logger: logger)
        } catch {
            // The reason alone, on lines of its own, for whoever starts the daemon by hand.
            FileHandle.standardError.write(Data("riptided: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }
}

extension LogFormat: ExpressibleByArgument {}
