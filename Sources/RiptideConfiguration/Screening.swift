extension YAMLDocument {
    /// Refuses characters that YAML does not allow, and texts that have both anchors and aliases.
    ///
    /// The search for `&name` and `*name` is on the safe side: it finds all that the parser would take for one, and also
    /// some in comments and quotes. Only both together are refused, since an alias without an anchor is an error anyway.
    ///
    /// - Returns: The end of the text.
    static func screen(_ text: String) throws(Problem) -> Position {
        var here = Position.start
        var (anchor, alias): (Position?, Position?) = (nil, nil)
        var previous: Unicode.Scalar = "\n"
        var mark: (scalar: Unicode.Scalar, position: Position)?
        for scalar in text.unicodeScalars {
            guard scalar.isAllowedInYAML else {
                throw Problem(
                    position: here,
                    message: "the character with the code 0x\(String(scalar.value, radix: 16)) is not allowed in YAML",
                    cure: "save the file as plain UTF-8 text, without control characters")
            }
            if let found = mark, scalar.isPartOfAnchorName {
                if found.scalar == "&" { anchor = anchor ?? found.position } else { alias = alias ?? found.position }
            }
            mark = (scalar == "&" || scalar == "*") && previous.mayPrecedeAnchor ? (scalar, here) : nil
            if scalar == "\n", previous == "\r" {
                // The carriage return has already begun the new line.
            } else if scalar.endsLine {
                here = Position(line: here.line + 1, column: 1)
            } else {
                here.column += 1
            }
            previous = scalar
        }
        if anchor != nil, let alias {
            throw Problem(
                position: alias, message: "anchors and aliases (&name and *name) are not read in this file",
                cure: "write the value out, or put what services share under defaults")
        }
        return here
    }
}

extension Unicode.Scalar {
    fileprivate var isAllowedInYAML: Bool {
        switch value {
        case 0x20...0x7e, 0x9, 0xa, 0xd, 0x85, 0xa0...0xd7ff, 0xe000...0xfefe, 0xff00...0xfffd, 0x10000...0x10ffff: true
        default: false
        }
    }

    fileprivate var isPartOfAnchorName: Bool {
        switch self {
        case "0"..."9", "A"..."Z", "a"..."z", "_", "-": true
        default: false
        }
    }

    fileprivate var mayPrecedeAnchor: Bool {
        switch self {
        case " ", "\t", "[", "{", ",", ":", "?", "-", "]", "}", "\"", "'": true
        default: endsLine
        }
    }
}
