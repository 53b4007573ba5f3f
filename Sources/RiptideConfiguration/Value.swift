/// A line and a column, counted from 1; columns in Unicode scalars.
struct Position: Hashable, Comparable, Sendable {
    var line: Int
    var column: Int

    static let start = Position(line: 1, column: 1)

    static func < (a: Position, b: Position) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// A node of the document, with its place. Scalars keep the text as written: YAML's own ideas of numbers and truth
/// values (`010` is 8, `1:30` is 90, `off` is false) never come into it.
struct Value {
    enum Content {
        case scalar(String, plain: Bool)
        case list([Value])
        case map([Entry])
    }

    struct Entry {
        var key: String
        var position: Position
        var value: Value
    }

    var position: Position
    var content: Content

    /// Whether nothing was written, or YAML's words for nothing.
    var isNull: Bool {
        guard case .scalar(let text, plain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// Whether this is nothing, or a list of nothing.
    var isEmpty: Bool {
        if case .list(let elements) = content { return elements.isEmpty }
        return isNull
    }

    /// What this is, in words.
    var kind: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a single value"
        case .list: "a list"
        case .map: "a mapping"
        }
    }
}

/// The way from the root of the document to a value; the text is made only when it is asked for.
indirect enum Path: CustomStringConvertible, Sendable {
    case root
    case key(String, of: Path)
    /// An element of a list, by its name or its index.
    case element(String, of: Path)

    var description: String {
        switch self {
        case .root: ""
        case .key(let key, of: .root): key.clipped
        case .key(let key, let parent): "\(parent).\(key.clipped)"
        case .element(let label, let parent): "\(parent)[\(label)]"
        }
    }
}

/// Where a diagnostic points.
struct Place: Sendable {
    var position: Position
    var path: Path

    var line: Int { position.line }
}

/// A value at its place.
struct Field {
    var value: Value
    var path: Path

    var place: Place { Place(position: value.position, path: path) }
}

/// A result, and where it was written.
struct Located<Wrapped: Sendable>: Sendable {
    var value: Wrapped
    var place: Place
}

extension String {
    /// The text in a form that is safe in a message: short, and without control characters.
    var clipped: String {
        var result = String.UnicodeScalarView()
        for (count, scalar) in unicodeScalars.enumerated() {
            if count == 48 {
                result.append("…")
                break
            }
            result.append(scalar.isControl ? "\u{fffd}" : scalar)
        }
        return String(result)
    }

    var quoted: String { "'\(clipped)'" }
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool {
        value < 0x20 || (0x7f..<0xa0).contains(value) || value == 0x2028 || value == 0x2029
    }
}
