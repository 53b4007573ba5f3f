/// The eight octets that begin an ICMP message (RFC 792). What follows is a layer of its own: a payload, or the quoted
/// beginning of the datagram in error.
package struct ICMPv4Header: Hashable, Sendable {
    package var type: UInt8
    package var code: UInt8
    /// The second four octets, whose meaning depends on the type.
    package var rest: UInt32
    package var checksum: Checksum

    static let length = 8

    package init(type: UInt8, code: UInt8 = 0, rest: UInt32 = 0, checksum: Checksum = .computed) {
        self.type = type
        self.code = code
        self.rest = rest
        self.checksum = checksum
    }

    package static func echoRequest(identifier: UInt16, sequence: UInt16, checksum: Checksum = .computed) -> Self {
        Self(type: 8, rest: UInt32(identifier) << 16 | UInt32(sequence), checksum: checksum)
    }

    package static func echoReply(identifier: UInt16, sequence: UInt16, checksum: Checksum = .computed) -> Self {
        Self(type: 0, rest: UInt32(identifier) << 16 | UInt32(sequence), checksum: checksum)
    }

    /// Code 0 net, 1 host, 2 protocol, 3 port, 13 prohibited.
    package static func unreachable(code: UInt8, checksum: Checksum = .computed) -> Self {
        Self(type: 3, code: code, checksum: checksum)
    }

    /// RFC 1191; `mtu` in octets.
    package static func fragmentationNeeded(mtu: UInt16, checksum: Checksum = .computed) -> Self {
        Self(type: 3, code: 4, rest: UInt32(mtu), checksum: checksum)
    }

    package static func timeExceeded(code: UInt8 = 0, checksum: Checksum = .computed) -> Self {
        Self(type: 11, code: code, checksum: checksum)
    }

    /// Whether the message quotes the datagram that it is about.
    var isError: Bool { [3, 4, 5, 11, 12].contains(type) }

    func append(to bytes: inout [UInt8]) {
        bytes.append(type)
        bytes.append(code)
        bytes.append(big16: checksum.explicitValue)
        bytes.append(big32: rest)
    }
}

/// The eight octets that begin an ICMPv6 message (RFC 4443), other than neighbour solicitations and advertisements.
package struct ICMPv6Header: Hashable, Sendable {
    package var type: UInt8
    package var code: UInt8
    /// The second four octets, whose meaning depends on the type.
    package var rest: UInt32
    package var checksum: Checksum

    static let length = 8

    package init(type: UInt8, code: UInt8 = 0, rest: UInt32 = 0, checksum: Checksum = .computed) {
        self.type = type
        self.code = code
        self.rest = rest
        self.checksum = checksum
    }

    package static func echoRequest(identifier: UInt16, sequence: UInt16, checksum: Checksum = .computed) -> Self {
        Self(type: 128, rest: UInt32(identifier) << 16 | UInt32(sequence), checksum: checksum)
    }

    package static func echoReply(identifier: UInt16, sequence: UInt16, checksum: Checksum = .computed) -> Self {
        Self(type: 129, rest: UInt32(identifier) << 16 | UInt32(sequence), checksum: checksum)
    }

    /// Code 0 no route, 1 prohibited, 3 address, 4 port.
    package static func unreachable(code: UInt8, checksum: Checksum = .computed) -> Self {
        Self(type: 1, code: code, checksum: checksum)
    }

    /// `mtu` in octets.
    package static func packetTooBig(mtu: UInt32, checksum: Checksum = .computed) -> Self {
        Self(type: 2, rest: mtu, checksum: checksum)
    }

    package static func timeExceeded(code: UInt8 = 0, checksum: Checksum = .computed) -> Self {
        Self(type: 3, code: code, checksum: checksum)
    }

    /// Whether the message quotes the datagram that it is about.
    var isError: Bool { (1...4).contains(type) }

    func append(to bytes: inout [UInt8]) {
        bytes.append(type)
        bytes.append(code)
        bytes.append(big16: checksum.explicitValue)
        bytes.append(big32: rest)
    }
}

extension Layer {
    /// What an ICMP error quotes of `packet`: from its first IP header on, `transportOctets` octets behind that header, or
    /// as much as there is. RFC 792 asks for eight; `nil` quotes all.
    package static func quoted(_ packet: Packet, transportOctets: Int? = nil) -> Layer {
        let (bytes, spans) = packet.encoded()
        guard let index = packet.layers.firstIndex(where: \.isNetwork) else { return .quoted(bytes) }
        let (start, end) = (spans[index].offset, spans[index].end)
        let header = index + 1 < spans.count ? spans[index + 1].offset : end
        let limit = transportOctets.map { min(end, header + $0) } ?? end
        return .quoted(Array(bytes[start..<limit]))
    }
}
