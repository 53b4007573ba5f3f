import LinuxSystem
import NetworkTypes
import TestSupport
import Testing

private func octets(_ hex: String) -> [UInt8] {
    hex.split(whereSeparator: \.isWhitespace).map { UInt8($0, radix: 16)! }
}

private let mac = MACAddress("02:aa:bb:cc:dd:ee")!

struct AnnouncementFrameTests {
    @Test func aGratuitousARPRequestIsAnRFC5227Announcement() {
        #expect(
            AnnouncementFrame.gratuitousARP(IPAddress("192.0.2.10")!, mac: mac, form: .request)
                == octets(
                    """
                    ff ff ff ff ff ff  02 aa bb cc dd ee  08 06
                    00 01 08 00 06 04 00 01
                    02 aa bb cc dd ee  c0 00 02 0a
                    00 00 00 00 00 00  c0 00 02 0a
                    """))
    }

    @Test func aGratuitousARPReplyRepeatsTheSenderAsTarget() {
        #expect(
            AnnouncementFrame.gratuitousARP(IPAddress("192.0.2.10")!, mac: mac, form: .reply)
                == octets(
                    """
                    ff ff ff ff ff ff  02 aa bb cc dd ee  08 06
                    00 01 08 00 06 04 00 02
                    02 aa bb cc dd ee  c0 00 02 0a
                    02 aa bb cc dd ee  c0 00 02 0a
                    """))
    }

    @Test(arguments: [(false, UInt8(0x20), "5e a8"), (true, 0xa0, "de a7")])
    func aNeighbourAdvertisementOverridesAndGoesToAllNodes(_ isRouter: Bool, _ flags: UInt8, _ checksum: String) {
        let frame = AnnouncementFrame.neighbourAdvertisement(IPAddress("2001:db8::10")!, mac: mac, isRouter: isRouter)
        var expected = octets(
            """
            33 33 00 00 00 01  02 aa bb cc dd ee  86 dd
            60 00 00 00 00 20 3a ff
            20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 10
            ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01
            88 00 00 00 00 00 00 00
            20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 10
            02 01 02 aa bb cc dd ee
            """)
        expected[58] = flags
        expected.replaceSubrange(56..<58, with: octets(checksum))
        #expect(frame == expected)
    }

    @Test func aNeighbourSolicitationGoesToTheSolicitedNodeGroup() throws {
        let frame = try #require(
            AnnouncementFrame.neighbourSolicitation(IPAddress("fd01::12:3456")!, from: IPAddress("fd01::1")!, mac: mac))
        #expect(Array(frame[0..<14]) == octets("33 33 ff 12 34 56 02 aa bb cc dd ee 86 dd"))
        #expect(Array(frame[38..<54]) == octets("ff 02 00 00 00 00 00 00 00 00 00 01 ff 12 34 56"))
        #expect(frame[54] == 135 && frame[58] == 0)
        #expect(Array(frame[78...]) == [1, 1] + mac.octets)
    }

    @Test func aFrameOfTheOtherFamilyIsNotMade() {
        #expect(AnnouncementFrame.gratuitousARP(IPAddress("fd01::1")!, mac: mac, form: .request) == nil)
        #expect(AnnouncementFrame.neighbourAdvertisement(IPAddress("192.0.2.1")!, mac: mac) == nil)
        #expect(AnnouncementFrame.arpRequest(IPAddress("192.0.2.1")!, from: IPAddress("fd01::1")!, mac: mac) == nil)
    }
}

@Suite(.requiresRoot)
struct AnnouncerTests {
    private func lab() throws -> (a: TestNamespace, b: TestNamespace, index: UInt32) {
        let (a, b) = (try TestNamespace("a"), try TestNamespace("b"))
        try TestNamespace.connect(
            CableEnd(a, "eth0", addresses: ["10.1.0.1/24", "fd01::1/64"]),
            CableEnd(b, "eth0", addresses: ["10.1.0.2/24", "fd01::2/64"]))
        return (a, b, try a.link("eth0").index)
    }

    @Test func theFramesArriveOctetForOctet() throws {
        let lab = try lab()
        let (v4, v6) = (IPAddress("10.1.0.10")!, IPAddress("fd01::10")!)
        let tap = try PacketTap(lab.b, interface: "eth0")
        let announcer = try lab.a.perform { try Announcer() }
        try announcer.announce(v4, interface: lab.index, mac: mac)
        try announcer.announce(v6, interface: lab.index, mac: mac)
        let expected = [
            AnnouncementFrame.gratuitousARP(v4, mac: mac, form: .request),
            AnnouncementFrame.gratuitousARP(v4, mac: mac, form: .reply),
            AnnouncementFrame.neighbourAdvertisement(v6, mac: mac),
        ]
        for frame in expected {
            #expect(try tap.receive { Array($0[6..<12]) == mac.octets } == frame)
        }
    }

    @Test(arguments: ["10.1.0.10", "fd01::10"])
    func aPeerThatKnowsTheAddressLearnsItsNewPlace(_ text: String) throws {
        let lab = try lab()
        let vip = try #require(IPAddress(text))
        try lab.b.ip("neigh add \(text) lladdr 02:00:00:00:00:99 dev eth0 nud reachable")
        let monitor = try lab.b.perform { try NetworkMonitor() }
        defer { monitor.close() }
        #expect(monitor.snapshot.neighbour(at: vip)?.mac == MACAddress("02:00:00:00:00:99"))
        let announcer = try lab.a.perform { try Announcer() }
        try announcer.announce(vip, interface: lab.index, mac: mac)
        try eventually(within: .seconds(2), "the peer has the announced MAC") {
            monitor.snapshot.neighbour(at: vip)?.mac == mac
        }
    }

    @Test func anInterfaceThatIsNotThereIsAnErrorInWords() throws {
        let announcer = try TestNamespace("a").perform { try Announcer() }
        let error = #expect(throws: SystemError.self) {
            try announcer.announce(IPAddress("10.1.0.10")!, interface: 4711, mac: mac)
        }
        #expect(error?.description.hasPrefix("announce 10.1.0.10 on interface 4711: No such device") == true)
    }
}
