import NetworkTypes
import PacketKit
import Testing

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

extension Rig {
    /// The first packet of a conversation of which the server's view is taken from what the data plane made
    /// of it; all else of the packet is compared.
    func begin(
        _ client: Client, _ packet: Packet? = nil, server: Int = 1, port: UInt16? = 8080, counter: String = "forward.new",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Conversation {
        func view(_ frame: [UInt8]) -> Conversation {
            let seen = Packet(decoding: frame)
            return Conversation(
                client, server: server, port: port, source: seen.ipv4?.source ?? seen.ipv6?.source,
                sourcePort: seen.tcp?.source ?? seen.udp?.source)
        }
        let packet = packet ?? client.syn
        let frame = try expect("\(client)", packet, counter, sourceLocation: sourceLocation) { view($0).inside(packet) }
        return view(frame)
    }

    /// All that comes after the first SYN, to the end of the connection; its packets have this shape.
    func expect(_ ours: Conversation, in shape: Shape) throws {
        let client = ours.client
        func toServer(_ what: String, _ packet: Packet, _ counter: String) throws {
            let packet = shape.apply(to: packet)
            try expect("\(shape): \(what)", packet, .sent(ours.inside(packet), counter))
        }
        func toClient(_ what: String, _ packet: Packet) throws {
            let packet = shape.apply(to: packet)
            try expect("\(shape): \(what)", packet, .sent(ours.outside(packet), "forward.answer"))
        }
        try toClient("SYN and ACK", ours.answer([.syn, .ack]))
        try toServer("SYN again", client.syn, "forward.new")
        try toClient("SYN and ACK again", ours.answer([.syn, .ack]))
        try toServer("ACK", client.ack, "forward.confirmed")
        try toServer("data", client.tcp([.psh, .ack], payload: "GET / HTTP/1.1"), "forward.flow")
        try toClient("data", ours.answer([.psh, .ack], payload: "HTTP/1.1 200 OK!"))
        try toServer("FIN", client.tcp([.fin, .ack]), "forward.flow")
        try toClient("FIN", ours.answer([.fin, .ack]))
        try toServer("last ACK", client.ack, "forward.flow")
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
