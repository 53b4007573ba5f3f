import NetworkTypes
import PacketKit
import Testing

@Suite struct ChecksumTests {
    @Test func `the example of RFC 1071 sums to ddf2`() {
        #expect(InternetChecksum.of(octets("0001 f203 f4f5 f6f7")) == ~0xddf2)
    }

    @Test func `an odd octet counts as the upper half of a word, in every length`() {
        #expect(InternetChecksum.of([]) == 0xffff)
        #expect(InternetChecksum.of([0x12]) == ~0x1200)
        #expect(InternetChecksum.of(octets("0001 f203 f4f5 f6f7 01")) == ~0xdef2)
        // 0xffff fourteen times and a half: every carry comes round.
        #expect(InternetChecksum.of([UInt8](repeating: 0xff, count: 28) + [1]) == ~0x0100)
    }

    @Test func `a well-known IPv4 header gets its checksum`() {
        let header = Packet(
            .ipv4(
                source: .ip("192.168.0.1"), destination: .ip("192.168.0.199"), dontFragment: true,
                protocol: IPProtocol.udp,
                totalLength: 0x73))
        #expect(header.bytes == octets("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7"))
    }

    @Test(arguments: Captured.whole.map(\.name))
    func `the checksums of captured packets are found right`(name: String) throws {
        let bytes = try #require(Captured.whole.first { $0.name == name }).bytes
        let checksums = Packet(decoding: bytes).checksums
        #expect(checksums.count == (name.hasPrefix("arp") ? 0 : bytes[12...13] == [8, 0] && bytes[23] != 0 ? 2 : 1))
        #expect(checksums.allSatisfy { $0.status == .correct })
    }

    @Test(arguments: Captured.whole.map(\.name))
    func `a changed octet makes a checksum of a captured packet wrong`(name: String) throws {
        guard !name.hasPrefix("arp") else { return }
        var bytes = try #require(Captured.whole.first { $0.name == name }).bytes
        bytes[bytes.count - 1] ^= 0x10
        #expect(!Packet(decoding: bytes).hasCorrectChecksums)
    }

    @Test func `UDP sends all ones where the sum is zero`() throws {
        // The payload is chosen so that the ones' complement sum of all else and it is 0xffff.
        let without = Packet(Samples.v4, .udp(source: 1, destination: 2), .payload([0, 0])).bytes
        let missing = UInt16(without[26]) << 8 | UInt16(without[27])
        let packet = Packet(
            Samples.v4, .udp(source: 1, destination: 2), .payload([UInt8(missing >> 8), UInt8(missing & 0xff)]))
        #expect(packet.bytes[26...27] == [0xff, 0xff])
        #expect(packet.checksums.map(\.status) == [.correct, .correct])
        #expect(Packet(decoding: packet.bytes, startingAt: .network) == packet)
    }

    @Test func `UDP without a checksum is absent over IPv4 and wrong over IPv6`() {
        let none = Layer.udp(source: 1, destination: 2, checksum: .zero)
        #expect(Packet(Samples.v4, none).checksums.map(\.status) == [.correct, .absent])
        #expect(!Packet(Samples.v6, none).hasCorrectChecksums)
    }

    @Test func `a checksum asked to be wrong is wrong`() {
        for seed in 0..<70000 as Range<UInt32> {
            let packet = Packet(Samples.v4, .tcp(source: 1, destination: 2, sequence: seed, checksum: .wrong))
            guard case .wrong(let found, let correct) = packet.checksums[1].status else {
                Issue.record("sequence \(seed) came out right")
                return
            }
            #expect(found != correct && found != 0)
        }
    }

    @Test func `an override is written as it is`() {
        let packet = Packet(
            .ipv4(
                source: .ip("10.0.0.1"), destination: .ip("10.0.0.2"), totalLength: 7, headerLength: 4, checksum: 0xabcd
            ),
            .udp(source: 1, destination: 2, length: 3, checksum: 0x1234))
        #expect(packet.bytes == octets("4400 0007 0000 0000 4011 abcd 0a00 0001 0a00 0002 0001 0002 0003 1234"))
    }

    @Test func `the checksum of a cut or fragmented datagram is not verifiable`() throws {
        let whole = Packet(Samples.v4, Samples.syn, Samples.text).bytes
        let cut = Packet(decoding: whole.dropLast(), startingAt: .network)
        #expect(cut.checksums.map(\.status) == [.correct, .notVerifiable])
        let fragment = try #require(Samples.udpPacket.fragmented(payloadOctets: 8, identification: 1).first)
        #expect(fragment.checksums.map(\.status) == [.correct, .notVerifiable])
    }

    @Test func `the pseudo header has the final destination of a routing header`() {
        let final = IPAddress.ip("2001:db8::9")
        let direct = Packet(.ipv6(source: .ip("2001:db8::1"), destination: final), Samples.syn).bytes
        for (type, addresses) in [(0, [.ip("2001:db8::7"), final]), (2, [final]), (4, [final, .ip("2001:db8::7")])]
            as [(UInt8, [IPAddress])]
        {
            let routed = Packet(
                Samples.v6, .routing(type: type, segmentsLeft: 1, addresses: addresses), Samples.syn
            ).bytes
            #expect(direct[56...57] == routed[routed.count - 4...routed.count - 3], "type \(type)")
        }
    }
}
