extension Packet {
    /// What is different, a line for each field: `ipv4.ttl: expected 64, got 63`. Empty if and only if the octets are equal.
    /// Where a kind of layer occurs more than once, its place among them is named: `vlan[1].identifier`.
    package static func difference(_ expected: Packet, _ actual: Packet) -> [String] {
        difference(expected.bytes, actual.bytes, startingAt: expected.start)
    }

    package static func difference(_ expected: Packet, _ actual: [UInt8]) -> [String] {
        difference(expected.bytes, actual, startingAt: expected.start)
    }

    package static func difference(
        _ expected: [UInt8], _ actual: [UInt8], startingAt start: Start = .ethernet
    ) -> [String] {
        guard expected != actual else { return [] }
        let found = PacketDifference(
            expected: asFound(expected, startingAt: start), actual: asFound(actual, startingAt: start),
            notes: Packet(decoding: actual, startingAt: start).checksumNotes
        ).lines
        // Whatever the layers may hide, octets that differ are never reported as equal.
        return found.isEmpty ? [PacketDifference.octets("frame", expected, actual)].compactMap(\.self) : found
    }
}

/// The comparison of two packets whose fields are all explicit.
private struct PacketDifference {
    let expected: Packet
    let actual: Packet
    /// What is to be said of the actual packet's checksums, by layer.
    let notes: [Int: String]

    var lines: [String] {
        let (before, after) = (expected.layers, actual.layers)
        let common = min(before.count, after.count)
        // The layers between the common beginning and the common end are missing or unexpected.
        let prefix = (0..<common).first { before[$0].name != after[$0].name } ?? common
        let suffix =
            (0..<common - prefix).first { before[before.count - 1 - $0].name != after[after.count - 1 - $0].name }
            ?? common - prefix

        var lines: [String] = []
        for index in 0..<prefix { lines += compare(index, index) }
        for index in prefix..<before.count - suffix {
            lines.append("\(Self.label(index, in: before)): missing, expected \(before[index].summary())")
        }
        for index in prefix..<after.count - suffix {
            lines.append("\(Self.label(index, in: after)): not expected, got \(after[index].summary())")
        }
        for index in (0..<suffix).reversed() { lines += compare(before.count - 1 - index, after.count - 1 - index) }
        return lines
    }

    private func compare(_ index: Int, _ actualIndex: Int) -> [String] {
        let (before, after) = (expected.layers[index], actual.layers[actualIndex])
        guard before != after else { return [] }
        let label = Self.label(index, in: expected.layers)
        var lines: [String] = []
        for (one, other) in zip(before.fields, after.fields) where one != other {
            let note = one.name == "checksum" ? notes[actualIndex].map { " (\($0))" } ?? "" : ""
            lines.append("\(label).\(one.name): expected \(one.value), got \(other.value)\(note)")
        }
        if case .quoted(let expected) = before, case .quoted(let actual) = after {
            lines += Self.quotation(label, expected, actual)
        } else if let expected = before.content, let actual = after.content {
            lines += [Self.octets(label, expected, actual)].compactMap(\.self)
        }
        return lines
    }

    /// The difference of what ICMP errors quote, one level deep.
    private static func quotation(_ label: String, _ expected: [UInt8], _ actual: [UInt8]) -> [String] {
        PacketDifference(
            expected: Packet.asFound(expected, startingAt: .network).withoutQuotation,
            actual: Packet.asFound(actual, startingAt: .network).withoutQuotation, notes: [:]
        ).lines.map { "\(label).\($0)" }
    }

    /// The first octet that differs, and how many do; `nil` if none does.
    static func octets(_ label: String, _ expected: [UInt8], _ actual: [UInt8]) -> String? {
        let different = zip(expected, actual).enumerated().filter { $0.element.0 != $0.element.1 }
        let counts = expected.count == actual.count ? nil : "expected \(expected.count) octets, got \(actual.count)"
        guard let first = different.first else { return counts.map { "\(label): \($0)" } }
        var text =
            "\(label) byte \(first.offset): expected \(hexadecimal(first.element.0)), got \(hexadecimal(first.element.1))"
        if different.count > 1 { text += " (and \(different.count - 1) more)" }
        if let counts { text += "; \(counts)" }
        return text
    }

    private static func label(_ index: Int, in layers: [Layer]) -> String {
        let name = layers[index].name
        guard layers.count(where: { $0.name == name }) > 1 else { return name }
        return "\(name)[\(layers[..<index].count { $0.name == name })]"
    }
}
