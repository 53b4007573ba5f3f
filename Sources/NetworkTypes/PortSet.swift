/// A set of TCP or UDP ports, 1 to 65535, as a service's configuration lists them: `1935,554,50000-65535`.
package struct PortSet: Hashable, Sendable {
    /// Ascending, disjoint, and never adjacent.
    package let ranges: [ClosedRange<UInt16>]

    /// The union of the ranges, without port 0, which no packet of a service has.
    package init(_ ranges: [ClosedRange<UInt16>]) {
        var merged: [ClosedRange<UInt16>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.upperBound > 0 {
            let range = max(1, range.lowerBound)...range.upperBound
            if let last = merged.last, UInt32(range.lowerBound) <= UInt32(last.upperBound) + 1 {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
    }

    package func contains(_ port: UInt16) -> Bool { ranges.contains { $0.contains(port) } }

    package var count: Int { ranges.reduce(0) { $0 + $1.count } }

    /// The ports that both sets have, as ranges.
    package func intersection(_ other: PortSet) -> PortSet {
        var shared: [ClosedRange<UInt16>] = []
        var (mine, theirs) = (ranges[...], other.ranges[...])
        while let a = mine.first, let b = theirs.first {
            if a.overlaps(b) { shared.append(a.clamped(to: b)) }
            if a.upperBound <= b.upperBound { mine.removeFirst() } else { theirs.removeFirst() }
        }
        return PortSet(shared)
    }

    package var isEmpty: Bool { ranges.isEmpty }
}

extension PortSet: CustomStringConvertible {
    /// Sorted, as `554,1935,50000-65535`.
    package var description: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }
}

extension PortSet {
    /// What is wrong with a port list, in words that name the part at fault.
    package struct ParseError: Error, Equatable, CustomStringConvertible {
        package let message: String
        /// What to write instead, where that is known.
        package let cure: String?

        init(_ message: String, cure: String? = nil) {
            self.message = message
            self.cure = cure
        }

        package var description: String { cure.map { "\(message) (\($0))" } ?? message }
    }

    /// Reads a comma-separated list of ports and ranges. Ports may repeat and overlap: the result is their union.
    package init(parsing text: String) throws(ParseError) {
        var ranges: [ClosedRange<UInt16>] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map(Self.trimmed)
            switch bounds.count {
            case 1:
                let port = try Self.port(bounds[0])
                ranges.append(port...port)
            case 2:
                let (first, last) = (try Self.port(bounds[0]), try Self.port(bounds[1]))
                guard first <= last else {
                    throw ParseError("range \(first)-\(last) runs backwards", cure: "write \(last)-\(first)")
                }
                ranges.append(first...last)
            default:
                throw ParseError("\(Self.quoted(Self.trimmed(part))) is not a port or a range such as 8000-8010")
            }
        }
        self.init(ranges)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }

    /// The text in quotes, cut if it is too long for a message.
    private static func quoted(_ text: Substring) -> String {
        text.count > 32 ? "'\(text.prefix(32))…'" : "'\(text)'"
    }

    private static func port(_ text: Substring) throws(ParseError) -> UInt16 {
        guard !text.isEmpty else { throw ParseError("a port is missing between separators") }
        guard text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw ParseError("\(quoted(text)) is not a port number")
        }
        // A leading zero means octal to some readers and nothing to others.
        guard text.utf8.count == 1 || text.utf8.first != 48 else {
            let digits = text.drop { $0 == "0" }
            let meant = UInt16(digits).flatMap { $0 > 0 ? "write \($0)" : nil }
            throw ParseError("port \(quoted(text)) has a leading zero", cure: meant)
        }
        guard let number = UInt16(text), number > 0 else {
            throw ParseError("port \(text.prefix(32)) is out of range", cure: "write 1 to 65535")
        }
        return number
    }
}
