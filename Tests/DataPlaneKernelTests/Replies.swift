import NetworkTypes
import PacketKit

/// What the balancer itself says, in the name of the address that a packet was sent to.
enum Complaint {
    case portUnreachable, timeExceeded
    /// With the longest packet that fits.
    case tooBig(Int)

    func layer(_ family: Family) -> Layer {
        switch (self, family) {
        case (.portUnreachable, .ipv4): .icmp(.unreachable(code: 3))
        case (.portUnreachable, .ipv6): .icmpv6(.unreachable(code: 4))
        case (.timeExceeded, .ipv4): .icmp(.timeExceeded())
        case (.timeExceeded, .ipv6): .icmpv6(.timeExceeded())
        case (.tooBig(let mtu), .ipv4): .icmp(.fragmentationNeeded(mtu: UInt16(mtu)))
        case (.tooBig(let mtu), .ipv6): .icmpv6(.packetTooBig(mtu: UInt32(mtu)))
        }
    }
}

extension Packet {
    /// Octets of a packet that an error quotes at most.
    static let quoted = 96

    /// The ICMP error that the packet's sender gets for it.
    func error(_ complaint: Complaint) -> Packet {
        let octets = networkBytes
        // A checksum over whole words is all that the data plane makes.
        let quoted = octets.count < Self.quoted ? octets.count / 4 * 4 : Self.quoted
        return reply([complaint.layer(family), .quoted(Array(octets[..<quoted]))])
    }

    /// The TCP reset that the segment's receiver would send if it knew nothing of the connection (RFC 9293 §3.5.2).
    var resetInReturn: Packet {
        guard let tcp else { preconditionFailure("only a TCP segment is reset") }
        let isAnswer = tcp.flags.contains(.ack)
        let length = (payload?.count ?? 0) + (tcp.flags.contains(.syn) ? 1 : 0) + (tcp.flags.contains(.fin) ? 1 : 0)
        return reply([
            .tcp(
                source: tcp.destination, destination: tcp.source, flags: isAnswer ? .rst : [.rst, .ack],
                sequence: isAnswer ? tcp.acknowledgement : 0,
                acknowledgement: isAnswer ? 0 : tcp.sequence &+ UInt32(length), window: 0)
        ])
    }

    var family: Family { ipv4 == nil ? .ipv6 : .ipv4 }

    /// A frame back to where this one came from, with its tags, from the address that it was for.
    private func reply(_ content: [Layer]) -> Packet {
        guard let ethernet, let network = layers.firstIndex(where: \.isIP) else { preconditionFailure("no IP packet") }
        let header: Layer
        switch layers[network] {
        case .ipv4(let ip): header = .ipv4(source: ip.destination, destination: ip.source, dontFragment: true)
        case .ipv6(let ip): header = .ipv6(source: ip.destination, destination: ip.source)
        default: preconditionFailure("no IP header")
        }
        let link = [Layer.ethernet(destination: ethernet.source, source: ethernet.destination)] + layers[1..<network]
        return Packet(layers: link + [header] + content)
    }
}

extension Layer {
    fileprivate var isIP: Bool {
        switch self {
        case .ipv4, .ipv6: true
        default: false
        }
    }
}
