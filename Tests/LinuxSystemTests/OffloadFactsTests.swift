import Glibc
import LinuxSystem
import NetworkTypes
import TestSupport
import Testing

struct OffloadAdviceTests {
    private typealias Feature = OffloadFacts.Feature
    private let on = OffloadFacts.Feature(isOn: true, isFixed: false)
    private let off = OffloadFacts.Feature(isOn: false, isFixed: false)
    private let fixedOn = OffloadFacts.Feature(isOn: true, isFixed: true)

    private func virtio(_ hardwareGRO: OffloadFacts.Feature, checksum: OffloadFacts.Feature? = nil) -> OffloadFacts {
        OffloadFacts(
            interface: "eth0", driver: "virtio_net", receiveChecksum: checksum ?? fixedOn, hardwareGRO: hardwareGRO)
    }

    @Test func aVethIsSwitchedAtItsOtherEnd() {
        let facts = OffloadFacts(interface: "eth0", driver: "veth", peer: 7)
        for native in [true, false] {
            #expect(
                facts.checksumAdvice(native: native)
                    == "packets may arrive at eth0 with unfinished TCP and UDP checksums, which XDP would spoil: at the other end, in its container or namespace: ethtool -K PEER tx off (interface 7 there, as `ip link` numbers them)"
            )
        }
    }

    @Test func virtioInNativeModeFinishesChecksumsAndMergesNothing() {
        let facts = virtio(on)
        #expect(facts.checksumAdvice(native: true) == nil && facts.mergingAdvice(native: true) == nil)
    }

    @Test func virtioInGenericModeIsSentToNativeModeWhereTheHostAllowsIt() throws {
        let advice = try #require(virtio(on).checksumAdvice(native: false))
        #expect(advice.contains("eth0") && advice.contains("set xdp: native") && advice.contains("ethtool -K TAP tx off"))
        // Generic mode switches off what can be switched.
        #expect(virtio(on).mergingAdvice(native: false) == nil)
    }

    @Test func virtioWhoseHostAllowsNothingIsSwitchedOnTheHost() throws {
        let facts = virtio(fixedOn)
        let checksum = try #require(facts.checksumAdvice(native: false))
        #expect(!checksum.contains("native") && !checksum.contains("-K eth0"))
        #expect(checksum.contains("ethtool -K TAP tx off") && checksum.contains("guest_csum=off"))
        let merging = try #require(facts.mergingAdvice(native: true))
        #expect(merging.contains("refuses native mode") && merging.contains("guest_tso4=off"))
        #expect(facts.mergingAdvice(native: false)?.contains("guest_tso4=off") == true)
    }

    @Test func virtioWithoutReceiveChecksumsNeedsNothing() {
        let facts = virtio(.absent, checksum: .absent)
        #expect(facts.checksumAdvice(native: false) == nil && facts.mergingAdvice(native: false) == nil)
    }

    @Test func hardwareFinishesChecksumsButMayMerge() {
        let facts = OffloadFacts(
            interface: "eth0", driver: "mlx5_core", receiveChecksum: on, largeReceive: on, hardwareGRO: on)
        #expect(facts.checksumAdvice(native: true) == nil && facts.checksumAdvice(native: false) == nil)
        #expect(
            facts.mergingAdvice(native: true)
                == "eth0 merges received packets, which XDP cannot take: ethtool -K eth0 lro off rx-gro-hw off")
        #expect(facts.mergingAdvice(native: false) == nil)
        let one = OffloadFacts(interface: "eth0", driver: "ice", largeReceive: off, hardwareGRO: on)
        #expect(one.mergingAdvice(native: true)?.hasSuffix("ethtool -K eth0 rx-gro-hw off") == true)
    }
}

@Suite(.requiresRoot)
struct OffloadFactsTests {
    private func pair() throws -> (a: TestNamespace, b: TestNamespace) {
        let (a, b) = (try TestNamespace("a"), try TestNamespace("b"))
        try TestNamespace.connect(
            CableEnd(a, "eth0", addresses: ["10.1.0.1/24"]), CableEnd(b, "eth0", addresses: ["10.1.0.2/24"]),
            transmitChecksumOffload: true)
        return (a, b)
    }
    private func facts(_ namespace: TestNamespace, _ interface: String = "eth0") throws -> OffloadFacts {
        let link = try namespace.link(interface)
        return try namespace.perform { try OffloadFacts.current(for: link) }
    }

    @Test func theFactsAreThoseThatEthtoolShows() throws {
        let (a, b) = try pair()
        let before = try facts(a)
        #expect(before.driver == "veth" && before.interface == "eth0")
        #expect(before.peer == (try b.link("eth0").index))
        #expect(before.receiveChecksum == .init(isOn: true, isFixed: false))
        #expect(before.largeReceive == .absent && before.hardwareGRO == .absent && !before.mergesPackets)
        try Command.check(["ethtool", "-K", "eth0", "rx", "off"], in: a)
        #expect(try facts(a).receiveChecksum == .init(isOn: false, isFixed: false))
        let loopback = try facts(a, "lo")
        #expect(loopback.driver == "" && loopback.peer == nil)
        #expect(loopback.receiveChecksum == .init(isOn: true, isFixed: true))
        #expect(loopback.checksumAdvice(native: false) == nil)
    }

    @Test func anInterfaceThatIsNotThereIsAnErrorInWords() throws {
        let error = #expect(throws: SystemError.self) {
            try OffloadFacts.current(for: Link(index: 4711, name: "nowhere"))
        }
        #expect(error?.description.hasPrefix("read the driver of interface nowhere: No such device (ENODEV)") == true)
        #expect(throws: SystemError.self) {
            try OffloadFacts.current(for: Link(index: 4711, name: "averyverylongname"))
        }
    }

    @Test func theAdviceForAVethFinishesTheChecksums() throws {
        let (a, b) = try pair()
        let advice = try #require(try facts(a).checksumAdvice(native: true))
        let tap = try PacketTap(a, interface: "eth0")
        #expect(try !arrivesFinished(from: b, tap))
        // What the advice says, with the other end's name.
        #expect(advice.contains("ethtool -K PEER tx off (interface \(try b.link("eth0").index) there"))
        try Command.check(["ethtool", "-K", "eth0", "tx", "off"], in: b)
        #expect(try arrivesFinished(from: b, tap))
    }

    /// Sends a datagram to 10.1.0.1 and returns whether its UDP checksum is right.
    private func arrivesFinished(from sender: TestNamespace, _ tap: borrowing PacketTap) throws -> Bool {
        let socket = try TestSocket(.udp, in: sender)
        try socket.send([1, 2, 3, 4], to: Endpoint(IPAddress("10.1.0.1")!, 4711))
        let frame = try #require(
            try tap.receive { $0.count >= 46 && $0[12...13] == [8, 0] && $0[23] == 17 && $0[36...37] == [0x12, 0x67] })
        return internetChecksum(Array(frame[26..<34]) + [0, 17, 0, 12] + frame[34..<46]) == 0
    }
}
