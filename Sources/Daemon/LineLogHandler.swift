import FoundationEssentials
import Glibc
package import Logging

/// How log lines are written to standard error.
package enum LogFormat: String, Sendable, CaseIterable {
    /// `2026-11-21T04:05:06Z warning riptided: interface is gone interface=eth1`
    case text
    /// One JSON object a line.
    case json
}

/// Writes each message as one line, whole, to standard error.
package struct LineLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level = .info
    private let label: String
    private let format: LogFormat

    package init(label: String, format: LogFormat) {
        self.label = label
        self.format = format
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let pairs = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let time = Date.now.formatted(.iso8601)
        var line: String
        switch format {
        case .text:
            line = "\(time) \(event.level) \(label): \(event.message)"
            for (key, value) in pairs { line += " \(key)=\(Self.quoted("\(value)"))" }
        case .json:
            var object = ["time": time, "level": "\(event.level)", "unit": label, "message": "\(event.message)"]
            for (key, value) in pairs { object[key] = "\(value)" }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            line = (try? encoder.encode(object)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        }
        line = String(line.map { $0 == "\n" ? "␤" : $0 }) + "\n"
        line.withCString { _ = write(STDERR_FILENO, $0, strlen($0)) }
    }

    private static func quoted(_ value: String) -> String {
        value.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" })
            ? "\"" + value.replacing("\"", with: "\\\"") + "\"" : value
    }
}
