import NetworkTypes
import PacketKit
import Testing

@Suite struct RoundTripTests {
    @Test(arguments: Samples.all.map(\.name))
    func `decoding gives the layers back that built a packet`(name: String) throws {
        let packet = try #require(Samples.all.first { $0.name == name }).packet
        let bytes = packet.bytes
        let decoded = Packet(decoding: bytes, startingAt: packet.start)
        #expect(decoded == packet)
        #expect(decoded.bytes == bytes)
    }

    @Test(arguments: Captured.whole.map(\.name))
    func `captured packets need no explicit length, type or checksum`(name: String) throws {
        let bytes = try #require(Captured.whole.first { $0.name == name }).bytes
        let packet = Packet(decoding: bytes)
        #expect(packet.bytes == bytes)
        #expect(packet.ethernet?.type == nil)
        #expect(packet.ipv4.map { $0.totalLength == nil && $0.protocol == nil && $0.checksum == .computed } != false)
        #expect(packet.ipv6.map { $0.payloadLength == nil && $0.nextHeader == nil } != false)
        #expect(packet.tcp.map { $0.checksum == .computed && $0.dataOffset == nil } != false)
        #expect(packet.udp.map { $0.checksum == .computed && $0.length == nil } != false)
    }

    @Test func `a captured SYN is built from its description`() {
        let packet = Packet(
            .ethernet(destination: .mac("02:00:00:00:00:02"), source: .mac("02:00:00:00:00:01")),
            .ipv4(source: .ip("10.77.0.1"), destination: .ip("10.77.0.2"), identification: 0x2206, dontFragment: true),
            .tcp(
                source: 41620, destination: 8080, flags: [.syn], sequence: 3_659_083_170, window: 64240,
                options: [
                    .maximumSegmentSize(1460), .selectiveAcknowledgementPermitted,
                    .timestamps(value: 0xdd98_7d4a, echo: 0), .noOperation, .windowScale(10),
                ]))
        #expect(Packet.difference(packet, Captured.syn) == [])
    }

    @Test func `captured neighbour discovery is built from its description`() {
        let (one, two) = (MACAddress.mac("02:00:00:00:00:01"), MACAddress.mac("02:00:00:00:00:02"))
        let solicitation = Packet(
            .ethernet(destination: .mac("33:33:ff:00:00:02"), source: one),
            .ipv6(source: .ip("2001:db8:77::1"), destination: .ip("ff02::1:ff00:2"), hopLimit: 255),
            .neighbourSolicitation(target: .ip("2001:db8:77::2"), options: [.sourceLinkLayerAddress(one)]))
        #expect(Packet.difference(solicitation, Captured.neighbourSolicitation) == [])
        let advertisement = Packet(
            .ethernet(destination: one, source: two),
            .ipv6(source: .ip("2001:db8:77::2"), destination: .ip("2001:db8:77::1"), hopLimit: 255),
            .neighbourAdvertisement(
                target: .ip("2001:db8:77::2"), flags: [.solicited, .override], options: [.targetLinkLayerAddress(two)]))
        #expect(Packet.difference(advertisement, Captured.neighbourAdvertisement) == [])
    }

    @Test func `a captured ICMP error quotes the captured datagram`() {
        let datagram = Packet(decoding: Captured.udp)
        var answer = Packet(
            .ethernet(destination: .mac("02:00:00:00:00:01"), source: .mac("02:00:00:00:00:02")),
            .ipv4(source: .ip("10.77.0.2"), destination: .ip("10.77.0.1"), tos: 0xc0), .icmp(.unreachable(code: 3)),
            .quoted(datagram))
        answer.ipv4?.identification = Packet(decoding: Captured.unreachable).ipv4?.identification ?? 0
        #expect(Packet.difference(answer, Captured.unreachable) == [])
    }

    @Test func `the last captured fragment is a payload at its place`() throws {
        let header = try #require(Packet(decoding: Captured.lastFragment).ipv4)
        #expect(header.fragmentOffset == 370 && !header.moreFragments && header.protocol == IPProtocol.udp)
        #expect(Packet(decoding: Captured.lastFragment).payload == [UInt8](repeating: UInt8(ascii: "x"), count: 48))
    }

    @Test(arguments: [Samples.v4, Samples.v6])
    func `fragments join to the content of the whole`(network: Layer) throws {
        let content = (0..<100).map { UInt8($0) }
        let whole = Packet(Samples.link, network, Samples.datagram, .payload(content))
        let fragments = whole.fragmented(payloadOctets: 48, identification: 77)
        #expect(fragments.count == 3)
        #expect(fragments[0].udp?.source == 40000)
        let header = whole.bytes.count - 108
        let isIPv6 = whole.ipv6 != nil
        let joined = fragments.flatMap { $0.bytes.dropFirst(header + (isIPv6 ? 8 : 0)) }
        #expect(joined == Array(whole.bytes.dropFirst(header)))
        let lengths = fragments.map(\.bytes.count)
        let longest = header + 48 + (isIPv6 ? 8 : 0)
        #expect(lengths == [longest, longest, longest - 36])
        #expect(fragments.allSatisfy { $0.hasCorrectChecksums })
    }

    @Test func `lengths of nested datagrams count what is inside each`() {
        let packet = Packet(
            Samples.link, Samples.v6, Samples.v4, Samples.datagram, Samples.text, .padding([1, 2], inside: 1),
            .padding([0, 0, 0]))
        let bytes = packet.bytes
        #expect(bytes[18...19] == [0, 42])
        #expect(bytes[56...57] == [0, 40])
        #expect(bytes[78...79] == [0, 20])
        #expect(bytes.count == 14 + 40 + 42 + 3)
    }

    @Test func `a header in place is changed and removed by its accessor`() {
        var packet = Packet(Samples.link, Samples.v4, Samples.datagram, Samples.text)
        packet.ethernet?.destination = .broadcast
        packet.ipv4?.ttl -= 1
        packet.udp?.destination = 53
        packet.tcp?.window = 1
        packet.payload = nil
        #expect(
            packet
                == Packet(
                    .ethernet(destination: .broadcast, source: Samples.client),
                    .ipv4(source: .ip("10.0.0.1"), destination: .ip("192.0.2.1"), ttl: 63),
                    .udp(source: 40000, destination: 53)))
    }
}
