import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit

/// Makes the frames: what clients, real servers, routers and strangers send, as they should or not quite.
struct Traffic {
    var random: Random
    /// Packets that left not long ago, which answers, errors and next segments are made from.
    private(set) var recent: [Outcome] = []
    private var oldest = 0
    /// Parts of datagrams whose first part was sent.
    private var parts: [[UInt8]] = []

    init(seed: UInt64) { random = Random(seed: seed) }

    mutating func remember(_ outcome: Outcome) {
        guard outcome.action == Outcome.transmit || outcome.action == Outcome.redirect else { return }
        if recent.count < 512 {
            recent.append(outcome)
        } else {
            recent[oldest] = outcome
            oldest = (oldest + 1) % recent.count
        }
    }

    /// The next frame: made anew or from a recent one, changed by chance in seven of ten cases.
    mutating func next(_ world: World) -> [UInt8] {
        var frame = basis(world)
        if !random.chance(30) {
            for _ in 0..<random.within(1...3) { mutate(&frame, world) }
            if random.chance(25) { repair(&frame) }
        }
        // The kernel runs programs on nothing shorter than an Ethernet header.
        if frame.count < 14 { frame += [UInt8](repeating: 0, count: 14 - frame.count) }
        return frame
    }

    private mutating func basis(_ world: World) -> [UInt8] {
        if !parts.isEmpty, random.chance(8) { return parts.removeFirst() }
        return recent.isEmpty || random.chance(55) ? fresh(world) : derived(random.pick(recent), world)
    }

    // MARK: Made anew

    private mutating func fresh(_ world: World) -> [UInt8] {
        let service = random.pick(world.services)
        let client = random.below(48)
        switch random.below(40) {
        case 0: return arp(world, client)
        case 1, 2: return neighbour(world, client)
        case 3: return echo(world, service, client)
        case 4: return strange(service, client)
        case 5: return outer(world, service, client)
        case 6, 7: return fragment(world, service, client)
        default:
            let layers = link(client) + network(service, client) + transport(service)
            let packet = Packet(layers: layers)
            return random.chance(10) ? packet.padded(to: 60 + random.below(20)).bytes : packet.bytes
        }
    }

    private func mac(_ client: Int) -> MACAddress { MACAddress(World.clientMACs + UInt64(client)) }

    private mutating func address(_ client: Int, _ family: IPAddress.Family) -> IPAddress {
        let isDenied = client < 6
        return family == .ipv4
            ? IPAddress(ipv4: (isDenied ? 0x0a42_0000 : 0x0a01_0000) + UInt32(client))
            : IPAddress(high: isDenied ? 0x2001_0db8_0066_0000 : 0x2001_0db8_00c1_0000, low: UInt64(client))
    }

    private mutating func link(_ client: Int) -> [Layer] {
        let destination = random.chance(98) ? World.ownMAC : random.pick([World.farMAC, .broadcast, MACAddress(0x0200_0000_0099)])
        var layers = [Layer.ethernet(destination: destination, source: mac(client))]
        if random.chance(12) { layers.append(.vlan(random.pick([100, 100, 200]), priority: UInt8(random.below(8)))) }
        if random.chance(3) { layers.insert(.vlan(7, tagProtocol: EtherType.serviceVLAN), at: 1) }
        return layers
    }

    private mutating func network(_ service: Service, _ client: Int) -> [Layer] {
        let timeToLive = random.chance(95) ? UInt8(64) : UInt8(random.below(3))
        let traffic = random.chance(80) ? UInt8(0) : UInt8(truncatingIfNeeded: random.next())
        let (source, destination) = (address(client, service.family), service.virtual.address)
        if service.family == .ipv4 {
            let options = random.chance(90) ? [] : random.bytes(random.within(1...40))
            return [
                .ipv4(
                    source: source, destination: destination, ttl: timeToLive, options: options,
                    identification: UInt16(random.below(65536)), dontFragment: random.chance(80), tos: traffic)
            ]
        }
        var layers = [
            Layer.ipv6(
                source: source, destination: destination, hopLimit: timeToLive, trafficClass: traffic,
                flowLabel: UInt32(random.below(1 << 20)))
        ]
        if random.chance(15) {
            for _ in 0..<random.within(1...(random.chance(90) ? 3 : 9)) { layers.append(extensionHeader()) }
        }
        return layers
    }

    private mutating func extensionHeader() -> Layer {
        switch random.below(6) {
        case 0: .hopByHop(options: random.bytes(random.below(24)))
        // Up to as many octets as one can have.
        case 1, 2: .destinationOptions(options: random.bytes(random.below(random.chance(90) ? 24 : 2047)))
        case 3: .routing(segmentsLeft: UInt8(random.below(2)), addresses: [.ip("2001:db8:77::1")])
        case 4: .authentication(securityParametersIndex: 1, sequence: 2, integrityCheck: random.bytes(12))
        // An atomic fragment: a whole packet.
        default: .fragment(identification: UInt32(random.below(1000)))
        }
    }

    private mutating func port(_ service: Service) -> UInt16 {
        if random.chance(3) { return UInt16(random.below(65536)) }
        let range = random.pick(service.virtual.ports.ranges)
        return UInt16(random.within(Int(range.lowerBound)...Int(range.upperBound)))
    }

    private mutating func transport(_ service: Service) -> [Layer] {
        let (source, destination) = (UInt16(40000 + random.below(12)), port(service))
        let size = random.chance(90) ? random.below(64) : random.chance(80) ? random.below(1460) : random.below(9000)
        let content: [Layer] =
            size == 0 ? [] : [.payload(random.bytes(8).flatMap { [UInt8](repeating: $0, count: size / 8 + 1) })]
        if random.chance(35) {
            let checksum: Checksum = random.chance(92) ? .computed : .zero
            return [.udp(source: source, destination: destination, checksum: checksum)] + content
        }
        let flags = random.pick([
            TCPFlags.syn, .syn, .syn, .ack, .ack, [.psh, .ack], [.psh, .ack], [.fin, .ack], .rst, [.syn, .ack],
        ])
        let options: [TCPOption] =
            flags == .syn
            ? [.maximumSegmentSize(1460), .selectiveAcknowledgementPermitted, .timestamps(value: 1, echo: 0), .windowScale(7)]
            : random.chance(50) ? [.noOperation, .noOperation, .timestamps(value: 5, echo: 6)] : []
        return [
            .tcp(
                source: source, destination: destination, flags: flags, sequence: UInt32(truncatingIfNeeded: random.next()),
                acknowledgement: UInt32(truncatingIfNeeded: random.next()), options: options)
        ] + (flags == .syn ? [] : content)
    }

    private mutating func arp(_ world: World, _ client: Int) -> [UInt8] {
        let addresses = world.services.map(\.virtual.address).filter { $0.family == .ipv4 }
        let target = random.chance(80) ? random.pick(addresses) : .ip("192.0.2.250")
        let destination = random.chance(70) ? MACAddress.broadcast : World.ownMAC
        let sender = random.chance(90) ? address(client, .ipv4) : target
        let request = Layer.arpRequest(senderHardware: mac(client), senderAddress: sender, target: target)
        let reply = Layer.arpReply(
            senderHardware: mac(client), senderAddress: sender, targetHardware: World.ownMAC, targetAddress: target)
        return Packet(.ethernet(destination: destination, source: mac(client)), random.chance(85) ? request : reply)
            .padded(to: 60).bytes
    }

    private mutating func neighbour(_ world: World, _ client: Int) -> [UInt8] {
        let addresses = world.services.map(\.virtual.address).filter { $0.family == .ipv6 }
        let target = random.chance(80) ? random.pick(addresses) : .ip("2001:db8:f::250")
        let isProbe = random.chance(20)
        let options: [NeighbourOption] = isProbe ? [] : [.sourceLinkLayerAddress(mac(client))]
        let group = IPAddress(high: 0xff02_0000_0000_0000, low: 0x1_ff00_0000 | target.low & 0xff_ffff)
        return Packet(
            .ethernet(destination: MACAddress(0x3333_ff00_0000 | target.low & 0xff_ffff), source: mac(client)),
            .ipv6(
                source: isProbe ? IPAddress(high: 0, low: 0) : address(client, .ipv6), destination: group,
                hopLimit: random.chance(95) ? 255 : 64),
            random.chance(85)
                ? .neighbourSolicitation(target: target, options: options)
                : .neighbourAdvertisement(target: target, flags: .override, options: options)
        ).bytes
    }

    private mutating func echo(_ world: World, _ service: Service, _ client: Int) -> [UInt8] {
        let content = Layer.payload(random.bytes(random.below(64)))
        let message: Layer =
            service.family == .ipv4
            ? .icmp(.echoRequest(identifier: 1, sequence: 2)) : .icmpv6(.echoRequest(identifier: 1, sequence: 2))
        return Packet(layers: link(client) + network(service, client) + [message, content]).bytes
    }

    /// For an address that nobody balances, or of a protocol that nobody knows, or no IP at all.
    private mutating func strange(_ service: Service, _ client: Int) -> [UInt8] {
        switch random.below(4) {
        case 0:
            return random.bytes(random.within(14...200))
        case 1:
            return Packet(layers: link(client) + network(service, client) + [.payload(random.bytes(random.below(80)))]).bytes
        case 2:
            let types: [UInt16] = [0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x8863]
            return Packet(
                .ethernet(destination: World.ownMAC, source: mac(client), type: random.pick(types)),
                .payload(random.bytes(random.below(120)))
            ).bytes
        default:
            var packet = Packet(layers: link(client) + network(service, client) + transport(service))
            packet.ipv4?.destination = .ip("192.0.2.250")
            packet.ipv6?.destination = .ip("2001:db8:f::250")
            return packet.bytes
        }
    }

    /// A tunnel's packet, to a VIP or past it.
    private mutating func outer(_ world: World, _ service: Service, _ client: Int) -> [UInt8] {
        let inside = random.pick(world.services)
        let content = network(inside, client) + transport(inside)
        let between: [Layer] =
            random.chance(50) ? [] : [.udp(source: 50000, destination: random.chance(50) ? 6080 : port(service))]
        let layers = link(client) + network(service, client) + between
        return Packet(layers: layers + (between.isEmpty ? content : [.payload(Packet(layers: content).bytes)])).bytes
    }

    /// The first part of a datagram; the others come soon after, or before.
    private mutating func fragment(_ world: World, _ service: Service, _ client: Int) -> [UInt8] {
        var packet = Packet(layers: link(client) + network(service, client) + transport(service))
        packet.ipv4?.options = []
        let fragments = packet.fragmented(
            payloadOctets: random.pick([8, 24, 64, 512]), identification: UInt32(random.below(64))
        ).map(\.bytes)
        parts = Array((parts + fragments.dropFirst().prefix(6)).suffix(12))
        return fragments[0]
    }

    // MARK: Made from what left

    private mutating func derived(_ outcome: Outcome, _ world: World) -> [UInt8] {
        let facts = Facts(outcome.input)
        switch random.below(20) {
        case 0...5: return nextSegment(outcome.input, facts)
        case 6...9: return Self.turnedRound(outcome.output, Facts(outcome.output), own: World.ownMAC)
        case 10...12: return error(about: outcome.output, fromServer: true, world)
        case 13, 14: return error(about: Self.reversed(outcome.input, facts), fromServer: false, world)
        case 15: return outcome.output
        case 16: return Array(outcome.output[..<14]) + splice(outcome.input)
        case 17: return part(of: Self.turnedRound(outcome.output, Facts(outcome.output), own: World.ownMAC))
        case 18: return part(of: outcome.input)
        default: return outcome.input
        }
    }

    /// The same connection goes on.
    private mutating func nextSegment(_ frame: [UInt8], _ facts: Facts) -> [UInt8] {
        guard facts.content == .ports, facts.isTCP else { return frame }
        var frame = frame
        let flags = random.pick([0x10, 0x10, 0x18, 0x18, 0x11, 0x02, 0x04, 0x12] as [UInt16])
        let place = facts.transport + 12
        frame.change16(place, to: frame.number16(place) & 0xff00 | flags, checksum: facts.transport + 16)
        return frame
    }

    /// What the other end answers: addresses and ports exchanged, which leaves all checksums right.
    static func turnedRound(_ frame: [UInt8], _ facts: Facts, own: MACAddress) -> [UInt8] {
        var frame = reversed(frame, facts)
        frame.exchange(0, 6, count: 6)
        frame.putMAC(own.value, 0)
        return frame
    }

    private static func reversed(_ frame: [UInt8], _ facts: Facts) -> [UInt8] {
        var frame = frame
        switch facts.content {
        case .notIP, .arp, .unparsed: return frame
        default: break
        }
        let half = facts.addresses.count / 2
        frame.exchange(facts.addresses.lowerBound, facts.addresses.lowerBound + half, count: half)
        if facts.content == .ports { frame.exchange(facts.transport, facts.transport + 2, count: 2) }
        return frame
    }

    /// An ICMP error about a packet, to whoever sent it.
    private mutating func error(about frame: [UInt8], fromServer: Bool, _ world: World) -> [UInt8] {
        let facts = Facts(frame)
        switch facts.content {
        case .notIP, .arp, .unparsed, .malformed: return frame
        default: break
        }
        let room = random.pick([8, 20, 28, 60, 500, 1200])
        let quoted = Layer.quoted(Array(frame[facts.network...].prefix(facts.transport - facts.network + room)))
        let router: IPAddress = facts.isIPv4 ? .ip("10.99.0.1") : .ip("2001:db8:99::1")
        let sender = random.chance(50) ? router : facts.destination
        let source = fromServer ? MACAddress(frame.mac(0)) : mac(random.below(48))
        let link = Layer.ethernet(destination: World.ownMAC, source: source)
        if facts.isIPv4 {
            let header = random.pick([
                ICMPv4Header.unreachable(code: 3), .unreachable(code: 1), .fragmentationNeeded(mtu: 1300), .timeExceeded(),
            ])
            return Packet(link, .ipv4(source: sender, destination: facts.source), .icmp(header), quoted).bytes
        }
        let header = random.pick([
            ICMPv6Header.unreachable(code: 4), .packetTooBig(mtu: 1300), .timeExceeded(), .unreachable(code: 0),
        ])
        let between = random.chance(10) ? [extensionHeader()] : []
        let outer = Layer.ipv6(source: sender, destination: facts.source)
        return Packet(layers: [link, outer] + between + [.icmpv6(header), quoted]).bytes
    }

    /// Of an IPv4 datagram the first part, or a later one where the frame is a first.
    private mutating func part(of frame: [UInt8]) -> [UInt8] {
        let facts = Facts(frame)
        guard facts.isIPv4, facts.content == .ports else { return frame }
        var frame = frame
        let offset: UInt16 = facts.part == .first ? UInt16(random.within(1...100)) : 0
        frame.change16(facts.network + 6, to: 0x2000 | offset, checksum: facts.network + 10)
        return frame
    }
}
