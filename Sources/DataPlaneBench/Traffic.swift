import DataPlane
import NetworkTypes
import PacketKit

/// TCP packets of one or many flows, as the wrapper and the generator make them: the first packet, and the two words in which
/// those of the other flows differ.
struct Traffic {
    /// As it lies in the packet, and as the C side has it.
    struct Words: BitwiseCopyable {
        var address: UInt32 = 0
        var ports: UInt32 = 0
    }

    let family: IPAddress.Family
    let packet: [UInt8]
    /// Offsets of the last four octets of the address that differs, and of the ports.
    let addressAt: Int
    let portsAt: Int
    /// One for each flow; as many as a power of two, up to `mostFlows`.
    var words: [Words]
    /// Whether each flow has two packets, a SYN and then an ACK; else each packet is an ACK.
    private(set) var begins = false
    /// Whether programs put headers in front. What takes them off costs a call, whether there is anything to take off or not.
    var isWrapped = false

    /// The first two packets of the same flows.
    var beginning: Traffic {
        var traffic = self
        traffic.begins = true
        return traffic
    }

    static let mostFlows = 1 << 20

    static let ownMAC = MACAddress.mac("02:00:00:00:00:01")
    static let clientMAC = MACAddress.mac("02:00:00:00:00:02")
    static let serverMAC = MACAddress.mac("02:00:00:00:00:09")

    /// Which ports of a service the clients use.
    static let servicePorts: ClosedRange<UInt16> = 12289...16384

    /// What clients send to an address.
    static func clients(_ family: IPAddress.Family, flows: Int, to address: IPAddress) -> Traffic {
        let first = Client(number: 0, family: family)
        return Traffic(
            family: family,
            packet: bytes(
                from: clientMAC, first.address, first.port, to: address, first.servicePort),
            addressAt: family == .ipv4 ? 26 : 34,
            portsAt: portsAt(family),
            words: (0..<flows).map { number in
                let client = Client(number: number, family: family)
                return words(client.address, client.port, client.servicePort)
            })
    }

    /// What a real server answers in these flows, all of which are translated to one address of it.
    static func answers(_ family: IPAddress.Family, in flows: [FlowRecord]) -> Traffic {
        // The flows come in the order of their places in the table, in which no packets come.
        let inside = flows.sorted { Client.number(of: $0) < Client.number(of: $1) }.compactMap(\.inside)
        return Traffic(
            family: family,
            packet: bytes(
                from: serverMAC, inside[0].destination, inside[0].destinationPort, to: inside[0].source,
                inside[0].sourcePort),
            addressAt: family == .ipv4 ? 30 : 50,
            portsAt: portsAt(family),
            words: inside.map { words($0.source, $0.destinationPort, $0.sourcePort) })
    }

    private static func portsAt(_ family: IPAddress.Family) -> Int { family == .ipv4 ? 34 : 54 }

    private static func words(_ address: IPAddress, _ source: UInt16, _ destination: UInt16) -> Words {
        Words(
            address: UInt32(truncatingIfNeeded: address.low).bigEndian,
            ports: (UInt32(source) << 16 | UInt32(destination)).bigEndian)
    }

    /// 98 octets, so that every header that is written again fits.
    private static func bytes(
        from mac: MACAddress, _ source: IPAddress, _ sourcePort: UInt16, to destination: IPAddress, _ destinationPort: UInt16
    ) -> [UInt8] {
        Packet(
            .ethernet(destination: ownMAC, source: mac),
            source.family == .ipv4
                ? .ipv4(source: source, destination: destination) : .ipv6(source: source, destination: destination),
            .tcp(source: sourcePort, destination: destinationPort), .payload([UInt8](repeating: 0x2e, count: 44))
        ).bytes
    }
}

/// One of the clients, each with a flow. What one word of a client's address or ports has more than the first client's, the
/// other has less: so the checksums of the first packet are right in all.
private struct Client {
    let address: IPAddress
    let port: UInt16
    let servicePort: UInt16

    private static let firstPort: UInt16 = 32768

    init(number: Int, family: IPAddress.Family) {
        let (low, high) = (UInt64(number & 0xff), UInt16(number >> 8))
        let host = low << 16 | (0x1ff - low)
        address =
            family == .ipv4
            ? IPAddress(ipv4: 10 << 24 + UInt32(host)) : IPAddress(high: 0x2001_0db8_0001_0000, low: host)
        port = Self.firstPort + high
        servicePort = Traffic.servicePorts.upperBound - high
    }

    static func number(of flow: FlowRecord) -> Int {
        Int(flow.clientPort - firstPort) << 8 | Int(flow.client.low >> 16 & 0xff)
    }
}
