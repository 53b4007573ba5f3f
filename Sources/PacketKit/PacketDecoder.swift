import NetworkTypes

/// Reads octets into layers, from the outside in, without recursion, so that no nesting exhausts the stack.
///
/// The layers hold every field as it was found. `layersWithComputedFields` then leaves those to be computed that would be
/// computed to the same.
struct PacketDecoder {
    let bytes: [UInt8]
    private(set) var layers: [Layer] = []
    private(set) var spans: [Span] = []

    private var position = 0
    /// The end of the innermost datagram so far.
    private var end: Int
    /// For each IP header, the end of what it counts and the end of what holds it.
    private var networks: [(end: Int, outerEnd: Int)] = []

    init(bytes: [UInt8]) {
        self.bytes = bytes
        end = bytes.count
    }

    /// What lies at `position`.
    private enum Expectation {
        case ethernet
        case etherType(UInt16)
        case network
        case ipProtocol(UInt8)
        case quoted
        case payload
        case padding
        case raw
        case nothing
    }

    private var available: Int { end - position }

    mutating func decode(startingAt start: Packet.Start) {
        var next: Expectation = start == .ethernet ? .ethernet : .network
        while position < end {
            next = step(next)
            if case .nothing = next { break }
        }
        for (depth, network) in networks.enumerated().reversed() where network.end < network.outerEnd {
            position = network.end
            add(
                .padding(Array(bytes[network.end..<network.outerEnd]), inside: depth),
                length: network.outerEnd - network.end)
        }
    }

    private mutating func step(_ expected: Expectation) -> Expectation {
        switch expected {
        case .ethernet: return ethernet()
        case .etherType(let type): return content(ofType: type)
        case .network: return network()
        case .ipProtocol(let number): return content(ofProtocol: number)
        case .quoted: add(.quoted(rest), length: available)
        case .payload: add(.payload(rest), length: available)
        case .padding: add(.padding(rest), length: available)
        case .raw: add(.raw(rest), length: available)
        case .nothing: break
        }
        return .nothing
    }

    private var rest: [UInt8] { Array(bytes[position..<end]) }

    /// Adds a layer whose header has this length, and moves behind it.
    private mutating func add(_ layer: Layer, length: Int) {
        let isPadding = if case .padding = layer { true } else { false }
        spans.append(Span(offset: position, end: isPadding ? position + length : end))
        layers.append(layer)
        position += length
    }

    // MARK: Link

    private mutating func ethernet() -> Expectation {
        guard available >= EthernetHeader.length else { return .raw }
        let header = EthernetHeader(
            destination: MACAddress(bytes.big48(at: position)), source: MACAddress(bytes.big48(at: position + 6)),
            type: bytes.big16(at: position + 12))
        add(.ethernet(header), length: EthernetHeader.length)
        return .etherType(bytes.big16(at: position - 2))
    }

    private mutating func content(ofType type: UInt16) -> Expectation {
        switch type {
        case EtherType.ipv4: return ipv4()
        case EtherType.ipv6: return ipv6()
        case EtherType.arp: return arp()
        case _ where VLANTag.isTagProtocol(type): return vlan(type)
        default: return .payload
        }
    }

    private mutating func vlan(_ tagProtocol: UInt16) -> Expectation {
        guard available >= VLANTag.length else { return .raw }
        let control = bytes.big16(at: position)
        let type = bytes.big16(at: position + 2)
        let tag = VLANTag(
            identifier: control & 0xfff, priority: UInt8(control >> 13), dropEligible: control & 0x1000 != 0,
            tagProtocol: tagProtocol, type: type)
        add(.vlan(tag), length: VLANTag.length)
        return .etherType(type)
    }

    private mutating func arp() -> Expectation {
        guard available >= ARPMessage.length, bytes[position..<position + 6].elementsEqual(ARPMessage.prologue) else {
            return .raw
        }
        let message = ARPMessage(
            operation: bytes.big16(at: position + 6), senderHardware: MACAddress(bytes.big48(at: position + 8)),
            senderAddress: IPAddress(ipv4: bytes.big32(at: position + 14)),
            targetHardware: MACAddress(bytes.big48(at: position + 18)),
            targetAddress: IPAddress(ipv4: bytes.big32(at: position + 24)))
        add(.arp(message), length: ARPMessage.length)
        return .padding
    }

    // MARK: Network

    private mutating func network() -> Expectation {
        switch bytes[position] >> 4 {
        case 4: ipv4()
        case 6: ipv6()
        default: .raw
        }
    }

    /// Makes `length` octets from `position` on the bounds of what follows, if there are as many; else nothing changes.
    private mutating func bound(to length: Int, minimum: Int) {
        let outerEnd = end
        if length >= minimum, length <= available { end = position + length }
        networks.append((end, outerEnd))
    }

    private mutating func ipv4() -> Expectation {
        let first = bytes[position]
        let length = Int(first & 0xf) * 4
        guard first >> 4 == 4, length >= IPv4Header.minimumLength, length <= available else { return .raw }
        let fragment = bytes.big16(at: position + 6)
        let header = IPv4Header(
            source: IPAddress(ipv4: bytes.big32(at: position + 12)),
            destination: IPAddress(ipv4: bytes.big32(at: position + 16)), ttl: bytes[position + 8],
            tos: bytes[position + 1], identification: bytes.big16(at: position + 4),
            dontFragment: fragment & 0x4000 != 0, moreFragments: fragment & 0x2000 != 0,
            reservedFlag: fragment & 0x8000 != 0, fragmentOffset: fragment & 0x1fff,
            options: Array(bytes[position + IPv4Header.minimumLength..<position + length]),
            protocol: bytes[position + 9], totalLength: bytes.big16(at: position + 2),
            headerLength: UInt8(length / 4), checksum: .value(bytes.big16(at: position + 10)))
        bound(to: Int(bytes.big16(at: position + 2)), minimum: length)
        add(.ipv4(header), length: length)
        return header.fragmentOffset == 0 ? .ipProtocol(bytes[position - length + 9]) : .payload
    }

    private mutating func ipv6() -> Expectation {
        guard available >= IPv6Header.length, bytes[position] >> 4 == 6 else { return .raw }
        let word = bytes.big32(at: position)
        let payloadLength = bytes.big16(at: position + 4)
        let nextHeader = bytes[position + 6]
        let header = IPv6Header(
            source: bytes.address(at: position + 8), destination: bytes.address(at: position + 24),
            hopLimit: bytes[position + 7], trafficClass: UInt8(truncatingIfNeeded: word >> 20),
            flowLabel: word & 0xf_ffff, nextHeader: nextHeader, payloadLength: payloadLength)
        bound(to: IPv6Header.length + Int(payloadLength), minimum: IPv6Header.length)
        add(.ipv6(header), length: IPv6Header.length)
        return .ipProtocol(nextHeader)
    }

    // MARK: Above the network

    private mutating func content(ofProtocol number: UInt8) -> Expectation {
        let isIPv6 = if case .ipv6 = layers.last(where: \.isNetwork) { true } else { false }
        switch number {
        case IPProtocol.ipv4: return ipv4()
        case IPProtocol.ipv6: return ipv6()
        case IPProtocol.tcp: return tcp()
        case IPProtocol.udp: return udp()
        case IPProtocol.authentication: return authentication()
        case IPProtocol.icmp where !isIPv6: return icmp()
        case IPProtocol.icmpv6 where isIPv6: return icmpv6()
        case IPProtocol.hopByHop where isIPv6: return options { .hopByHop($0) }
        case IPProtocol.destinationOptions where isIPv6: return options { .destinationOptions($0) }
        case IPProtocol.routing where isIPv6: return routing()
        case IPProtocol.fragment where isIPv6: return fragment()
        default: return .payload
        }
    }

    /// The length of the extension header at `position`; `nil` if the packet ends before.
    private var extensionLength: Int? {
        guard available >= 8 else { return nil }
        let length = (Int(bytes[position + 1]) + 1) * 8
        return length <= available ? length : nil
    }

    private mutating func options(_ layer: (OptionsHeader) -> Layer) -> Expectation {
        guard let length = extensionLength else { return .raw }
        let nextHeader = bytes[position]
        let data = Array(bytes[position + 2..<position + length])
        add(layer(OptionsHeader(options: data, nextHeader: nextHeader)), length: length)
        return .ipProtocol(nextHeader)
    }

    private mutating func routing() -> Expectation {
        guard let length = extensionLength else { return .raw }
        let nextHeader = bytes[position]
        let header = RoutingHeader(
            type: bytes[position + 2], segmentsLeft: bytes[position + 3],
            data: Array(bytes[position + 4..<position + length]), nextHeader: nextHeader)
        add(.routing(header), length: length)
        return .ipProtocol(nextHeader)
    }

    private mutating func fragment() -> Expectation {
        guard available >= FragmentHeader.length else { return .raw }
        let nextHeader = bytes[position]
        let word = bytes.big16(at: position + 2)
        let header = FragmentHeader(
            offset: word >> 3, moreFragments: word & 1 != 0, identification: bytes.big32(at: position + 4),
            reserved: bytes[position + 1], reservedBits: UInt8(word >> 1 & 3), nextHeader: nextHeader)
        add(.fragment(header), length: FragmentHeader.length)
        return header.offset == 0 ? .ipProtocol(nextHeader) : .payload
    }

    private mutating func authentication() -> Expectation {
        guard available >= AuthenticationHeader.minimumLength else { return .raw }
        let length = (Int(bytes[position + 1]) + 2) * 4
        guard length >= AuthenticationHeader.minimumLength, length <= available else { return .raw }
        let nextHeader = bytes[position]
        let header = AuthenticationHeader(
            securityParametersIndex: bytes.big32(at: position + 4), sequence: bytes.big32(at: position + 8),
            integrityCheck: Array(bytes[position + AuthenticationHeader.minimumLength..<position + length]),
            reserved: bytes.big16(at: position + 2), nextHeader: nextHeader)
        add(.authentication(header), length: length)
        return .ipProtocol(nextHeader)
    }

    private mutating func tcp() -> Expectation {
        guard available >= TCPHeader.minimumLength else { return .raw }
        let word = bytes.big16(at: position + 12)
        let length = Int(word >> 12) * 4
        guard length >= TCPHeader.minimumLength, length <= available else { return .raw }
        let header = TCPHeader(
            source: bytes.big16(at: position), destination: bytes.big16(at: position + 2),
            sequence: bytes.big32(at: position + 4), acknowledgement: bytes.big32(at: position + 8),
            flags: TCPFlags(rawValue: word), window: bytes.big16(at: position + 14),
            urgentPointer: bytes.big16(at: position + 18),
            options: TCPOption.list(in: bytes, position + TCPHeader.minimumLength..<position + length),
            dataOffset: UInt8(word >> 12), checksum: .value(bytes.big16(at: position + 16)))
        add(.tcp(header), length: length)
        return .payload
    }

    private mutating func udp() -> Expectation {
        guard available >= UDPHeader.headerLength else { return .raw }
        let header = UDPHeader(
            source: bytes.big16(at: position), destination: bytes.big16(at: position + 2),
            length: bytes.big16(at: position + 4), checksum: .value(bytes.big16(at: position + 6)))
        add(.udp(header), length: UDPHeader.headerLength)
        return .payload
    }

    private mutating func icmp() -> Expectation {
        guard available >= ICMPv4Header.length else { return .raw }
        let header = ICMPv4Header(
            type: bytes[position], code: bytes[position + 1], rest: bytes.big32(at: position + 4),
            checksum: .value(bytes.big16(at: position + 2)))
        add(.icmp(header), length: ICMPv4Header.length)
        return header.isError ? .quoted : .payload
    }

    private mutating func icmpv6() -> Expectation {
        guard available >= ICMPv6Header.length else { return .raw }
        if let kind = NeighbourMessage.Kind(rawValue: bytes[position]) { return neighbour(kind) }
        let header = ICMPv6Header(
            type: bytes[position], code: bytes[position + 1], rest: bytes.big32(at: position + 4),
            checksum: .value(bytes.big16(at: position + 2)))
        add(.icmpv6(header), length: ICMPv6Header.length)
        return header.isError ? .quoted : .payload
    }

    private mutating func neighbour(_ kind: NeighbourMessage.Kind) -> Expectation {
        guard available >= NeighbourMessage.minimumLength else { return .raw }
        let list = NeighbourOption.list(in: bytes, from: position + NeighbourMessage.minimumLength, to: end)
        let message = NeighbourMessage(
            kind: kind, code: bytes[position + 1],
            flags: NeighbourMessage.Flags(rawValue: bytes.big32(at: position + 4)),
            target: bytes.address(at: position + 8), options: list.options,
            checksum: .value(bytes.big16(at: position + 2)))
        add(.neighbour(message), length: list.end - position)
        return .raw
    }
}
