import Yams

/// The text of a configuration file as a tree of values. The only file that knows the YAML library.
///
/// The library resolves aliases by copying and hashes whole keys, so that a few lines of nested aliases cost it
/// exponential time. Hence the text is screened first, and nothing that has both anchors and aliases gets through.
struct YAMLDocument {
    /// Why a text could not be read as YAML.
    struct Problem: Error {
        var position: Position
        var message: String
        var cure: String
        /// What else had been found by then.
        var others: [Problem] = []
    }

    /// The longest text that is read: some three times what 65 535 real servers need.
    static let sizeLimit = 16 << 20
    /// How deep values may lie in each other; the schema needs seven levels.
    static let depthLimit = 32

    /// The root; nil if the text holds no value.
    let root: Value?

    init(parsing text: String) throws(Problem) {
        guard text.utf8.count <= Self.sizeLimit else {
            throw Problem(
                position: .start, message: "the file is larger than \(Self.sizeLimit >> 20) MiB",
                cure: "write a configuration of at most 65535 real servers")
        }
        var text = text.unicodeScalars.first == "\u{feff}" ? String(text.unicodeScalars.dropFirst()) : text
        let end = try Self.screen(text)
        // The library keeps a pointer to the text's storage, which a text short enough to lie inside the String itself
        // does not have.
        if text.utf8.count < 64 { text += "\n" + String(repeating: "#", count: 64) + "\n" }
        text.makeContiguousUTF8()

        var renaming = KeyRenaming(text: text)
        let node = try Self.compose(&renaming, end: end)
        if let node { root = try Self.value(node, renaming, depth: 0) } else { root = nil }
    }

    /// Parses the text. The library gives up at the first repeated key; that key is then renamed in the text and the
    /// parsing done again, so that the other errors of the file are found as well.
    private static func compose(_ renaming: inout KeyRenaming, end: Position) throws(Problem) -> Node? {
        while true {
            do {
                return try Parser(yaml: renaming.text, resolver: .basic, encoding: .utf8).singleRoot()
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                let key = keys.min() ?? ""
                guard renaming.rename(key, at: Position(context.mark)) else {
                    throw Problem(
                        repeated: renaming.original(of: key), at: Position(context.mark),
                        others: repeated(in: renaming))
                }
            } catch {
                var problem = Problem(error, in: renaming.text)
                problem.position = min(problem.position, end)
                problem.others = repeated(in: renaming)
                throw problem
            }
        }
    }

    private static func repeated(in renaming: KeyRenaming) -> [Problem] {
        renaming.renamed.map { Problem(repeated: $0.key, at: $0.position, others: []) }
    }

    private static func value(_ node: Node, _ renaming: KeyRenaming, depth: Int) throws(Problem) -> Value {
        let position = node.mark.map(Position.init) ?? .start
        guard depth < depthLimit else {
            throw Problem(
                position: position, message: "values lie more than \(depthLimit) levels deep in each other",
                cure: "check the brackets and the indentation")
        }
        switch node {
        case .scalar(let scalar):
            let plain = scalar.style == .plain
            guard plain ? scalar.tag.rawValue.isEmpty : ["", Tag.Name.str.rawValue].contains(scalar.tag.rawValue) else {
                throw Problem(
                    position: position, message: "the tag \(scalar.tag.rawValue.quoted) has no meaning here",
                    cure: "write the value alone")
            }
            return Value(position: position, content: .scalar(scalar.string, plain: plain))
        case .sequence(let sequence):
            var elements: [Value] = []
            elements.reserveCapacity(sequence.count)
            for element in sequence { elements.append(try value(element, renaming, depth: depth + 1)) }
            return Value(position: position, content: .list(elements))
        case .mapping(let mapping):
            var entries: [Value.Entry] = []
            entries.reserveCapacity(mapping.count)
            for (key, node) in mapping {
                let position = key.mark.map(Position.init) ?? position
                guard case .scalar(let scalar) = key else {
                    throw Problem(
                        position: position, message: "a key is \(key.mapping == nil ? "a list" : "a mapping")",
                        cure: "write a word, then a colon")
                }
                entries.append(
                    Value.Entry(
                        key: renaming.original(of: scalar.string), position: position,
                        value: try value(node, renaming, depth: depth + 1)))
            }
            return Value(position: position, content: .map(entries))
        case .alias:
            throw Problem(position: position, message: "an alias is not read here", cure: "write the value out")
        }
    }
}

extension Position {
    fileprivate init(_ mark: Mark) { self.init(line: max(1, mark.line), column: max(1, mark.column)) }
}

extension YAMLDocument.Problem {
    fileprivate init(repeated key: String, at position: Position, others: [Self]) {
        self.init(
            position: position, message: "key \(key.quoted) stands in this mapping more than once",
            cure: "keep one of them", others: others)
    }

    /// Puts what the YAML library reports into words that say what to do.
    fileprivate init(_ error: any Error, in text: String) {
        switch error {
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            let position = Position(mark)
            self.init(
                position: position, message: "not valid YAML: \(problem)",
                cure: Self.cure(for: problem, at: position, in: text))
        case YamlError.reader(let problem, _, _, _):
            self.init(position: .start, message: "not valid YAML: \(problem)", cure: "save the file as UTF-8 text")
        default:
            self.init(
                position: .start, message: "the YAML parser gave up",
                cure: "check the brackets, quotes and the indentation")
        }
    }

    private static func cure(for problem: String, at position: Position, in text: String) -> String {
        if let index = text.index(of: position), text.unicodeScalars[index] == "\t" {
            return "indent with spaces: YAML does not take tabs"
        }
        if problem.contains("mapping values are not allowed") {
            return "check the indentation, and put a value that contains ': ' or ends with ':' in quotes"
        }
        if problem.contains("another document") { return "keep one document, without a second '---'" }
        if problem.contains("undefined alias") || problem.contains("cannot start any token") {
            return "put a value that begins with a special character in quotes"
        }
        return "check the indentation, quotes and brackets here and in the lines above"
    }
}
