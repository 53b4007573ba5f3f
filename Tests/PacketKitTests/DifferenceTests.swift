import NetworkTypes
import PacketKit
import Testing

@Suite struct DifferenceTests {
    let packet = Packet(Samples.link, .vlan(100), .vlan(7), Samples.v4, Samples.syn, Samples.text)

    @Test func `equal packets have no difference`() {
        for (_, packet) in Samples.all { #expect(Packet.difference(packet, packet) == []) }
    }

    @Test func `a changed field is named with both values`() {
        var changed = packet
        changed.ethernet?.destination = .mac("02:00:00:00:00:09")
        #expect(
            Packet.difference(packet, changed)
                == ["ethernet.destination: expected 02:00:00:00:00:02, got 02:00:00:00:00:09"])
    }

    @Test func `a field that a checksum covers takes the checksum along`() {
        var changed = packet
        changed.ipv4?.ttl = 63
        let lines = Packet.difference(packet, changed)
        #expect(lines.count == 2)
        #expect(lines.first == "ipv4.ttl: expected 64, got 63")
        #expect(lines.last?.hasPrefix("ipv4.checksum: expected 0x") == true)
    }

    @Test func `a checksum that is wrong for its packet is said to be`() throws {
        var changed = packet
        changed.tcp?.checksum = 0x1234
        let line = try #require(Packet.difference(packet, changed).first)
        #expect(line.hasPrefix("tcp.checksum: expected 0x") && line.contains("got 0x1234 (wrong checksum 0x1234, 0x"))
    }

    @Test func `layers of one kind are told apart by their place`() {
        let changed = Packet(Samples.link, .vlan(100), .vlan(8), Samples.v4, Samples.syn, Samples.text)
        #expect(Packet.difference(packet, changed) == ["vlan[1].identifier: expected 7, got 8"])
    }

    @Test func `a missing layer and an unexpected layer are named`() {
        let without = Packet(Samples.link, Samples.v4, Samples.syn)
        let with = Packet(Samples.link, .vlan(7), Samples.v4, Samples.syn)
        #expect(
            Packet.difference(with, without) == [
                "ethernet.type: expected 0x8100, got 0x0800", "vlan: missing, expected vlan 7",
            ])
        #expect(
            Packet.difference(without, with) == [
                "ethernet.type: expected 0x0800, got 0x8100", "vlan: not expected, got vlan 7",
            ])
    }

    @Test func `a payload is compared octet by octet`() {
        let (one, other) = (
            Packet(.ethernet(destination: .zero, source: .zero), .payload([1, 2, 3, 4])).bytes, [UInt8]()
        )
        #expect(
            Packet.difference(one, one.dropLast(2) + [9, 9]) == ["payload byte 2: expected 0x03, got 0x09 (and 1 more)"]
        )
        #expect(Packet.difference(one, Array(one.dropLast())) == ["payload: expected 4 octets, got 3"])
        #expect(!Packet.difference(one, other).isEmpty)
    }

    @Test func `a quoted datagram is compared by its fields`() {
        func error(_ port: UInt16) -> Packet {
            Packet(
                Samples.link, Samples.v4, .icmp(.unreachable(code: 3)),
                .quoted(Packet(Samples.v4, .udp(source: 1, destination: port, checksum: .zero))))
        }
        let lines = Packet.difference(error(80), error(81))
        #expect(lines.contains("quoted.udp.destination: expected 80, got 81"))
        #expect(lines.count == 2)
        #expect(lines.contains { $0.hasPrefix("icmp.checksum") })
    }

    @Test(arguments: Samples.all.map(\.name))
    func `every bit of every packet is seen by a field`(name: String) throws {
        let packet = try #require(Samples.all.first { $0.name == name }).packet
        let bytes = packet.bytes
        for bit in 0..<bytes.count * 8 {
            var changed = bytes
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            let lines = Packet.difference(bytes, changed, startingAt: packet.start)
            #expect(!lines.isEmpty && !lines.contains { $0.hasPrefix("frame") }, "bit \(bit)")
        }
    }
}
