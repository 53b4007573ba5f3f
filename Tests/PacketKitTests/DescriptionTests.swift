import NetworkTypes
import PacketKit
import Testing

@Suite struct DescriptionTests {
    @Test func `a packet reads as one line`() {
        let packet = Packet(
            Samples.link, .vlan(100), Samples.v4,
            .tcp(
                source: 40000, destination: 80, flags: [.syn, .ack], sequence: 7, acknowledgement: 9, window: 100,
                options: [.maximumSegmentSize(1460), .windowScale(7)]), Samples.text)
        #expect(
            packet.description
                == "02:00:00:00:00:01 > 02:00:00:00:00:02, vlan 100, IPv4 10.0.0.1 > 192.0.2.1 ttl 64, "
                + "TCP 40000 > 80 [S.] seq 7 ack 9 win 100 <mss 1460, wscale 7>, 12 octets")
    }

    @Test func `a wrong checksum is pointed out, a right one is not`() {
        #expect(!Packet(Samples.v4, Samples.syn).description.contains("checksum"))
        let wrong = Packet(Samples.v4, .tcp(source: 1, destination: 2, checksum: 0x1234))
        #expect(wrong.description.contains("(wrong checksum 0x1234, 0x"))
        #expect(wrong.details.contains("  checksum: 0x1234 (wrong checksum 0x1234, 0x"))
    }

    @Test func `the captured packets read as tcpdump reads them`() {
        func text(_ bytes: [UInt8]) -> String {
            Packet(decoding: bytes).description.split(separator: ", ", maxSplits: 1).last.map(String.init) ?? ""
        }
        #expect(text(Captured.arpRequest) == "ARP who has 10.77.0.2? tell 10.77.0.1")
        #expect(text(Captured.arpReply) == "ARP 10.77.0.2 is at 02:00:00:00:00:02")
        #expect(
            text(Captured.echoRequest)
                == "IPv4 10.77.0.1 > 10.77.0.2 ttl 64, ICMP echo request id 17491 seq 1, 5 octets")
        #expect(
            text(Captured.unreachable)
                == "IPv4 10.77.0.2 > 10.77.0.1 ttl 64 tos 0xc0, ICMP unreachable code 3, "
                + "about [IPv4 10.77.0.1 > 10.77.0.2 ttl 64, UDP 54241 > 9, 4 octets]")
        #expect(
            text(Captured.neighbourAdvertisement)
                == "IPv6 2001:db8:77::2 > 2001:db8:77::1 hop limit 255, "
                + "ICMPv6 neighbour advertisement, 2001:db8:77::2 is here [solicited+override] <target 02:00:00:00:00:02>"
        )
        #expect(text(Captured.lastFragment).hasSuffix("at 2960, 48 octets"))
    }

    @Test func `a transport header cut short shows its ports`() {
        let error = Packet(
            Samples.v4, .icmp(.fragmentationNeeded(mtu: 1400)),
            .quoted(Packet(Samples.v4, Samples.syn), transportOctets: 8))
        #expect(
            error.description.hasSuffix(
                "ICMP fragmentation needed, mtu 1400, "
                    + "about [IPv4 10.0.0.1 > 192.0.2.1 ttl 64, 8 malformed octets of TCP 40000 > 80]"))
    }

    @Test func `details show every field and a dump of the content`() {
        let details = Packet(Samples.link, Samples.v4, Samples.datagram, Samples.text).details
        let lines = details.split(separator: "\n")
        #expect(lines.first == "ethernet")
        #expect(lines.contains("  type: 0x0800"))
        #expect(lines.contains("  total-length: 40"))
        #expect(lines.contains("  length: 20"))
        #expect(lines.contains("payload: 12 octets"))
        #expect(lines.last == "  0000  68 65 6c 6c 6f 2c 20 77 6f 72 6c 64              hello, world")
    }
}
