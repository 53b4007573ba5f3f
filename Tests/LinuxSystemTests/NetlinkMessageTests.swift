import NetworkTypes
import Testing

import LinuxSystem

/// Messages that this machine's kernel cannot be made to send, or that no kernel should. All are little-endian.
struct NetlinkMessageTests {
    private func octets(_ hex: String) -> [UInt8] {
        hex.split(whereSeparator: \.isWhitespace).map { UInt8($0, radix: 16)! }
    }
    private func messages<Value>(_ bytes: [UInt8], _ decode: (NetlinkMessage) -> Value) -> [Value] {
        var found: [Value] = []
        bytes.withUnsafeBytes { NetlinkMessage.forEach(in: $0) { found.append(decode($0)) } }
        return found
    }

    /// RTM_NEWLINK of eth0.100, VLAN 100 on interface 2, up and running.
    private var vlanLink: [UInt8] {
        octets(
            """
            68 00 00 00 10 00 00 00 00 00 00 00 00 00 00 00
            00 00 01 00 07 00 00 00 43 10 01 00 00 00 00 00
            0d 00 03 00 65 74 68 30 2e 31 30 30 00 00 00 00
            08 00 04 00 dc 05 00 00
            0a 00 01 00 02 00 00 00 00 05 00 00
            08 00 05 00 02 00 00 00
            1c 00 12 00
              09 00 01 00 76 6c 61 6e 00 00 00 00
              0c 00 02 80 06 00 01 00 64 00 00 00
            """)
    }

    @Test func aVLANInterfaceNamesItsParentAndTag() throws {
        let bytes = vlanLink
        #expect(bytes.count == 0x68)
        let link = try #require(messages(bytes) { Link($0) }.first ?? nil)
        #expect(link.name == "eth0.100" && link.index == 7 && link.kind == "vlan" && link.isUp && link.isEthernet)
        #expect(link.vlan == Link.VLAN(parent: 2, id: 100))
        #expect(link.mac == MACAddress("02:00:00:00:00:05"))
    }

    @Test func aBridgesViewOfALinkIsNotALink() {
        var bytes = vlanLink
        bytes[16] = 7  // AF_BRIDGE
        #expect(messages(bytes) { Link($0) } == [nil])
    }

    @Test func everyTruncationIsHarmless() {
        let whole = vlanLink
        for length in 0..<whole.count {
            #expect(messages(Array(whole.prefix(length))) { Link($0) }.isEmpty, "cut to \(length)")
            // The message claims to be as short as it is, so its attributes are cut.
            var short = Array(whole.prefix(length))
            if length >= 16 {
                short[0] = UInt8(length)
                #expect(messages(short) { Link($0)?.vlan }.allSatisfy { $0 == nil }, "claims \(length)")
            }
        }
    }

    @Test func attributesWithAnImpossibleLengthEndTheWalk() {
        for length in [UInt8(0), 3, 0xff] {
            var bytes = vlanLink
            bytes[32] = length
            #expect(messages(bytes) { Link($0) } == [nil])
        }
    }
}
