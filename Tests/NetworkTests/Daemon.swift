import FoundationEssentials
import Glibc
import NetworkTypes
import TestSupport

/// A riptided of a test in a namespace, with files, socket and pins of its own, and `riptide` to speak to it. Ended and cleaned
/// up with this object.
final class Daemon {
    let namespace: TestNamespace
    let configurationFile: String
    let socket: String
    var bpffs: String { scratch.bpffs }
    var stateDirectory: String { "\(scratch.files)/state" }
    private let scratch: Scratch
    private let riptided: String
    private let riptide: String
    private(set) var process: BackgroundProcess?

    /// Writes the configuration; the daemon is not started.
    init(in namespace: TestNamespace, _ configuration: String) throws {
        self.namespace = namespace
        scratch = try Scratch()
        configurationFile = try scratch.write(configuration, to: "riptide.yaml")
        socket = "\(scratch.files)/admin.sock"
        riptided = try Programs.path("riptided")
        riptide = try Programs.path("riptide")
    }

    /// A daemon that runs and knows every real server's MAC.
    static func running(in namespace: TestNamespace, _ configuration: String) throws -> Daemon {
        let daemon = try Daemon(in: namespace, configuration)
        try daemon.start()
        try daemon.awaitServers()
        return daemon
    }

    deinit { try? process?.kill() }

    /// Starts it and waits until it answers.
    func start(_ options: [String] = []) throws {
        let process = try BackgroundProcess(
            [
                riptided, "--config", configurationFile, "--socket", socket, "--state-directory",
                stateDirectory, "--bpffs", bpffs,
            ] + options, in: namespace)
        self.process = process
        try eventually(within: .seconds(20), every: .milliseconds(20), "riptided answers; it said: \(process.stderr)") {
            if !process.isRunning { throw TestFailure("riptided has ended: \(process.stderr)") }
            // The socket appears before it listens; what was there may be of a daemon that was killed.
            return try access(socket, F_OK) == 0 && run("datapath", "status").status == 0
        }
    }

    /// Waits until every real server that is online can be reached.
    func awaitServers(within limit: Duration = .seconds(10)) throws {
        try eventually(within: limit, every: .milliseconds(20), "every real server is known; the daemon said: \(log)") {
            try services().allSatisfy { $0.servers.allSatisfy { $0.mac != nil || $0.state != "online" } }
        }
    }

    /// What all its lives so far have logged since the last start.
    var log: String { process?.stderr ?? "" }

    func kill() throws { try process?.kill() }

    func signal(_ number: Int32) { process?.signal(number) }

    @discardableResult
    func terminate() throws -> ProcessEnd { try process?.stop(timeout: .seconds(10)) ?? .exited(-1) }

    /// `riptide ARGUMENTS`.
    func run(_ arguments: String...) throws -> CommandResult { try run(arguments) }

    func run(_ arguments: [String], input: String? = nil) throws -> CommandResult {
        try Command.run(
            [riptide] + arguments, input: input.map { Array($0.utf8) }, environment: ["RIPTIDE_SOCKET": socket])
    }

    /// `riptide ARGUMENTS`, which has to succeed.
    @discardableResult
    func check(_ arguments: String...) throws -> String { try check(arguments) }

    @discardableResult
    func check(_ arguments: [String]) throws -> String {
        let result = try run(arguments)
        guard result.status == 0 else {
            throw TestFailure("riptide \(arguments.joined(separator: " ")): \(result.end): \(result.stderr)\(result.stdout)")
        }
        return result.stdout
    }

    /// `riptide --format json ARGUMENTS`, read.
    func read<Document: Decodable>(_ type: Document.Type, _ arguments: String...) throws -> Document {
        let result = try run(["--format", "json"] + arguments)
        guard result.status == 0 else {
            throw TestFailure("riptide \(arguments.joined(separator: " ")): \(result.end): \(result.stderr)\(result.stdout)")
        }
        return try JSONDecoder().decode(type, from: Data(result.standardOutput))
    }

    func services() throws -> [ServiceDocument] { try read(ServicesDocument.self, "service", "list").services }

    func service(_ name: String) throws -> ServiceDocument { try read(ServiceDocument.self, "service", "show", name) }

    func server(_ service: String, _ name: String) throws -> ServerDocument {
        try read(ServerDocument.self, "server", "show", service, name)
    }

    func persistence(_ service: String) throws -> [PersistenceDocument.Entry] {
        try read(PersistenceDocument.self, "persistence", "list", "--service", service).entries
    }

    func dataPath() throws -> DataPathDocument { try read(DataPathDocument.self, "datapath", "status") }

    /// A counter's packets by its name.
    func counters() throws -> [String: Int] {
        let counters = try read(CountersDocument.self, "counters").counters
        return Dictionary(uniqueKeysWithValues: counters.map { ($0.name, $0.value) })
    }

    /// The counters above 0 that a healthy network does not show.
    func complaints() throws -> [String: Int] {
        let counters = try read(CountersDocument.self, "counters").counters.filter { !$0.expected && $0.value > 0 }
        return Dictionary(uniqueKeysWithValues: counters.map { ($0.name, $0.value) })
    }

    /// Applies the text as a file of its own.
    @discardableResult
    func apply(_ configuration: String, timeout: Duration = .seconds(30)) throws -> ApplyDocument {
        let result = try run(["--format", "json", "config", "apply", "-"], input: configuration)
        guard result.status == 0 else {
            throw TestFailure("riptide config apply: \(result.end): \(result.stderr)\(result.stdout)")
        }
        return try JSONDecoder().decode(ApplyDocument.self, from: Data(result.standardOutput))
    }

    /// A file beside the daemon's own.
    func write(_ text: String, to name: String) throws -> String { try scratch.write(text, to: name) }

    /// The daemon's configuration file as it is now.
    func fileText() throws -> String { try Command.check(["cat", configurationFile]) }
}
