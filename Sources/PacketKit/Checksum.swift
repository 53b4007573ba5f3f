/// What a header's checksum field shall contain.
package enum Checksum: Hashable, Sendable {
    /// The right value for the packet as built. UDP sends 0xffff where the sum is zero (RFC 768).
    case computed
    /// This value, right or wrong.
    case value(UInt16)
    /// A value that is wrong for certain, and never the zero that means "none" in UDP.
    case wrong

    /// A field of zero: in UDP over IPv4, "no checksum".
    package static let zero = Checksum.value(0)

    /// The field's value, where `correct` is the right one.
    func resolved(correct: UInt16) -> UInt16 {
        switch self {
        case .computed: correct
        case .value(let value): value
        // 0 and 0xffff are the same number in ones' complement.
        case .wrong: correct == 0xffff ? 1 : correct + 1
        }
    }

    /// The number that the field was found to contain; zero if it is yet to be computed.
    var explicitValue: UInt16 {
        if case .value(let value) = self { value } else { 0 }
    }
}

extension Checksum: ExpressibleByIntegerLiteral {
    package init(integerLiteral value: UInt16) { self = .value(value) }
}

/// The Internet checksum: the ones' complement of the ones' complement sum of 16-bit words (RFC 1071).
package enum InternetChecksum {
    /// The checksum of these octets; an odd last octet counts as the upper half of a word.
    package static func of(_ bytes: [UInt8]) -> UInt16 {
        ~folded(sum(bytes, bytes.indices))
    }

    /// The unfolded sum of the octets in `range`, which begins a 16-bit word.
    static func sum(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
        bytes.withUnsafeBytes { buffer in
            var total: UInt64 = 0
            var offset = range.lowerBound
            // Words of 32 bits will do: 2^16 is 1 modulo 65 535, so folding sums the halves.
            while offset + 4 <= range.upperBound {
                total &+= UInt64(UInt32(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
                offset += 4
            }
            if offset + 2 <= range.upperBound {
                total &+= UInt64(UInt16(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
                offset += 2
            }
            if offset < range.upperBound { total &+= UInt64(buffer[offset]) << 8 }
            return total
        }
    }

    static func folded(_ sum: UInt64) -> UInt16 {
        var sum = sum
        while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
        return UInt16(sum)
    }
}
