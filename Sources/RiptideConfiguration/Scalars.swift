import NetworkTypes

extension Field {
    /// The text of a single value. Reports another kind, and nothing at all, with `cure`.
    func scalar(_ cure: @autoclosure () -> String, _ findings: inout Findings) -> (text: String, plain: Bool)? {
        guard case .scalar(let text, let plain) = value.content else {
            findings.error(at: place, "is \(value.kind), not a single value", cure())
            return nil
        }
        guard !value.isNull else {
            findings.error(at: place, "has no value", cure())
            return nil
        }
        return (text, plain)
    }

    func text(_ cure: @autoclosure () -> String, _ findings: inout Findings) -> String? {
        scalar(cure(), &findings)?.text
    }

    /// One of an enumeration's words.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        of type: Choice.Type = Choice.self, _ findings: inout Findings
    ) -> Choice? {
        choice(among: type.allCases.map(\.rawValue), &findings).flatMap(Choice.init(rawValue:))
    }

    func choice(among words: [String], _ findings: inout Findings) -> String? {
        let list = words.dropLast().joined(separator: ", ") + (words.count > 1 ? " or " : "") + (words.last ?? "")
        guard let text = text("write \(list)", &findings) else { return nil }
        if words.contains(text) { return text }
        let near = suggestion(for: text, among: words)
        findings.error(
            at: place, "\(text.quoted) is not one of the choices",
            near.map { "did you mean \($0)? The choices are \(list)" } ?? "write \(list)")
        return nil
    }

    /// A name as services, real servers and nodes have it.
    func name(_ findings: inout Findings) -> String? {
        let rule = "write 1 to 47 letters, digits, '.', '_' and '-', a letter or digit first"
        guard let text = text(rule, &findings) else { return nil }
        if text.isFitAsName { return text }
        let mended = String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.isFitInName ? $0 : "_" }).prefix(47))
        let complaint = text.utf8.count > 47 ? "is \(text.utf8.count) bytes long" : "is not fit as a name"
        findings.error(
            at: place, "\(text.quoted) \(complaint)", mended.isFitAsName ? "\(rule), such as \(mended)" : rule)
        return nil
    }

    func address(_ findings: inout Findings) -> IPAddress? {
        let rule = "write an IPv4 address such as 192.0.2.10, or an IPv6 address such as 2001:db8::10"
        guard let text = text(rule, &findings) else { return nil }
        if let address = IPAddress(text) { return address }
        if Prefix(text) != nil {
            findings.error(
                at: place, "\(text.quoted) has a prefix length", "write the address alone: \(text.prefix { $0 != "/" })")
            return nil
        }
        let octets = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        if octets.count == 4, text.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }), !octets.contains(nil) {
            let mended = octets.compactMap { $0.map(String.init) }.joined(separator: ".")
            findings.error(at: place, "\(text.quoted) has a leading zero, which may mean octal", "write \(mended)")
        } else {
            findings.error(at: place, "\(text.quoted) is not an IP address", rule)
        }
        return nil
    }

    /// A list of addresses, each once. What is wrong in it is reported and left out.
    func addresses(_ what: String, _ findings: inout Findings) -> [Located<IPAddress>] {
        var addresses: [Located<IPAddress>] = []
        var lines: [IPAddress: Int] = [:]
        for element in elements(what, &findings) ?? [] {
            guard let address = element.address(&findings) else { continue }
            if let line = lines[address] {
                findings.error(
                    at: element.place, "\(what) \(address) is already given in line \(line)", "delete one of the two")
                continue
            }
            lines[address] = element.place.line
            addresses.append(Located(value: address, place: element.place))
        }
        return addresses
    }

    /// A prefix such as `192.0.2.0/24`; an address alone is its longest prefix.
    func prefix(_ findings: inout Findings) -> Prefix? {
        let rule = "write a prefix such as 192.0.2.0/24 or 2001:db8::/32, or an address"
        guard let text = text(rule, &findings) else { return nil }
        let address = IPAddress(text.prefix { $0 != "/" })
        guard let prefix = Prefix(text) else {
            let cure = address.map { "write a length from 0 to \($0.bitWidth)" } ?? rule
            findings.error(
                at: place, "\(text.quoted) \(address == nil ? "is not a prefix" : "has no valid length")", cure)
            return nil
        }
        if let address, address != prefix.address {
            findings.error(
                at: place, "\(text.quoted) has bits behind its length",
                "write \(prefix) for the network, or \(address) for the address alone")
            return nil
        }
        return prefix
    }

    /// `true` or `false`.
    func flag(_ findings: inout Findings) -> Bool? {
        choice(among: ["true", "false"], &findings).map { $0 == "true" }
    }

    /// A list of ports: text such as `80,443,8000-8010`, a single number, or a YAML list of these.
    func ports(_ findings: inout Findings) -> PortSet? {
        let rule = "write ports and ranges such as 80,443,8000-8010"
        var parts = [self]
        if case .list(let values) = value.content {
            parts = values.enumerated().map { Field(value: $1, path: .element("\($0)", of: path)) }
            if parts.isEmpty { findings.error(at: place, "has no port", rule) }
        }
        var sets: [PortSet] = []
        for part in parts {
            guard let text = part.text(rule, &findings) else { continue }
            do {
                sets.append(try PortSet(parsing: text))
            } catch {
                findings.error(at: part.place, error.message.clipped, error.cure ?? rule)
            }
        }
        guard !parts.isEmpty, sets.count == parts.count else { return nil }
        return sets.count == 1 ? sets[0] : PortSet(sets.flatMap(\.ranges))
    }
}

extension Field {
    /// Reads this value and keeps its place with the result.
    func located<T: Sendable>(_ findings: inout Findings, _ read: (Field, inout Findings) -> T?) -> Located<T>? {
        read(self, &findings).map { Located(value: $0, place: place) }
    }
}

extension String {
    /// Whether this is 1 to 47 bytes of letters, digits, `.`, `_` and `-`, beginning with a letter or a digit.
    var isFitAsName: Bool {
        guard (1...47).contains(utf8.count), let first = unicodeScalars.first else { return false }
        return first.isLetterOrDigit && unicodeScalars.allSatisfy(\.isFitInName)
    }
}

extension Unicode.Scalar {
    fileprivate var isLetterOrDigit: Bool {
        switch self {
        case "0"..."9", "A"..."Z", "a"..."z": true
        default: false
        }
    }

    fileprivate var isFitInName: Bool { isLetterOrDigit || self == "." || self == "_" || self == "-" }
}
