/// A UDP header (RFC 768).
package struct UDPHeader: Hashable, Sendable {
    package var source: UInt16
    package var destination: UInt16
    /// Of header and content, in octets; `nil`: computed. It bounds what the checksum covers.
    package var length: UInt16?
    package var checksum: Checksum

    static let headerLength = 8

    func append(to bytes: inout [UInt8]) {
        bytes.append(big16: source)
        bytes.append(big16: destination)
        bytes.append(big16: length ?? 0)
        bytes.append(big16: checksum.explicitValue)
    }
}

extension Layer {
    package static func udp(
        source: UInt16, destination: UInt16, length: UInt16? = nil, checksum: Checksum = .computed
    ) -> Layer {
        .udp(UDPHeader(source: source, destination: destination, length: length, checksum: checksum))
    }
}
