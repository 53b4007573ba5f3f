/// Where a layer lies in a packet's octets: from the first octet of its header to the end of its content.
struct Span {
    var offset: Int
    var end: Int
}

extension Packet {
    /// The octets, and each layer's place in them.
    func encoded() -> (bytes: [UInt8], spans: [Span]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(layers.reduce(64) { $0 + ($1.content?.count ?? 40) })
        var spans: [Span] = []
        spans.reserveCapacity(layers.count)
        // Indices of the IP headers whose ends are still to come.
        var openNetworks: [Int] = []

        for (index, layer) in layers.enumerated() {
            if case .padding(_, let inside) = layer, max(0, inside) < openNetworks.count {
                Self.close(&spans, from: openNetworks[max(0, inside)], at: bytes.count)
                openNetworks.removeSubrange(max(0, inside)...)
            }
            if layer.isNetwork { openNetworks.append(index) }
            spans.append(Span(offset: bytes.count, end: Self.open))
            layer.append(to: &bytes, next: index + 1 < layers.count ? layers[index + 1] : nil)
            // Padding is content of the datagrams around it, and of nothing else.
            if case .padding = layer { spans[index].end = bytes.count }
        }
        Self.close(&spans, from: 0, at: bytes.count)

        // From the innermost out, since checksums cover what is inside.
        for index in layers.indices.reversed() { fill(index, in: &bytes, spans) }
        return (bytes, spans)
    }

    private static let open = -1

    private static func close(_ spans: inout [Span], from index: Int, at end: Int) {
        for index in index..<spans.count where spans[index].end == open { spans[index].end = end }
    }

    /// Writes the lengths and the checksum that the layer leaves to be computed.
    private func fill(_ index: Int, in bytes: inout [UInt8], _ spans: [Span]) {
        let span = spans[index]
        let length = UInt16(truncatingIfNeeded: span.end - span.offset)
        switch layers[index] {
        case .ipv4(let header) where header.totalLength == nil:
            bytes.set(big16: length, at: span.offset + 2)
        case .ipv6(let header) where header.payloadLength == nil:
            bytes.set(big16: length &- UInt16(IPv6Header.length), at: span.offset + 4)
        case .udp(let header) where header.length == nil:
            bytes.set(big16: length, at: span.offset + 4)
        default: break
        }
        guard let checksum = layers[index].checksum, let field = layers[index].checksumOffset else { return }
        if case .value = checksum { return }
        let correct = Packet.correctChecksum(of: index, layers: layers, spans: spans, bytes: bytes)
        bytes.set(big16: checksum.resolved(correct: correct), at: span.offset + field)
    }
}

extension Layer {
    func append(to bytes: inout [UInt8], next: Layer?) {
        switch self {
        case .ethernet(let header): header.append(to: &bytes, next: next)
        case .vlan(let tag): tag.append(to: &bytes, next: next)
        case .arp(let message): message.append(to: &bytes)
        case .ipv4(let header): header.append(to: &bytes, next: next)
        case .ipv6(let header): header.append(to: &bytes, next: next)
        case .hopByHop(let header), .destinationOptions(let header): header.append(to: &bytes, next: next)
        case .routing(let header): header.append(to: &bytes, next: next)
        case .fragment(let header): header.append(to: &bytes, next: next)
        case .authentication(let header): header.append(to: &bytes, next: next)
        case .tcp(let header): header.append(to: &bytes)
        case .udp(let header): header.append(to: &bytes)
        case .icmp(let header): header.append(to: &bytes)
        case .icmpv6(let header): header.append(to: &bytes)
        case .neighbour(let message): message.append(to: &bytes)
        case .quoted(let octets), .payload(let octets), .raw(let octets), .padding(let octets, _):
            bytes.append(contentsOf: octets)
        }
    }
}
