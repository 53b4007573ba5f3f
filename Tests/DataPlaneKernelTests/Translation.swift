import NetworkTypes
import PacketKit

/// A conversation through a service of mode `nat` or `snat`, as both of its ends see it. The packets that it expects are built
/// anew from their layers, so all of their checksums are PacketKit's.
struct Conversation {
    let client: Client
    let server: IPAddress
    /// The port that the server has.
    let port: UInt16
    /// Where the server believes that the client is.
    let source: IPAddress
    let sourcePort: UInt16

    /// With a server of its number; in mode `nat` the client's address and port are what the server sees.
    init(_ client: Client, server: Int, port: UInt16? = nil, source: IPAddress? = nil, sourcePort: UInt16? = nil) {
        self.client = client
        self.server = client.family.server(server)
        self.port = port ?? client.service
        self.source = source ?? client.family.client(client.number)
        self.sourcePort = sourcePort ?? client.port
    }

    private var vip: IPAddress { client.vip ?? client.family.vip }

    // MARK: What the server says

    private var fromServer: [Layer] {
        [
            .ethernet(destination: Link.balancer, source: Link.mac(of: server)),
            client.family.layer(from: server, to: source),
        ]
    }

    func answer(_ flags: TCPFlags, payload: String = "") -> Packet {
        let content: [Layer] = payload.isEmpty ? [] : [.payload(Array(payload.utf8))]
        let header = Layer.tcp(
            source: port, destination: sourcePort, flags: flags, sequence: 2000, acknowledgement: 1001, window: 501,
            options: flags.contains(.syn) ? [.maximumSegmentSize(1460)] : [])
        return Packet(layers: fromServer + [header] + content)
    }

    func datagram(_ payload: String = "answer", checksum: Checksum = .computed) -> Packet {
        Packet(
            layers: fromServer + [
                .udp(source: port, destination: sourcePort, checksum: checksum), .payload(Array(payload.utf8)),
            ])
    }

    // MARK: What the other end gets

    /// The client's packet as the server gets it.
    func inside(_ packet: Packet, from own: MACAddress = Link.balancer) -> Packet {
        packet.sent(to: Link.mac(of: server), from: own)
            .translated(source, sourcePort, server, port)
    }

    /// The server's packet as the client gets it.
    func outside(_ packet: Packet) -> Packet {
        packet.sent(to: Link.client, from: Link.balancer)
            .translated(vip, client.service, client.family.client(client.number), client.port)
    }
}

extension Packet {
    func sent(to destination: MACAddress, from source: MACAddress) -> Packet {
        var result = self
        result.ethernet?.destination = destination
        result.ethernet?.source = source
        return result
    }

    /// One hop further on, from and to other addresses and ports.
    fileprivate func translated(
        _ source: IPAddress, _ sourcePort: UInt16, _ destination: IPAddress, _ destinationPort: UInt16
    ) -> Packet {
        var result = forwarded
        result.ipv4?.source = source
        result.ipv4?.destination = destination
        result.ipv6?.source = source
        result.ipv6?.destination = destination
        result.tcp?.source = sourcePort
        result.tcp?.destination = destinationPort
        result.udp?.source = sourcePort
        result.udp?.destination = destinationPort
        return result
    }

    /// With one hop less to live.
    var forwarded: Packet { living((ipv4?.ttl ?? ipv6?.hopLimit ?? 1) - 1) }

    func living(_ hops: UInt8) -> Packet {
        var result = self
        result.ipv4?.ttl = hops
        result.ipv6?.hopLimit = hops
        return result
    }
}
