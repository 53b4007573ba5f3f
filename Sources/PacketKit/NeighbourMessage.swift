package import NetworkTypes

/// A neighbour solicitation or advertisement, from its ICMPv6 type to its last option (RFC 4861 §4.3, §4.4).
package struct NeighbourMessage: Hashable, Sendable {
    package enum Kind: UInt8, Hashable, Sendable {
        case solicitation = 135
        case advertisement = 136
    }

    package var kind: Kind
    /// Zero in every valid message.
    package var code: UInt8
    /// The word of flags and reserved bits. Only advertisements have flags.
    package var flags: Flags
    package var target: IPAddress
    package var options: [NeighbourOption]
    package var checksum: Checksum

    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let router = Flags(rawValue: 1 << 31)
        package static let solicited = Flags(rawValue: 1 << 30)
        package static let override = Flags(rawValue: 1 << 29)
    }

    static let minimumLength = 24

    func append(to bytes: inout [UInt8]) {
        bytes.append(kind.rawValue)
        bytes.append(code)
        bytes.append(big16: checksum.explicitValue)
        bytes.append(big32: flags.rawValue)
        bytes.append(target)
        for option in options { option.append(to: &bytes) }
    }
}

/// An option of neighbour discovery (RFC 4861 §4.6).
package struct NeighbourOption: Hashable, Sendable {
    /// 1 is a source, 2 a target link-layer address.
    package var type: UInt8
    /// All behind type and length; filled with zeros to the option's multiple of eight octets.
    package var data: [UInt8]

    package init(type: UInt8, data: [UInt8]) {
        self.type = type
        self.data = data
    }

    package static func sourceLinkLayerAddress(_ address: MACAddress) -> Self { Self(type: 1, data: address.octets) }
    package static func targetLinkLayerAddress(_ address: MACAddress) -> Self { Self(type: 2, data: address.octets) }

    func append(to bytes: inout [UInt8]) {
        let length = max(8, (2 + data.count + 7) / 8 * 8)
        bytes.append(type)
        bytes.append(UInt8(truncatingIfNeeded: length / 8))
        bytes.append(contentsOf: data)
        bytes.appendZeros(length - 2 - data.count)
    }

    /// The options from `start` to `end` that are well formed, and where the first that is not begins.
    static func list(in bytes: [UInt8], from start: Int, to end: Int) -> (options: [NeighbourOption], end: Int) {
        var options: [NeighbourOption] = []
        var offset = start
        while end - offset >= 2 {
            let length = Int(bytes[offset + 1]) * 8
            guard length > 0, length <= end - offset else { break }
            options.append(NeighbourOption(type: bytes[offset], data: Array(bytes[offset + 2..<offset + length])))
            offset += length
        }
        return (options, offset)
    }
}

extension NeighbourOption: CustomStringConvertible {
    package var description: String {
        let address = MACAddress(octets: data)
        return switch (type, address) {
        case (1, let address?): "source \(address)"
        case (2, let address?): "target \(address)"
        default: "option \(type) 0x\(hexadecimalString(data))"
        }
    }
}

extension Layer {
    /// "Who has `target`?" Of a host that probes for duplicates, without options.
    package static func neighbourSolicitation(
        target: IPAddress, options: [NeighbourOption] = [], code: UInt8 = 0, checksum: Checksum = .computed
    ) -> Layer {
        .neighbour(
            NeighbourMessage(
                kind: .solicitation, code: code, flags: [], target: target, options: options, checksum: checksum))
    }

    package static func neighbourAdvertisement(
        target: IPAddress, flags: NeighbourMessage.Flags, options: [NeighbourOption] = [], code: UInt8 = 0,
        checksum: Checksum = .computed
    ) -> Layer {
        .neighbour(
            NeighbourMessage(
                kind: .advertisement, code: code, flags: flags, target: target, options: options, checksum: checksum))
    }
}
