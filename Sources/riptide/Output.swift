import ArgumentParser
import ControlAPI
import FoundationEssentials
import Glibc

/// How results are written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json
}

/// Standard output in the chosen format.
struct Output: Sendable {
    var format: OutputFormat
    var terminal: Terminal

    /// The value as JSON, or the lines that show it to a person.
    func show(_ value: some Encodable, _ lines: (Terminal) -> [String]) throws {
        switch format {
        case .json: print(try Self.json(value))
        case .table: for line in lines(terminal) { print(line) }
        }
    }

    /// As the API answers, but indented, with the keys sorted.
    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}

/// A command that did not do what it was asked for; what is to be said was said when `message` is `nil`.
struct CommandFailure: Error, Sendable {
    var message: String?
}

/// The program's exit statuses.
enum ExitStatus {
    static let failed: Int32 = 1
    static let usage: Int32 = 2
    static let unreachable: Int32 = 3
}

/// One line on standard error, without characters that could move the cursor.
func complain(_ message: String) { writeError("riptide: \(message.printable)\n") }

/// Writes to standard error at once. There is nothing to do about a failure.
func writeError(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return }
    }
}
