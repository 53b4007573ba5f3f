import NetworkTypes

/// What a checksum field turned out to be.
package enum ChecksumStatus: Hashable, Sendable {
    case correct
    case wrong(found: UInt16, correct: UInt16)
    /// UDP over IPv4 without a checksum.
    case absent
    /// The packet is cut short, or a fragment: what the checksum covers is not all here.
    case notVerifiable
}

/// A layer with a checksum, and what the checksum is.
package struct ChecksumResult: Hashable, Sendable {
    /// The layer's index in `Packet.layers`.
    package let layer: Int
    package let name: String
    package let status: ChecksumStatus
}

extension Packet {
    /// Each checksum of the packet, from the outermost on. Quoted datagrams are not looked into.
    package var checksums: [ChecksumResult] {
        let (bytes, spans) = encoded()
        return layers.indices.compactMap { index in
            guard let field = layers[index].checksumOffset else { return nil }
            let found = bytes.big16(at: spans[index].offset + field)
            return ChecksumResult(
                layer: index, name: layers[index].name,
                status: Self.status(of: index, found: found, layers: layers, spans: spans, bytes: bytes))
        }
    }

    /// Whether no checksum of the packet is wrong.
    package var hasCorrectChecksums: Bool {
        checksums.allSatisfy { if case .wrong = $0.status { false } else { true } }
    }

    private static func status(
        of index: Int, found: UInt16, layers: [Layer], spans: [Span], bytes: [UInt8]
    ) -> ChecksumStatus {
        let network = layers[..<index].lastIndex(where: \.isNetwork)
        if !layers[index].isNetwork, let network {
            if case .udp = layers[index], case .ipv4 = layers[network], found == 0 { return .absent }
            guard isWhole(layers, spans, network: network, transport: index) else { return .notVerifiable }
        }
        let correct = correctChecksum(of: index, layers: layers, spans: spans, bytes: bytes)
        if found == correct { return .correct }
        // The two zeros of ones' complement: either is right, but UDP must not send 0x0000.
        if case .udp = layers[index] { return .wrong(found: found, correct: correct) }
        let zeros: Set<UInt16> = [0, 0xffff]
        return zeros.contains(found) && zeros.contains(correct) ? .correct : .wrong(found: found, correct: correct)
    }

    /// Whether all of the datagram that the transport layer belongs to is here.
    private static func isWhole(_ layers: [Layer], _ spans: [Span], network: Int, transport: Int) -> Bool {
        let present = spans[network].end - spans[network].offset
        switch layers[network] {
        case .ipv4(let header):
            if header.isFragment || header.totalLength.map({ Int($0) > present }) == true { return false }
        case .ipv6(let header):
            if header.payloadLength.map({ Int($0) + IPv6Header.length > present }) == true { return false }
        default: break
        }
        return layers[network..<transport].allSatisfy { layer in
            if case .fragment(let header) = layer { !header.isFragment } else { true }
        }
    }

    /// The right value for the checksum of layer `index`, whatever its field holds now.
    static func correctChecksum(of index: Int, layers: [Layer], spans: [Span], bytes: [UInt8]) -> UInt16 {
        guard let field = layers[index].checksumOffset else { return 0 }
        let start = spans[index].offset
        var end = spans[index].end
        var sum: UInt64 = 0
        switch layers[index] {
        case .ipv4(let header):
            end = start + header.encodedLength
        case .tcp:
            sum = pseudoHeader(before: index, layers, protocol: IPProtocol.tcp, length: end - start)
        case .udp:
            let length = Int(bytes.big16(at: start + 4))
            if length >= UDPHeader.headerLength, length < end - start { end = start + length }
            sum = pseudoHeader(before: index, layers, protocol: IPProtocol.udp, length: length)
        case .icmpv6, .neighbour:
            sum = pseudoHeader(before: index, layers, protocol: IPProtocol.icmpv6, length: end - start)
        default: break
        }
        sum &+= InternetChecksum.sum(bytes, start..<start + field)
        sum &+= InternetChecksum.sum(bytes, start + field + 2..<end)
        let checksum = ~InternetChecksum.folded(sum)
        if case .udp = layers[index], checksum == 0 { return 0xffff }
        return checksum
    }

    /// The sum of the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1) by the nearest IP header before `index`.
    private static func pseudoHeader(before index: Int, _ layers: [Layer], protocol: UInt8, length: Int) -> UInt64 {
        guard let network = layers[..<index].lastIndex(where: \.isNetwork) else { return 0 }
        let rest = UInt64(`protocol`) + UInt64(length)
        switch layers[network] {
        case .ipv4(let header):
            return rest + UInt64(IPv4Header.number(header.source)) + UInt64(IPv4Header.number(header.destination))
        case .ipv6(let header):
            var destination = header.destination
            for case .routing(let routing) in layers[network..<index] {
                if let final = routing.finalDestination { destination = final }
            }
            return rest + sum(of: header.source) + sum(of: destination)
        default: return 0
        }
    }

    private static func sum(of address: IPAddress) -> UInt64 {
        (address.high >> 32) + (address.high & 0xffff_ffff) + (address.low >> 32) + (address.low & 0xffff_ffff)
    }
}

extension Layer {
    /// Where the layer's checksum field lies, counted from its first octet; `nil` for a layer without one.
    var checksumOffset: Int? {
        switch self {
        case .ipv4: 10
        case .tcp: 16
        case .udp: 6
        case .icmp, .icmpv6, .neighbour: 2
        default: nil
        }
    }

    /// The checksum, for layers that have one.
    var checksum: Checksum? {
        get {
            switch self {
            case .ipv4(let header): header.checksum
            case .tcp(let header): header.checksum
            case .udp(let header): header.checksum
            case .icmp(let header): header.checksum
            case .icmpv6(let header): header.checksum
            case .neighbour(let message): message.checksum
            default: nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .ipv4(var header):
                header.checksum = newValue
                self = .ipv4(header)
            case .tcp(var header):
                header.checksum = newValue
                self = .tcp(header)
            case .udp(var header):
                header.checksum = newValue
                self = .udp(header)
            case .icmp(var header):
                header.checksum = newValue
                self = .icmp(header)
            case .icmpv6(var header):
                header.checksum = newValue
                self = .icmpv6(header)
            case .neighbour(var message):
                message.checksum = newValue
                self = .neighbour(message)
            default: break
            }
        }
    }
}
