/// A field of a header by its name, as descriptions and differences show it.
struct Field: Hashable {
    let name: String
    let value: String

    /// A field without a value is yet to be computed.
    init(_ name: String, _ value: (some CustomStringConvertible)?) {
        self.name = name
        self.value = value?.description ?? "computed"
    }
}

extension Layer {
    /// Every field of a layer as `PacketDecoder` reads it, so that layers with equal fields are equal octets.
    var fields: [Field] {
        switch self {
        case .ethernet(let header): header.fields
        case .vlan(let tag): tag.fields
        case .arp(let message): message.fields
        case .ipv4(let header): header.fields
        case .ipv6(let header): header.fields
        case .hopByHop(let header), .destinationOptions(let header): header.fields
        case .routing(let header): header.fields
        case .fragment(let header): header.fields
        case .authentication(let header): header.fields
        case .tcp(let header): header.fields
        case .udp(let header): header.fields
        case .icmp(let header): Self.icmpFields(header.type, header.code, header.rest, header.checksum)
        case .icmpv6(let header): Self.icmpFields(header.type, header.code, header.rest, header.checksum)
        case .neighbour(let message): message.fields
        case .quoted, .payload, .raw: []
        case .padding(_, let inside): [Field("inside", inside)]
        }
    }

    private static func icmpFields(_ type: UInt8, _ code: UInt8, _ rest: UInt32, _ checksum: Checksum) -> [Field] {
        [Field("type", type), Field("code", code), Field("checksum", checksum), Field("rest", hexadecimal(rest))]
    }
}

extension Checksum: CustomStringConvertible {
    package var description: String {
        switch self {
        case .computed: "computed"
        case .value(let value): hexadecimal(value)
        case .wrong: "wrong"
        }
    }
}

private func octets(_ bytes: [UInt8]) -> String { bytes.isEmpty ? "none" : "0x" + hexadecimalString(bytes) }

extension EthernetHeader {
    var fields: [Field] {
        [Field("destination", destination), Field("source", source), Field("type", type.map(hexadecimal))]
    }
}

extension VLANTag {
    var fields: [Field] {
        [
            Field("identifier", identifier), Field("priority", priority), Field("drop-eligible", dropEligible),
            Field("tag-protocol", hexadecimal(tagProtocol)), Field("type", type.map(hexadecimal)),
        ]
    }
}

extension ARPMessage {
    var fields: [Field] {
        [
            Field("operation", operation), Field("sender-hardware", senderHardware),
            Field("sender-address", senderAddress), Field("target-hardware", targetHardware),
            Field("target-address", targetAddress),
        ]
    }
}

extension IPv4Header {
    var fields: [Field] {
        [
            Field("header-length", headerLength), Field("tos", hexadecimal(tos)),
            Field("total-length", totalLength), Field("identification", identification),
            Field("reserved-flag", reservedFlag), Field("dont-fragment", dontFragment),
            Field("more-fragments", moreFragments), Field("fragment-offset", fragmentOffset), Field("ttl", ttl),
            Field("protocol", self.protocol), Field("checksum", checksum), Field("source", source),
            Field("destination", destination), Field("options", octets(options)),
        ]
    }
}

extension IPv6Header {
    var fields: [Field] {
        [
            Field("traffic-class", hexadecimal(trafficClass)),
            Field("flow-label", "0x" + hexadecimalDigits(flowLabel, count: 5)),
            Field("payload-length", payloadLength), Field("next-header", nextHeader),
            Field("hop-limit", hopLimit), Field("source", source), Field("destination", destination),
        ]
    }
}

extension OptionsHeader {
    var fields: [Field] { [Field("next-header", nextHeader), Field("options", octets(options))] }
}

extension RoutingHeader {
    var fields: [Field] {
        [
            Field("next-header", nextHeader), Field("type", type), Field("segments-left", segmentsLeft),
            Field("data", octets(data)),
        ]
    }
}

extension FragmentHeader {
    var fields: [Field] {
        [
            Field("next-header", nextHeader), Field("reserved", hexadecimal(reserved)), Field("offset", offset),
            Field("reserved-bits", reservedBits), Field("more-fragments", moreFragments),
            Field("identification", hexadecimal(identification)),
        ]
    }
}

extension AuthenticationHeader {
    var fields: [Field] {
        [
            Field("next-header", nextHeader), Field("reserved", hexadecimal(reserved)),
            Field("spi", hexadecimal(securityParametersIndex)), Field("sequence", sequence),
            Field("integrity-check", octets(integrityCheck)),
        ]
    }
}

extension TCPHeader {
    var fields: [Field] {
        [
            Field("source", source), Field("destination", destination), Field("sequence", sequence),
            Field("acknowledgement", acknowledgement), Field("data-offset", dataOffset), Field("flags", flags),
            Field("window", window), Field("checksum", checksum), Field("urgent-pointer", urgentPointer),
            Field("options", optionsText),
        ]
    }

    var optionsText: String { options.isEmpty ? "none" : options.map(\.description).joined(separator: ", ") }
}

extension UDPHeader {
    var fields: [Field] {
        [
            Field("source", source), Field("destination", destination), Field("length", length),
            Field("checksum", checksum),
        ]
    }
}

extension NeighbourMessage {
    var fields: [Field] {
        [
            Field("kind", kind), Field("code", code), Field("checksum", checksum), Field("flags", flags),
            Field("target", target),
            Field("options", options.isEmpty ? "none" : options.map(\.description).joined(separator: ", ")),
        ]
    }
}

extension NeighbourMessage.Kind: CustomStringConvertible {
    package var description: String { self == .solicitation ? "solicitation" : "advertisement" }
}

extension NeighbourMessage.Flags: CustomStringConvertible {
    package var description: String {
        var words: [String] = []
        if contains(.router) { words.append("router") }
        if contains(.solicited) { words.append("solicited") }
        if contains(.override) { words.append("override") }
        let reserved = rawValue & 0x1fff_ffff
        if reserved != 0 { words.append(hexadecimal(reserved)) }
        return words.isEmpty ? "none" : words.joined(separator: "+")
    }
}
