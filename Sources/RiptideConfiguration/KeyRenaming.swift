/// The text of a document, in which repeated keys are renamed one after the other so that it can be parsed.
///
/// A new name has as many Unicode scalars as the old one, so every position in the text stays as it was. It is made of
/// characters for private use, which no configuration contains.
struct KeyRenaming {
    private(set) var text: String
    /// What has been renamed, and where.
    private(set) var renamed: [(key: String, position: Position)] = []
    private var originals: [String: String] = [:]
    /// How often the text may be parsed again: less often for a large one, since that costs as much as it is long.
    private var remaining: Int

    init(text: String) {
        self.text = text
        remaining = min(16, max(1, (4 << 20) / max(1, text.utf8.count)))
    }

    func original(of key: String) -> String { originals.isEmpty ? key : originals[key] ?? key }

    /// Renames the key that is written at this position; false if it is not found there as it is spelt, or if that has
    /// been done often enough.
    mutating func rename(_ key: String, at position: Position) -> Bool {
        guard remaining > 0, !key.isEmpty, let start = text.index(of: position) else { return false }
        remaining -= 1
        let scalars = text.unicodeScalars
        var first = start
        if scalars[first] == "\"" || scalars[first] == "'" { first = scalars.index(after: first) }
        let count = key.unicodeScalars.count
        guard scalars[first...].starts(with: key.unicodeScalars),
            let number = Unicode.Scalar(0xe000 + UInt32(originals.count)), let filler = Unicode.Scalar(0xf8ff as UInt32)
        else { return false }
        var name = String.UnicodeScalarView([number])
        name.append(contentsOf: repeatElement(filler, count: count - 1))
        let end = scalars.index(first, offsetBy: count)
        text.unicodeScalars.replaceSubrange(first..<end, with: name)
        text.makeContiguousUTF8()
        renamed.append((original(of: key), position))
        originals[String(name)] = original(of: key)
        return true
    }
}

extension Unicode.Scalar {
    /// Whether YAML 1.1 ends a line here; a carriage return before a line feed ends it with the latter.
    var endsLine: Bool { self == "\n" || self == "\r" || self == "\u{85}" || self == "\u{2028}" || self == "\u{2029}" }
}

extension String {
    /// The index of the Unicode scalar at this position; nil behind the end.
    func index(of position: Position) -> Index? {
        let scalars = unicodeScalars
        var index = scalars.startIndex
        var here = Position.start
        while index < scalars.endIndex {
            if here == position { return index }
            if here > position { return nil }
            let scalar = scalars[index]
            index = scalars.index(after: index)
            let isPair = scalar == "\r" && index < scalars.endIndex && scalars[index] == "\n"
            if scalar.endsLine, !isPair {
                here = Position(line: here.line + 1, column: 1)
            } else {
                here.column += 1
            }
        }
        return nil
    }
}
