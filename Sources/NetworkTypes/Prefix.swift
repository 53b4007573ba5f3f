/// An address prefix, such as 192.168.94.0/24. The host bits are always zero.
package struct Prefix: Hashable, Sendable {
    package let address: IPAddress
    package let length: Int

    /// The prefix of `length` bits that contains `address`; `nil` if the family has no such length.
    package init?(_ address: IPAddress, length: Int) {
        guard (0...address.bitWidth).contains(length) else { return nil }
        self.address = address.masked(to: length)
        self.length = length
    }

    package func contains(_ other: IPAddress) -> Bool {
        other.family == address.family && other.masked(to: length) == address
    }
}

extension Prefix: LosslessStringConvertible {
    /// Reads `address/length`, or an address alone as its longest prefix. The length behind an IPv4-mapped IPv6 address
    /// counts from the beginning of the IPv6 address, so `::ffff:192.0.2.0/120` is `192.0.2.0/24`.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        guard parts.count == 2 else {
            self.init(address, length: address.bitWidth)
            return
        }
        let digits = parts[1].utf8
        guard digits.allSatisfy({ (48...57).contains($0) }), digits.count == 1 || digits.first != 48,
            let length = Int(parts[1])
        else { return nil }
        let isMapped = address.family == .ipv4 && parts[0].contains(":")
        self.init(address, length: isMapped ? length - 96 : length)
    }

    package var description: String { "\(address)/\(length)" }
}
