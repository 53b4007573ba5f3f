/// The control bits of a TCP header.
package struct TCPFlags: OptionSet, Hashable, Sendable {
    /// The twelve bits behind the data offset, the reserved ones included.
    package let rawValue: UInt16

    package init(rawValue: UInt16) { self.rawValue = rawValue & 0xfff }

    package static let fin = TCPFlags(rawValue: 0x001)
    package static let syn = TCPFlags(rawValue: 0x002)
    package static let rst = TCPFlags(rawValue: 0x004)
    package static let psh = TCPFlags(rawValue: 0x008)
    package static let ack = TCPFlags(rawValue: 0x010)
    package static let urg = TCPFlags(rawValue: 0x020)
    package static let ece = TCPFlags(rawValue: 0x040)
    package static let cwr = TCPFlags(rawValue: 0x080)
    /// Accurate ECN (RFC 9768), once the nonce sum.
    package static let ae = TCPFlags(rawValue: 0x100)
}

extension TCPFlags: CustomStringConvertible {
    /// One letter for each flag, as tcpdump has them: `S`, `S.`, `FP.`; `none` without any.
    package var description: String {
        let letters: [(TCPFlags, String)] = [
            (.fin, "F"), (.syn, "S"), (.rst, "R"), (.psh, "P"), (.ack, "."), (.urg, "U"), (.ece, "E"), (.cwr, "W"),
            (.ae, "e"),
        ]
        let reserved = rawValue & 0xe00
        let text = letters.reduce(into: "") { if contains($1.0) { $0 += $1.1 } }
        return (text.isEmpty ? "none" : text) + (reserved == 0 ? "" : "+\(hexadecimal(reserved))")
    }
}

/// A TCP header (RFC 9293 §3.1).
package struct TCPHeader: Hashable, Sendable {
    package var source: UInt16
    package var destination: UInt16
    package var sequence: UInt32
    package var acknowledgement: UInt32
    package var flags: TCPFlags
    package var window: UInt16
    package var urgentPointer: UInt16
    /// Filled with zeros to a multiple of four octets; at most forty.
    package var options: [TCPOption]
    /// In words of four octets; `nil`: computed.
    package var dataOffset: UInt8?
    package var checksum: Checksum

    static let minimumLength = 20

    func append(to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(big16: source)
        bytes.append(big16: destination)
        bytes.append(big32: sequence)
        bytes.append(big32: acknowledgement)
        bytes.append(big16: 0)
        bytes.append(big16: window)
        bytes.append(big16: checksum.explicitValue)
        bytes.append(big16: urgentPointer)
        for option in options { option.append(to: &bytes) }
        bytes.appendZeros((4 - (bytes.count - start) % 4) % 4)
        let words = dataOffset ?? UInt8(truncatingIfNeeded: (bytes.count - start) / 4)
        bytes.set(big16: UInt16(words & 0xf) << 12 | flags.rawValue, at: start + 12)
    }
}

extension Layer {
    package static func tcp(
        source: UInt16, destination: UInt16, flags: TCPFlags = .ack, sequence: UInt32 = 0, acknowledgement: UInt32 = 0,
        window: UInt16 = 65535, urgentPointer: UInt16 = 0, options: [TCPOption] = [], dataOffset: UInt8? = nil,
        checksum: Checksum = .computed
    ) -> Layer {
        .tcp(
            TCPHeader(
                source: source, destination: destination, sequence: sequence, acknowledgement: acknowledgement,
                flags: flags, window: window, urgentPointer: urgentPointer, options: options, dataOffset: dataOffset,
                checksum: checksum))
    }
}
