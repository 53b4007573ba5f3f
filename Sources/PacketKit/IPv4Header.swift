package import NetworkTypes

/// An IPv4 header (RFC 791).
package struct IPv4Header: Hashable, Sendable {
    /// Both addresses must be IPv4.
    package var source: IPAddress
    package var destination: IPAddress
    package var ttl: UInt8
    /// The octet of DSCP and ECN.
    package var tos: UInt8
    package var identification: UInt16
    package var dontFragment: Bool
    package var moreFragments: Bool
    /// The flag that RFC 791 reserves.
    package var reservedFlag: Bool
    /// In units of eight octets, as in the header; 0 to 8191.
    package var fragmentOffset: UInt16
    /// Filled with zeros to a multiple of four octets; at most forty.
    package var options: [UInt8]
    /// `nil`: that of the next layer.
    package var `protocol`: UInt8?
    /// Of header and content, in octets; `nil`: computed.
    package var totalLength: UInt16?
    /// In words of four octets; `nil`: computed.
    package var headerLength: UInt8?
    package var checksum: Checksum

    static let minimumLength = 20

    var isFragment: Bool { moreFragments || fragmentOffset != 0 }

    /// The length in octets as written, whatever `headerLength` says.
    var encodedLength: Int { Self.minimumLength + (options.count + 3) / 4 * 4 }

    func append(to bytes: inout [UInt8], next: Layer?) {
        let words = headerLength ?? UInt8(truncatingIfNeeded: encodedLength / 4)
        bytes.append(0x40 | words & 0xf)
        bytes.append(tos)
        bytes.append(big16: totalLength ?? 0)
        bytes.append(big16: identification)
        bytes.append(
            big16: (reservedFlag ? 0x8000 : 0) | (dontFragment ? 0x4000 : 0) | (moreFragments ? 0x2000 : 0)
                | fragmentOffset & 0x1fff)
        bytes.append(ttl)
        bytes.append(self.protocol ?? Layer.ipProtocol(of: next))
        bytes.append(big16: checksum.explicitValue)
        bytes.append(big32: Self.number(source))
        bytes.append(big32: Self.number(destination))
        bytes.append(contentsOf: options)
        bytes.appendZeros(encodedLength - Self.minimumLength - options.count)
    }

    static func number(_ address: IPAddress) -> UInt32 {
        guard let value = address.ipv4Value else { preconditionFailure("\(address) is not an IPv4 address") }
        return value
    }
}

extension Layer {
    /// An IPv4 header; `fragmentOffset` is in units of eight octets.
    package static func ipv4(
        source: IPAddress, destination: IPAddress, ttl: UInt8 = 64, options: [UInt8] = [], identification: UInt16 = 0,
        fragmentOffset: UInt16 = 0, moreFragments: Bool = false, dontFragment: Bool = false, reservedFlag: Bool = false,
        tos: UInt8 = 0, protocol: UInt8? = nil, totalLength: UInt16? = nil, headerLength: UInt8? = nil,
        checksum: Checksum = .computed
    ) -> Layer {
        .ipv4(
            IPv4Header(
                source: source, destination: destination, ttl: ttl, tos: tos, identification: identification,
                dontFragment: dontFragment, moreFragments: moreFragments, reservedFlag: reservedFlag,
                fragmentOffset: fragmentOffset, options: options, protocol: `protocol`, totalLength: totalLength,
                headerLength: headerLength, checksum: checksum))
    }
}
