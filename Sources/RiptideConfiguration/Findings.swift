/// What a reading has found so far. Bounded, so that a file of rubbish costs no more than its reading.
struct Findings {
    /// How many errors, and how many warnings, are kept.
    static let limit = 1000

    let file: String
    private(set) var hasErrors = false
    private var kept: [Diagnostic] = []
    private var counts: [Diagnostic.Severity: Int] = [:]

    init(file: String) { self.file = file }

    /// Whether further errors would not be kept, so that no work need go into their wording.
    var isFull: Bool { counts[.error, default: 0] >= Self.limit }

    mutating func error(at place: Place, _ message: @autoclosure () -> String, _ cure: @autoclosure () -> String) {
        hasErrors = true
        add(.error, place, message, cure)
    }

    mutating func warning(at place: Place, _ message: @autoclosure () -> String, _ cure: @autoclosure () -> String) {
        add(.warning, place, message, cure)
    }

    private mutating func add(
        _ severity: Diagnostic.Severity, _ place: Place, _ message: () -> String, _ cure: () -> String
    ) {
        counts[severity, default: 0] += 1
        guard counts[severity, default: 0] <= Self.limit else { return }
        kept.append(
            Diagnostic(
                severity: severity, file: file, line: place.position.line, column: place.position.column,
                path: "\(place.path)", message: message(), cure: cure()))
    }

    /// In the order of the file; if some were not kept, the last one says how many.
    var diagnostics: [Diagnostic] {
        var sorted = kept.sorted()
        for severity in [Diagnostic.Severity.error, .warning] {
            let dropped = counts[severity, default: 0] - Self.limit
            guard dropped > 0, let last = sorted.last else { continue }
            sorted.append(
                Diagnostic(
                    severity: severity, file: file, line: last.line, column: last.column, path: "document",
                    message: "\(dropped) more \(severity.rawValue)s are not listed",
                    cure: "mend the ones above and check again"))
        }
        return sorted
    }
}
