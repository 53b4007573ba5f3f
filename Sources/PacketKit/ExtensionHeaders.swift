package import NetworkTypes

/// A hop-by-hop or destination options header (RFC 8200 §4.3, §4.6).
package struct OptionsHeader: Hashable, Sendable {
    /// Type, length and value of each option; filled with Pad1 or PadN to the header's multiple of eight octets.
    package var options: [UInt8]
    /// `nil`: that of the next layer.
    package var nextHeader: UInt8?

    func append(to bytes: inout [UInt8], next: Layer?) {
        let length = (2 + options.count + 7) / 8 * 8
        let fill = max(8, length) - 2 - options.count
        bytes.append(nextHeader ?? Layer.ipProtocol(of: next))
        bytes.append(UInt8(truncatingIfNeeded: max(8, length) / 8 - 1))
        bytes.append(contentsOf: options)
        if fill == 1 {
            bytes.append(0)
        } else if fill > 1 {
            bytes.append(1)
            bytes.append(UInt8(fill - 2))
            bytes.appendZeros(fill - 2)
        }
    }
}

/// A routing header (RFC 8200 §4.4).
package struct RoutingHeader: Hashable, Sendable {
    package var type: UInt8
    package var segmentsLeft: UInt8
    /// All behind the first four octets; filled with zeros to the header's multiple of eight.
    package var data: [UInt8]
    /// `nil`: that of the next layer.
    package var nextHeader: UInt8?

    func append(to bytes: inout [UInt8], next: Layer?) {
        let length = (4 + data.count + 7) / 8 * 8
        bytes.append(nextHeader ?? Layer.ipProtocol(of: next))
        bytes.append(UInt8(truncatingIfNeeded: length / 8 - 1))
        bytes.append(type)
        bytes.append(segmentsLeft)
        bytes.append(contentsOf: data)
        bytes.appendZeros(length - 4 - data.count)
    }

    /// Where the packet is bound for in the end, which is what checksums cover (RFC 8200 §8.1): the last address of types 0
    /// and 2, the first segment of type 4 (RFC 8754); `nil` if the IPv6 header says it already.
    var finalDestination: IPAddress? {
        guard segmentsLeft > 0, data.count >= 20 else { return nil }
        switch type {
        case 0, 2: return data.address(at: 4 + ((data.count - 4) / 16 - 1) * 16)
        case 4: return data.address(at: 4)
        default: return nil
        }
    }
}

/// A fragment header (RFC 8200 §4.5).
package struct FragmentHeader: Hashable, Sendable {
    /// In units of eight octets; 0 to 8191.
    package var offset: UInt16
    package var moreFragments: Bool
    package var identification: UInt32
    /// The reserved octet, and the two reserved bits beside the flag.
    package var reserved: UInt8
    package var reservedBits: UInt8
    /// `nil`: that of the next layer.
    package var nextHeader: UInt8?

    static let length = 8

    var isFragment: Bool { moreFragments || offset != 0 }

    func append(to bytes: inout [UInt8], next: Layer?) {
        bytes.append(nextHeader ?? Layer.ipProtocol(of: next))
        bytes.append(reserved)
        bytes.append(big16: offset << 3 | UInt16(reservedBits & 3) << 1 | (moreFragments ? 1 : 0))
        bytes.append(big32: identification)
    }
}

/// An authentication header (RFC 4302).
package struct AuthenticationHeader: Hashable, Sendable {
    package var securityParametersIndex: UInt32
    package var sequence: UInt32
    /// The integrity check value; filled with zeros to a multiple of four octets.
    package var integrityCheck: [UInt8]
    package var reserved: UInt16
    /// `nil`: that of the next layer.
    package var nextHeader: UInt8?

    static let minimumLength = 12

    func append(to bytes: inout [UInt8], next: Layer?) {
        let check = (integrityCheck.count + 3) / 4 * 4
        bytes.append(nextHeader ?? Layer.ipProtocol(of: next))
        bytes.append(UInt8(truncatingIfNeeded: (Self.minimumLength + check) / 4 - 2))
        bytes.append(big16: reserved)
        bytes.append(big32: securityParametersIndex)
        bytes.append(big32: sequence)
        bytes.append(contentsOf: integrityCheck)
        bytes.appendZeros(check - integrityCheck.count)
    }
}

extension Layer {
    package static func hopByHop(options: [UInt8] = [], nextHeader: UInt8? = nil) -> Layer {
        .hopByHop(OptionsHeader(options: options, nextHeader: nextHeader))
    }

    package static func destinationOptions(options: [UInt8] = [], nextHeader: UInt8? = nil) -> Layer {
        .destinationOptions(OptionsHeader(options: options, nextHeader: nextHeader))
    }

    /// A routing header whose data are four reserved octets and a list of addresses, as in types 0 and 2.
    package static func routing(
        type: UInt8 = 0, segmentsLeft: UInt8, addresses: [IPAddress], nextHeader: UInt8? = nil
    ) -> Layer {
        var data: [UInt8] = [0, 0, 0, 0]
        for address in addresses { data.append(address) }
        return .routing(RoutingHeader(type: type, segmentsLeft: segmentsLeft, data: data, nextHeader: nextHeader))
    }

    package static func routing(type: UInt8, segmentsLeft: UInt8, data: [UInt8], nextHeader: UInt8? = nil) -> Layer {
        .routing(RoutingHeader(type: type, segmentsLeft: segmentsLeft, data: data, nextHeader: nextHeader))
    }

    /// An IPv6 fragment header; `offset` is in units of eight octets.
    package static func fragment(
        offset: UInt16 = 0, moreFragments: Bool = false, identification: UInt32 = 0, nextHeader: UInt8? = nil
    ) -> Layer {
        .fragment(
            FragmentHeader(
                offset: offset, moreFragments: moreFragments, identification: identification, reserved: 0,
                reservedBits: 0, nextHeader: nextHeader))
    }

    package static func authentication(
        securityParametersIndex: UInt32, sequence: UInt32, integrityCheck: [UInt8] = [], nextHeader: UInt8? = nil
    ) -> Layer {
        .authentication(
            AuthenticationHeader(
                securityParametersIndex: securityParametersIndex, sequence: sequence, integrityCheck: integrityCheck,
                reserved: 0, nextHeader: nextHeader))
    }
}
