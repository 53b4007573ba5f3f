/// A text that was meant as a whole number but is written otherwise: YAML readers disagree about most of these, so none is
/// taken, and each gets the number that was probably meant.
struct NumberTrap: Equatable {
    var complaint: String
    var meant: Int?

    init(_ text: String) {
        let shown = text.quoted
        let negative = text.hasPrefix("-")
        let digits = String(text.drop { $0 == "-" || $0 == "+" })
        let lowercase = digits.lowercased()
        let exponent = lowercase.split(separator: "e", maxSplits: 1, omittingEmptySubsequences: false).map { Int($0) }
        let parts = digits.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        func signed(_ value: Int?) -> Int? { negative ? value.map { -$0 } : value }

        if digits.isAllDigits {
            if digits.first == "0", digits.utf8.count > 1 {
                (complaint, meant) = ("\(shown) has a leading zero, which may mean octal", signed(Int(digits)))
            } else {
                (complaint, meant) = ("\(shown) has a sign", signed(Int(digits)))
            }
        } else if lowercase.hasPrefix("0x"), let value = Int(lowercase.dropFirst(2), radix: 16) {
            (complaint, meant) = ("\(shown) is hexadecimal", signed(value))
        } else if lowercase.hasPrefix("0o"), let value = Int(lowercase.dropFirst(2), radix: 8) {
            (complaint, meant) = ("\(shown) is octal", signed(value))
        } else if lowercase.hasPrefix("0b"), let value = Int(lowercase.dropFirst(2), radix: 2) {
            (complaint, meant) = ("\(shown) is binary", signed(value))
        } else if exponent.count == 2, let mantissa = exponent[0], let power = exponent[1] {
            let scale = (0...9).contains(power) ? (0..<power).reduce(1) { value, _ in value * 10 } : nil
            let product = scale.map { mantissa.multipliedReportingOverflow(by: $0) }
            meant = product.flatMap { $0.overflow ? nil : signed($0.partialValue) }
            complaint = "\(shown) is in exponent notation"
        } else if parts.count == 2, let first = parts[0], let second = parts[1], (0...99999).contains(first),
            (0..<60).contains(second)
        {
            (complaint, meant) = ("\(shown) is a number to base 60 for YAML", signed(first * 60 + second))
        } else if digits.contains("_"), let value = Int(digits.filter { $0 != "_" }), value >= 0 {
            (complaint, meant) = ("\(shown) has underscores", signed(value))
        } else if let point = digits.firstIndex(of: "."), String(digits[..<point]).isAllDigits,
            String(digits[digits.index(after: point)...]).isAllDigits
        {
            let isWhole = digits[digits.index(after: point)...].allSatisfy { $0 == "0" }
            (complaint, meant) = ("\(shown) has a fraction", isWhole ? signed(Int(digits[..<point])) : nil)
        } else {
            (complaint, meant) = ("\(shown) is not a number", nil)
        }
    }
}

extension String {
    var isAllDigits: Bool { !isEmpty && utf8.allSatisfy { (48...57).contains($0) } }

    /// Decimal digits, without a leading zero.
    fileprivate var isPlainNumber: Bool { isAllDigits && (utf8.count == 1 || utf8.first != 48) }
}

extension Field {
    /// A whole number in decimal digits. Reports anything else that YAML, or somebody, might take for a number.
    func integer(in range: ClosedRange<Int>, _ findings: inout Findings) -> Int? {
        let rule = "write a whole number from \(range.lowerBound) to \(range.upperBound)"
        guard let (text, plain) = scalar(rule, &findings) else { return nil }
        func cure(_ meant: Int?) -> String { meant.flatMap { range.contains($0) ? "write \($0)" : nil } ?? rule }
        guard text.isPlainNumber else {
            let trap = NumberTrap(text)
            if let meant = trap.meant, !range.contains(meant) {
                findings.error(at: place, "\(text.quoted) is out of range", rule)
            } else {
                findings.error(at: place, trap.complaint, cure(trap.meant))
            }
            return nil
        }
        guard plain else {
            findings.error(at: place, "is text in quotes, not a number", cure(Int(text)))
            return nil
        }
        guard let number = Int(text), range.contains(number) else {
            findings.error(at: place, "\(text.clipped) is out of range", rule)
            return nil
        }
        return number
    }

    /// A time such as `500ms`, `10s`, `5m` or `12h`.
    func duration(in range: ClosedRange<Duration>, _ findings: inout Findings) -> Duration? {
        let rule = "write a number and its unit, such as 500ms, 10s, 5m or 12h"
        guard let text = text(rule, &findings) else { return nil }
        let digits = text.prefix { "0"..."9" ~= $0 }
        let suffix = text.dropFirst(digits.count)
        if let unit = TimeUnit(rawValue: String(suffix)), String(digits).isPlainNumber {
            // Nine digits of hours still fit; more are out of every range.
            guard digits.utf8.count <= 9, let count = Int(digits), range.contains(unit.duration(count)) else {
                findings.error(
                    at: place, "\(text.quoted) is out of range",
                    "write a time from \(range.lowerBound.written) to \(range.upperBound.written)")
                return nil
            }
            return unit.duration(count)
        }
        let trap = NumberTrap(text)
        if text.isPlainNumber {
            findings.error(at: place, "\(text.clipped) has no unit", "write \(text.clipped)s")
        } else if suffix == "d", let days = Int(digits), days <= 9999 {
            findings.error(at: place, "\(text.quoted) has a unit that is not known here", "write \(days * 24)h")
        } else if let unit = TimeUnit(rawValue: suffix.filter { $0 != " " }.lowercased()), let count = Int(digits) {
            findings.error(at: place, "\(text.quoted) is not a time", "write \(count)\(unit.rawValue)")
        } else if text.contains(":"), let seconds = trap.meant, seconds > 0 {
            findings.error(at: place, trap.complaint, "write \(seconds)s")
        } else {
            findings.error(at: place, "\(text.quoted) is not a time", rule)
        }
        return nil
    }
}

/// The units of times, as the configuration writes them.
enum TimeUnit: String, CaseIterable {
    case milliseconds = "ms"
    case seconds = "s"
    case minutes = "m"
    case hours = "h"

    func duration(_ count: Int) -> Duration {
        switch self {
        case .milliseconds: .milliseconds(count)
        case .seconds: .seconds(count)
        case .minutes: .seconds(count * 60)
        case .hours: .seconds(count * 3600)
        }
    }
}

extension Duration {
    /// As the configuration writes it, in the largest unit that leaves no fraction.
    var written: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        for (unit, size) in [(TimeUnit.hours, Int64(3_600_000)), (.minutes, 60_000), (.seconds, 1000)]
        where milliseconds % size == 0 && milliseconds != 0 {
            return "\(milliseconds / size)\(unit.rawValue)"
        }
        return "\(milliseconds)ms"
    }
}
