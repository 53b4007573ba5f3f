extension PacketDecoder {
    /// The layers with every field left to be computed that would come out as it was found.
    func layersWithComputedFields() -> [Layer] {
        layers.indices.map { index in
            let next = index + 1 < layers.count ? layers[index + 1] : nil
            var layer = layers[index]
            if layer.etherType == Layer.etherType(of: next) { layer.etherType = nil }
            if layer.nextHeader == Layer.ipProtocol(of: next) { layer.nextHeader = nil }
            layer.leaveLengths(spans[index])
            if case .value(let found)? = layer.checksum,
                found == Packet.correctChecksum(of: index, layers: layers, spans: spans, bytes: bytes)
            {
                layer.checksum = .computed
            }
            return layer
        }
    }
}

extension Layer {
    /// Leaves the lengths to be computed that follow from the layer's place.
    fileprivate mutating func leaveLengths(_ span: Span) {
        let length = span.end - span.offset
        switch self {
        case .ipv4(var header):
            header.headerLength = nil
            if header.totalLength.map(Int.init) == length { header.totalLength = nil }
            self = .ipv4(header)
        case .ipv6(var header):
            if header.payloadLength.map(Int.init) == length - IPv6Header.length { header.payloadLength = nil }
            self = .ipv6(header)
        case .udp(var header):
            if header.length.map(Int.init) == length { header.length = nil }
            self = .udp(header)
        case .tcp(var header):
            header.dataOffset = nil
            self = .tcp(header)
        default: break
        }
    }

    /// The EtherType that a link header states itself; `nil` for other layers too.
    var etherType: UInt16? {
        get {
            switch self {
            case .ethernet(let header): header.type
            case .vlan(let tag): tag.type
            default: nil
            }
        }
        set {
            switch self {
            case .ethernet(var header):
                header.type = newValue
                self = .ethernet(header)
            case .vlan(var tag):
                tag.type = newValue
                self = .vlan(tag)
            default: break
            }
        }
    }

    /// The protocol number that an IP or extension header states itself; `nil` for other layers too.
    var nextHeader: UInt8? {
        get {
            switch self {
            case .ipv4(let header): header.protocol
            case .ipv6(let header): header.nextHeader
            case .hopByHop(let header), .destinationOptions(let header): header.nextHeader
            case .routing(let header): header.nextHeader
            case .fragment(let header): header.nextHeader
            case .authentication(let header): header.nextHeader
            default: nil
            }
        }
        set {
            switch self {
            case .ipv4(var header):
                header.protocol = newValue
                self = .ipv4(header)
            case .ipv6(var header):
                header.nextHeader = newValue
                self = .ipv6(header)
            case .hopByHop(var header):
                header.nextHeader = newValue
                self = .hopByHop(header)
            case .destinationOptions(var header):
                header.nextHeader = newValue
                self = .destinationOptions(header)
            case .routing(var header):
                header.nextHeader = newValue
                self = .routing(header)
            case .fragment(var header):
                header.nextHeader = newValue
                self = .fragment(header)
            case .authentication(var header):
                header.nextHeader = newValue
                self = .authentication(header)
            default: break
            }
        }
    }
}
