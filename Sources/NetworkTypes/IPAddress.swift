import Glibc

/// An IPv4 or IPv6 address.
///
/// IPv4 is held as its IPv4-mapped form `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2), the form in which the data plane's maps hold
/// it too, so an IPv4-mapped IPv6 address and the IPv4 address are the same value.
package struct IPAddress: Hashable, Sendable {
    /// The first and the last eight octets, as host-order numbers: comparing them compares addresses.
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The IPv4 address with this value, the first octet in the most significant byte.
    package init(ipv4 value: UInt32) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(value))
    }

    /// The address with these sixteen octets in network order; `nil` if there are not sixteen.
    package init?(octets: some Collection<UInt8>) {
        guard octets.count == 16 else { return nil }
        func number(_ part: some Collection<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        self.init(high: number(octets.prefix(8)), low: number(octets.suffix(8)))
    }

    package enum Family: Hashable, Sendable { case ipv4, ipv6 }

    package var family: Family { ipv4Value == nil ? .ipv6 : .ipv4 }

    /// The address as a 32-bit number, if it is IPv4.
    package var ipv4Value: UInt32? {
        high == 0 && low >> 32 == 0xffff ? UInt32(truncatingIfNeeded: low) : nil
    }

    /// The length of the family's longest prefix: 32 or 128.
    package var bitWidth: Int { family == .ipv4 ? 32 : 128 }

    /// The sixteen octets in network order.
    package var octets: [UInt8] {
        [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
    }

    /// Whether this is a group address: 224.0.0.0/4 or ff00::/8.
    package var isMulticast: Bool {
        ipv4Value.map { $0 >> 28 == 0xe } ?? (high >> 56 == 0xff)
    }

    /// 0.0.0.0 or ::.
    package var isUnspecified: Bool { high == 0 && (low == 0 || low == 0xffff_0000_0000) }

    /// 127.0.0.0/8 or ::1.
    package var isLoopback: Bool { ipv4Value.map { $0 >> 24 == 127 } ?? (high == 0 && low == 1) }

    /// fe80::/10; IPv4 169.254.0.0/16.
    package var isLinkLocal: Bool { ipv4Value.map { $0 >> 16 == 0xa9fe } ?? (high >> 54 == 0x3fa) }

    /// The address with all bits after the first `length` cleared, counted in its own family.
    package func masked(to length: Int) -> IPAddress {
        let bits = family == .ipv4 ? length + 96 : length
        func mask(_ count: Int) -> UInt64 { count <= 0 ? 0 : count >= 64 ? .max : ~(.max >> UInt64(count)) }
        return IPAddress(high: high & mask(bits), low: low & mask(bits - 64))
    }
}

extension IPAddress: Comparable {
    package static func < (a: IPAddress, b: IPAddress) -> Bool { (a.high, a.low) < (b.high, b.low) }
}

extension IPAddress: LosslessStringConvertible {
    /// Reads dotted-decimal IPv4 or RFC 4291 IPv6; `nil` for anything else, zone suffixes included.
    package init?(_ text: some StringProtocol) {
        let text = String(text)
        // C would take a NUL for the end and not see what follows it.
        guard !text.utf8.contains(0) else { return nil }
        var v4 = in_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(ipv4: UInt32(bigEndian: v4.s_addr))
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, text, &v6) == 1 else { return nil }
        self.init(octets: withUnsafeBytes(of: &v6) { Array($0) })
    }

    /// Dotted decimal, or the RFC 5952 form.
    package var description: String {
        if let v4 = ipv4Value {
            return "\(v4 >> 24).\(v4 >> 16 & 255).\(v4 >> 8 & 255).\(v4 & 255)"
        }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = octets.withUnsafeBytes { inet_ntop(AF_INET6, $0.baseAddress, &text, socklen_t(text.count)) }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension IPAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = IPAddress(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not an IP address")
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
