/// A mapping whose keys have been checked.
struct Table {
    let place: Place
    private let entries: [String: Value]
    private let positions: [String: Position]
    /// Keys that an unknown key was probably meant to be: they are not reported as missing as well.
    private let misspelt: Set<String>

    fileprivate init(place: Place, entries: [Value.Entry], misspelt: Set<String>) {
        self.place = place
        self.entries = Dictionary(entries.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        self.positions = Dictionary(entries.map { ($0.key, $0.position) }, uniquingKeysWith: { first, _ in first })
        self.misspelt = misspelt
    }

    subscript(key: String) -> Field? {
        entries[key].map { Field(value: $0, path: .key(key, of: place.path)) }
    }

    /// Where the key itself stands.
    func keyPlace(_ key: String) -> Place? {
        positions[key].map { Place(position: $0, path: .key(key, of: place.path)) }
    }

    /// Whether an unknown key was probably meant to be this one.
    func isMisspelt(_ key: String) -> Bool { misspelt.contains(key) }

    /// The value of a key that must be there; its absence is reported.
    func required(_ key: String, _ cure: String, _ findings: inout Findings) -> Field? {
        if let field = self[key] { return field }
        if !isMisspelt(key) {
            findings.error(
                at: Place(position: place.position, path: .key(key, of: place.path)), "is missing", cure)
        }
        return nil
    }
}

extension Field {
    /// This value as a mapping with these keys. Reports another kind of value, unknown keys and repeated keys.
    ///
    /// `elsewhere` says of keys that users may look for here where they belong.
    func table(
        _ keys: [String], elsewhere: [String: String] = [:], _ findings: inout Findings
    ) -> Table? {
        guard case .map(let entries) = value.content else {
            if value.isNull { return Table(place: place, entries: [], misspelt: []) }
            findings.error(
                at: place, "is \(value.kind), not a mapping",
                "write keys such as \(keys.prefix(3).joined(separator: ", ")), each with a colon and its value")
            return nil
        }
        var lines: [String: Int] = [:]
        var misspelt: Set<String> = []
        for entry in entries {
            let keyPlace = Place(position: entry.position, path: .key(entry.key, of: path))
            if let line = lines[entry.key] {
                findings.error(
                    at: keyPlace, "key \(entry.key.quoted) is already given in line \(line)", "keep one of the two")
                continue
            }
            lines[entry.key] = entry.position.line
            if keys.contains(entry.key) { continue }
            if findings.isFull {
                findings.error(at: keyPlace, "unknown key", "")
            } else if let hint = elsewhere[entry.key] {
                findings.error(at: keyPlace, "key \(entry.key.quoted) does not belong here", hint)
            } else if let near = suggestion(for: entry.key, among: keys) {
                misspelt.insert(near)
                findings.error(at: keyPlace, "unknown key \(entry.key.quoted)", "did you mean \(near)?")
            } else {
                findings.error(
                    at: keyPlace, "unknown key \(entry.key.quoted)",
                    "the keys here are \(keys.joined(separator: ", "))")
            }
        }
        return Table(place: place, entries: entries, misspelt: misspelt)
    }

    /// The elements of this value as a list; nothing at all is an empty list. Reports another kind of value.
    ///
    /// An element that is a mapping with a fit `name` is called by it, the others by their index.
    func elements(_ what: String, _ findings: inout Findings) -> [Field]? {
        guard case .list(let values) = value.content else {
            if value.isNull { return [] }
            findings.error(at: place, "is \(value.kind), not a list", "begin each \(what) with '- '")
            return nil
        }
        return values.enumerated().map { index, value in
            var label = "\(index)"
            if case .map(let entries) = value.content,
                case .scalar(let name, _)? = entries.first(where: { $0.key == "name" })?.value.content,
                name.isFitAsName
            {
                label = name
            }
            return Field(value: value, path: .element(label, of: path))
        }
    }
}
