import Glibc

/// What the output can show.
package struct Terminal: Hashable, Sendable {
    /// In columns; `nil` when nothing has to fit, as in a file or a pipe.
    package var width: Int?
    package var colours: Bool
    /// Whether more than ASCII may be written.
    package var unicode: Bool

    package init(width: Int? = nil, colours: Bool = false, unicode: Bool = true) {
        self.width = width
        self.colours = colours
        self.unicode = unicode
    }

    /// What standard output is now.
    package static func standardOutput() -> Terminal {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        func variable(_ name: String) -> String? {
            guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
            return value
        }
        var size = winsize()
        let known = isTerminal && ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        // The first that is set decides, as for setlocale(3).
        let locale = variable("LC_ALL") ?? variable("LC_CTYPE") ?? variable("LANG") ?? ""
        return Terminal(
            width: known ? Int(size.ws_col) : nil,
            colours: isTerminal && variable("NO_COLOR") == nil && variable("TERM") != "dumb",
            unicode: locale.uppercased().contains("UTF-8") || locale.uppercased().contains("UTF8"))
    }

    package var dot: String { unicode ? "●" : "*" }
    package var ellipsis: String { unicode ? "…" : "..." }
    package var separator: String { unicode ? " · " : " - " }

    /// The text in the tint, if there are colours.
    package func paint(_ text: String, _ tint: Tint) -> String {
        guard colours, let code = tint.code, !text.isEmpty else { return text }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m"
    }
}

/// How a text stands out.
package enum Tint: Hashable, Sendable {
    case plain, bold, faint, green, red, yellow, blue

    /// The tint of an API colour; unknown ones are plain.
    package init(colour: String) {
        switch colour {
        case "green": self = .green
        case "red": self = .red
        case "yellow": self = .yellow
        case "blue": self = .blue
        default: self = .plain
        }
    }

    /// The parameter of the control sequence SGR (ECMA-48).
    fileprivate var code: String? {
        switch self {
        case .plain: nil
        case .bold: "1"
        case .faint: "2"
        case .green: "32"
        case .red: "31"
        case .yellow: "33"
        case .blue: "34"
        }
    }
}
