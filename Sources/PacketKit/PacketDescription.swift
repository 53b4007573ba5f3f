extension Packet: CustomStringConvertible {
    /// One line, in tcpdump's manner: `… > …, vlan 100, IPv4 10.0.0.1 > 192.0.2.1 ttl 64, TCP 40000 > 80 [S] …`. Wrong
    /// checksums are pointed out.
    package var description: String {
        let found = asFound
        let notes = checksumNotes
        return found.layers.enumerated().map { index, layer in
            let before = index > 0 ? found.layers[index - 1] : nil
            return layer.summary(behind: before) + (notes[index].map { " (\($0))" } ?? "")
        }.joined(separator: ", ")
    }

    /// Every field, a line for each, with a dump of the content.
    package var details: String {
        let notes = checksumNotes
        var lines: [String] = []
        for (index, layer) in asFound.layers.enumerated() {
            let count = layer.content.map { ": \($0.count) octets" } ?? ""
            lines.append(layer.name + count)
            for field in layer.fields {
                let note = field.name == "checksum" ? notes[index].map { " (\($0))" } ?? "" : ""
                lines.append("  \(field.name): \(field.value)\(note)")
            }
            if case .quoted(let bytes) = layer {
                lines.append("  " + Packet(decoding: bytes, startingAt: .network).withoutQuotation.description)
            }
            lines += layer.content.map(Self.dump) ?? []
        }
        return lines.joined(separator: "\n")
    }

    /// The packet with each field as it is on the wire, none left to be computed.
    var asFound: Packet { Self.asFound(bytes, startingAt: start) }

    static func asFound(_ bytes: [UInt8], startingAt start: Start) -> Packet {
        var decoder = PacketDecoder(bytes: bytes)
        decoder.decode(startingAt: start)
        return Packet(layers: decoder.layers)
    }

    /// The packet with a quotation turned into plain octets, so that what describes quotations does not recur.
    var withoutQuotation: Packet {
        Packet(layers: layers.map { if case .quoted(let bytes) = $0 { .payload(bytes) } else { $0 } })
    }

    /// What is to be said of checksums, by the index of the layer as found.
    var checksumNotes: [Int: String] {
        var notes: [Int: String] = [:]
        for result in Packet(decoding: bytes, startingAt: start).checksums {
            switch result.status {
            case .wrong(let found, let correct):
                notes[result.layer] = "wrong checksum \(hexadecimal(found)), \(hexadecimal(correct)) is right"
            case .absent: notes[result.layer] = "no checksum"
            case .correct, .notVerifiable: break
            }
        }
        return notes
    }

    /// Sixteen octets to a line, in hexadecimal and as ASCII.
    private static func dump(_ bytes: [UInt8]) -> [String] {
        stride(from: 0, to: bytes.count, by: 16).map { start in
            let line = bytes[start..<min(start + 16, bytes.count)]
            let digits = line.map { hexadecimalDigits($0, count: 2) }.joined(separator: " ")
            let fill = String(repeating: " ", count: 3 * (16 - line.count))
            let text = line.map { (0x20...0x7e).contains($0) ? String(UnicodeScalar($0)) : "." }.joined()
            return "  \(hexadecimalDigits(start, count: 4))  \(digits)\(fill)  \(text)"
        }
    }
}

extension Layer {
    /// The layer in a few words. `previous` tells what octets that did not parse were meant to be.
    func summary(behind previous: Layer? = nil) -> String {
        switch self {
        case .ethernet(let header):
            "\(header.source) > \(header.destination)"
        case .vlan(let tag):
            "vlan \(tag.identifier)" + (tag.priority == 0 ? "" : " priority \(tag.priority)")
        case .arp(let message): message.summary
        case .ipv4(let header): header.summary
        case .ipv6(let header): "IPv6 \(header.source) > \(header.destination) hop limit \(header.hopLimit)"
        case .hopByHop: "hop-by-hop options"
        case .destinationOptions: "destination options"
        case .routing(let header): "routing type \(header.type) segments left \(header.segmentsLeft)"
        case .fragment(let header):
            "fragment \(hexadecimal(header.identification)) at \(Int(header.offset) * 8)"
                + (header.moreFragments ? "+" : "")
        case .authentication(let header):
            "AH spi \(hexadecimal(header.securityParametersIndex)) sequence \(header.sequence)"
        case .tcp(let header): header.summary
        case .udp(let header): "UDP \(header.source) > \(header.destination)"
        case .icmp(let header): header.summary
        case .icmpv6(let header): header.summary
        case .neighbour(let message): message.summary
        case .quoted(let bytes):
            "about [" + Packet(decoding: bytes, startingAt: .network).withoutQuotation.quotationSummary + "]"
        case .payload(let bytes): "\(bytes.count) octets"
        case .raw(let bytes): "\(bytes.count) malformed octets" + Self.ports(bytes, behind: previous)
        case .padding(let bytes, _): "\(bytes.count) octets of padding"
        }
    }

    /// The ports in a transport header that is cut short, as ICMP errors have it.
    private static func ports(_ bytes: [UInt8], behind previous: Layer?) -> String {
        guard previous?.nextHeader == IPProtocol.tcp, bytes.count >= 4 else { return "" }
        return " of TCP \(bytes.big16(at: 0)) > \(bytes.big16(at: 2))"
    }
}

extension Packet {
    /// The layers in one line, without word on checksums: those of a quotation cannot be verified.
    fileprivate var quotationSummary: String {
        let layers = asFound.withoutQuotation.layers
        return layers.indices.map { layers[$0].summary(behind: $0 > 0 ? layers[$0 - 1] : nil) }.joined(separator: ", ")
    }
}

extension ARPMessage {
    fileprivate var summary: String {
        switch operation {
        case 1: "ARP who has \(targetAddress)? tell \(senderAddress)"
        case 2: "ARP \(senderAddress) is at \(senderHardware)"
        default: "ARP operation \(operation)"
        }
    }
}

extension IPv4Header {
    fileprivate var summary: String {
        var text = "IPv4 \(source) > \(destination) ttl \(ttl)"
        if tos != 0 { text += " tos \(hexadecimal(tos))" }
        if isFragment {
            text += " fragment \(identification) at \(Int(fragmentOffset) * 8)" + (moreFragments ? "+" : "")
        }
        return text
    }
}

extension TCPHeader {
    fileprivate var summary: String {
        var text = "TCP \(source) > \(destination) [\(flags)] seq \(sequence)"
        if flags.contains(.ack) { text += " ack \(acknowledgement)" }
        text += " win \(window)"
        if !options.isEmpty { text += " <\(optionsText)>" }
        return text
    }
}

extension ICMPv4Header {
    fileprivate var summary: String {
        switch (type, code) {
        case (0, _), (8, _): "ICMP echo \(type == 8 ? "request" : "reply") id \(rest >> 16) seq \(rest & 0xffff)"
        case (3, 4): "ICMP fragmentation needed, mtu \(rest & 0xffff)"
        case (3, _): "ICMP unreachable code \(code)"
        case (11, _): "ICMP time exceeded code \(code)"
        default: "ICMP type \(type) code \(code)"
        }
    }
}

extension ICMPv6Header {
    fileprivate var summary: String {
        switch type {
        case 128, 129: "ICMPv6 echo \(type == 128 ? "request" : "reply") id \(rest >> 16) seq \(rest & 0xffff)"
        case 1: "ICMPv6 unreachable code \(code)"
        case 2: "ICMPv6 packet too big, mtu \(rest)"
        case 3: "ICMPv6 time exceeded code \(code)"
        default: "ICMPv6 type \(type) code \(code)"
        }
    }
}

extension NeighbourMessage {
    fileprivate var summary: String {
        let list = options.isEmpty ? "" : " <" + options.map(\.description).joined(separator: ", ") + ">"
        return switch kind {
        case .solicitation: "ICMPv6 neighbour solicitation, who has \(target)?" + list
        case .advertisement: "ICMPv6 neighbour advertisement, \(target) is here [\(flags)]" + list
        }
    }
}
