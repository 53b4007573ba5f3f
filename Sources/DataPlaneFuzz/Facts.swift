import NetworkTypes

/// What a frame is, as the RFCs say and as docs/ promises that the data plane sees it: a second reading of the octets, so that
/// what became of them can be judged. It trusts no length.
struct Facts {
    enum Content {
        /// Neither IPv4, IPv6 nor ARP, or tags cut short.
        case notIP
        case arp
        /// No destination could be read.
        case unparsed
        /// There is a destination, and what follows contradicts itself.
        case malformed
        /// TCP or UDP, but not the first fragment.
        case laterFragment
        /// Neither TCP nor UDP.
        case other
        /// TCP or UDP with its ports.
        case ports
    }

    enum Part { case whole, first, later }

    private(set) var content = Content.notIP
    private(set) var vlan: UInt16 = 0
    /// Where the IP header or the ARP message begins.
    private(set) var network = 14
    private(set) var family = IPAddress.Family.ipv4
    private(set) var source = IPAddress(high: 0, low: 0)
    private(set) var destination = IPAddress(high: 0, low: 0)
    /// Of the IP packet, as its header says.
    private(set) var length = 0
    /// Where the IPv4 header or the last extension header ends.
    private(set) var transport = 0
    private(set) var number: UInt8 = 0
    private(set) var sourcePort: UInt16 = 0
    private(set) var destinationPort: UInt16 = 0
    private(set) var flags: UInt8 = 0
    private(set) var timeToLive: UInt8 = 0
    private(set) var part = Part.whole
    private(set) var identification: UInt32 = 0
    /// Whether extension headers stand between.
    private(set) var isExtended = false

    var isTCP: Bool { number == 6 }
    var isIPv4: Bool { family == .ipv4 }
    /// A TCP segment that asks for a connection.
    var isBeginning: Bool { !isTCP || flags & 0x12 == 0x02 }

    /// How far headers are read: to the end of the first of a long frame's buffers, which the kernel fills to so much when it
    /// runs a program on a packet of ours.
    static func reach(_ frame: [UInt8]) -> Int { min(frame.count, 3520) }

    init(_ frame: [UInt8]) {
        guard frame.count >= 14 else { return }
        var type = frame.number16(12)
        for tag in 0..<2 where type == 0x8100 || type == 0x88a8 {
            guard frame.count >= network + 4 else { return }
            if tag == 0 { vlan = frame.number16(network) & 0xfff }
            type = frame.number16(network + 2)
            network += 4
        }
        switch type {
        case 0x0800: readIPv4(frame)
        case 0x86dd: readIPv6(frame)
        case 0x0806: content = .arp
        default: break
        }
    }

    private mutating func readIPv4(_ frame: [UInt8]) {
        content = .unparsed
        guard frame.count >= network + 20 else { return }
        content = .malformed
        source = frame.address(network + 12, .ipv4)
        destination = frame.address(network + 16, .ipv4)
        length = Int(frame.number16(network + 2))
        timeToLive = frame[network + 8]
        number = frame[network + 9]
        let header = Int(frame[network] & 15) * 4
        guard frame[network] >> 4 == 4, header >= 20, length >= header else { return }
        transport = network + header
        let word = frame.number16(network + 6)
        identification = UInt32(frame.number16(network + 4))
        part = word & 0x3fff == 0 ? .whole : word & 0x1fff == 0 ? .first : .later
        readTransport(frame)
    }

    private mutating func readIPv6(_ frame: [UInt8]) {
        family = .ipv6
        content = .unparsed
        guard frame.count >= network + 40 else { return }
        source = frame.address(network + 8, .ipv6)
        destination = frame.address(network + 24, .ipv6)
        guard source.family == .ipv6, destination.family == .ipv6 else { return }
        content = .malformed
        length = Int(frame.number16(network + 4)) + 40
        timeToLive = frame[network + 7]
        number = frame[network + 6]
        transport = network + 40
        guard frame[network] >> 4 == 6, readExtensions(frame) else { return }
        readTransport(frame)
    }

    /// Passes at most eight extension headers (RFC 8200 §4); false if they are cut short or more.
    private mutating func readExtensions(_ frame: [UInt8]) -> Bool {
        let reach = Self.reach(frame)
        for _ in 0...8 {
            guard [0, 43, 60, 51, 44].contains(number) else { return true }
            isExtended = true
            guard reach >= transport + 8 else { return false }
            let (next, size) = (frame[transport], Int(frame[transport + 1]))
            switch number {
            case 44:
                let word = frame.number16(transport + 2)
                number = next
                if word & 0xfff9 != 0 {
                    identification = frame.number32(transport + 4)
                    part = word & 0xfff8 == 0 ? .first : .later
                    if part == .later { return true }
                }
                transport += 8
            // The address is not the last that it goes by: for the kernel to forward, or to refuse.
            case 43 where frame[transport + 3] > 0: return true
            case 51: transport += (size + 2) * 4
            default: transport += (size + 1) * 8
            }
            number = next
        }
        return false
    }

    private mutating func readTransport(_ frame: [UInt8]) {
        guard number == 6 || number == 17 else {
            content = .other
            return
        }
        if part == .later {
            content = .laterFragment
            return
        }
        let header = isTCP ? 20 : 8
        guard Self.reach(frame) >= transport + header, length >= transport - network + header else { return }
        content = .ports
        sourcePort = frame.number16(transport)
        destinationPort = frame.number16(transport + 2)
        if isTCP { flags = frame[transport + 13] }
    }

    /// Both addresses of the IP header.
    var addresses: Range<Int> { isIPv4 ? network + 12..<network + 20 : network + 8..<network + 40 }

    /// Where the time to live stands.
    var timePlace: Int { network + (isIPv4 ? 8 : 7) }

    /// The 5-tuple.
    var tuple: Tuple {
        Tuple(
            source: source, destination: destination, sourcePort: sourcePort, destinationPort: destinationPort,
            number: number)
    }
}

struct Tuple: Hashable {
    var source: IPAddress
    var destination: IPAddress
    var sourcePort: UInt16
    var destinationPort: UInt16
    var number: UInt8

    var reversed: Tuple {
        Tuple(
            source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort,
            number: number)
    }
}

extension Tuple: CustomStringConvertible {
    var description: String {
        "\(number == 6 ? "TCP" : "UDP") \(source) port \(sourcePort) > \(destination) port \(destinationPort)"
    }
}

/// The packet that an ICMP error quotes.
struct Quotation {
    /// Where its IP header and its ports begin.
    let network: Int
    let transport: Int
    let tuple: Tuple

    /// Both addresses of the quoted IP header, in an error of these facts.
    func addresses(_ facts: Facts) -> Range<Int> {
        facts.isIPv4 ? network + 12..<network + 20 : network + 8..<network + 40
    }

    /// `nil` if the frame is no ICMP error, or quotes no ports of TCP or UDP.
    init?(_ frame: [UInt8], _ facts: Facts) {
        guard facts.content == .other, facts.part == .whole, facts.number == (facts.isIPv4 ? 1 : 58) else { return nil }
        let network = facts.transport + 8
        guard Facts.reach(frame) >= network + (facts.isIPv4 ? 20 : 40) else { return nil }
        let type = frame[facts.transport]
        guard facts.isIPv4 ? [3, 4, 11, 12].contains(type) : type < 128 else { return nil }
        guard frame[network] >> 4 == (facts.isIPv4 ? 4 : 6) else { return nil }
        let number = frame[network + (facts.isIPv4 ? 9 : 6)]
        let header = facts.isIPv4 ? Int(frame[network] & 15) * 4 : 40
        // What lies behind the end of the packet is not quoted.
        let end = min(Facts.reach(frame), facts.network + facts.length)
        guard number == 6 || number == 17, header >= 20, end >= network + header + 4 else { return nil }
        if facts.isIPv4, frame.number16(network + 6) & 0x1fff != 0 { return nil }
        self.network = network
        transport = network + header
        let first = facts.isIPv4 ? 12 : 8
        tuple = Tuple(
            source: frame.address(network + first, facts.family),
            destination: frame.address(network + first + (facts.isIPv4 ? 4 : 16), facts.family),
            sourcePort: frame.number16(transport), destinationPort: frame.number16(transport + 2), number: number)
    }
}
