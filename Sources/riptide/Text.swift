/// Numbers, times and sizes as people read them, and the columns that a text takes.
package enum Text {
    /// With a comma for each thousand.
    package static func number(_ value: Int) -> String {
        var digits = String(value.magnitude)
        var grouped = ""
        while digits.count > 3 {
            grouped = ",\(digits.suffix(3))\(grouped)"
            digits.removeLast(3)
        }
        return (value < 0 ? "-" : "") + digits + grouped
    }

    /// The two largest units: `3 d 4 h`, `5 min 12 s`, `7 s`.
    package static func duration(seconds: Int) -> String {
        let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")]
        guard let first = units.firstIndex(where: { seconds >= $0.0 }) else { return "0 s" }
        let large = "\(number(seconds / units[first].0)) \(units[first].1)"
        guard first + 1 < units.count else { return large }
        let rest = seconds % units[first].0 / units[first + 1].0
        return rest == 0 ? large : "\(large) \(rest) \(units[first + 1].1)"
    }

    /// Powers of 1024, one decimal below ten: `812 B`, `1.5 KiB`, `64 MiB`.
    package static func size(bytes: Int) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        guard bytes >= 1_024 else { return "\(bytes) B" }
        var value = Double(bytes) / 1_024
        var unit = 0
        // What would round to 1,024 of a unit is shown as one of the next.
        while value >= 1_023.5, unit + 1 < units.count {
            value /= 1_024
            unit += 1
        }
        let tenths = Int((value * 10).rounded())
        guard tenths < 100 else { return "\(number(Int(value.rounded()))) \(units[unit])" }
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }

    /// A whole percentage, except that something is never shown as nothing.
    package static func percent(_ part: Int, of whole: Int) -> String {
        guard whole > 0, part > 0 else { return "0 %" }
        let percent = Int((Double(part) / Double(whole) * 100).rounded())
        return percent == 0 ? "<1 %" : "\(percent) %"
    }

    /// `1 connection`, `2 connections`.
    package static func count(_ value: Int, _ noun: String) -> String {
        "\(number(value)) \(noun)\(value == 1 ? "" : "s")"
    }
}

extension StringProtocol {
    /// How many columns of a terminal the text takes: East Asian wide characters and emoji take two.
    package var columns: Int { reduce(0) { $0 + $1.columns } }

    /// As much of the beginning as fits.
    package func prefix(columns limit: Int) -> SubSequence {
        var used = 0
        return prefix { character in
            used += character.columns
            return used <= limit
        }
    }

    /// Without control characters, which could move the cursor or recolour the screen.
    package var printable: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.isControl ? "?" : $0 }))
    }
}

extension Character {
    fileprivate var columns: Int {
        guard let first = unicodeScalars.first else { return 0 }
        switch first.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}

extension Unicode.Scalar {
    fileprivate var isControl: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
