/// A 48-bit Ethernet address.
package struct MACAddress: Hashable, Sendable {
    /// The six octets as a number, the first octet most significant.
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value & 0xffff_ffff_ffff }

    /// The address with these six octets in the order of transmission; `nil` if there are not six.
    package init?(octets: some Collection<UInt8>) {
        guard octets.count == 6 else { return nil }
        self.init(octets.reduce(0) { $0 << 8 | UInt64($1) })
    }

    package var octets: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: value >> (40 - 8 * UInt64($0))) } }

    package static let zero = MACAddress(0)
    package static let broadcast = MACAddress(0xffff_ffff_ffff)
}

extension MACAddress: LosslessStringConvertible {
    /// Reads six pairs of hexadecimal digits with colons between.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        // The number's own parser would take a sign for the first digit.
        let octets = parts.compactMap { $0.utf8.count == 2 && $0.allSatisfy(\.isHexDigit) ? UInt8($0, radix: 16) : nil }
        self.init(octets: octets)
    }

    package var description: String {
        octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}
