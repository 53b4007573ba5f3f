/// One thing that is wrong, or probably wrong, in a configuration file.
package struct Diagnostic: Hashable, Sendable {
    package enum Severity: String, Hashable, Sendable {
        /// The configuration cannot be used.
        case error
        /// It can be used, and probably does not do what was meant.
        case warning
    }

    package var severity: Severity
    package var file: String
    /// Counted from 1.
    package var line: Int
    /// Counted from 1, in Unicode scalars.
    package var column: Int
    /// The value's place in the document, such as `services[Harmonic_Traffic].servers[HT1].weight`. An element of a list
    /// is called by its name where it has one, else by its index, counted from 0.
    package var path: String
    /// What is wrong.
    package var message: String
    /// What to write instead.
    package var cure: String

    package init(
        severity: Severity, file: String, line: Int, column: Int, path: String, message: String, cure: String
    ) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.message = message
        self.cure = cure
    }
}

extension Diagnostic: CustomStringConvertible {
    /// `file:line:column: path: what is wrong (what to write instead)`; a warning has `warning: ` before the path.
    package var description: String {
        "\(file):\(line):\(column): \(severity == .warning ? "warning: " : "")\(path): \(message) (\(cure))"
    }
}

extension Diagnostic: Comparable {
    /// In the order of the file; at one place errors come first.
    package static func < (a: Diagnostic, b: Diagnostic) -> Bool {
        (a.line, a.column, a.severity.rawValue, a.path, a.message)
            < (b.line, b.column, b.severity.rawValue, b.path, b.message)
    }
}

extension Sequence<Diagnostic> {
    /// How many there are of each severity, such as `2 errors, 1 warning`, or `no errors`.
    package var summary: String {
        var (errors, warnings) = (0, 0)
        for diagnostic in self {
            switch diagnostic.severity {
            case .error: errors += 1
            case .warning: warnings += 1
            }
        }
        func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
        let errorPart = errors == 0 ? "no errors" : counted(errors, "error")
        return warnings == 0 ? errorPart : errorPart + ", " + counted(warnings, "warning")
    }
}
