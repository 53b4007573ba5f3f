import NetworkTypes
import Testing

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("192.168.94.110", "192.168.94.110"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("::", "::"), ("::1", "::1"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"), ("fe80::", "fe80::"),
    ])
    func `text is read and written in the canonical form`(text: String, canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
    }

    @Test(arguments: [
        "", " ", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "0x1.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4/32", "::1%lo",
        "1::2::3", ":::", "12345::", "g::", "1.2.3.4\0", "1.2.3.4\0rubbish", "::1\0", "１.2.3.4", "[::1]",
    ])
    func `anything else is no address`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `an IPv4 address and its mapped form are one value of the IPv4 family`() throws {
        let address = try #require(IPAddress("192.0.2.1"))
        #expect(address == IPAddress(ipv4: 0xc000_0201))
        #expect(address.family == .ipv4)
        #expect(address.bitWidth == 32)
        #expect(address.octets == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1])
    }

    @Test func `an address that only resembles the mapped form is IPv6`() throws {
        for text in ["::192.0.2.1", "::fffe:c000:201", "1::ffff:c000:201"] {
            let address = try #require(IPAddress(text))
            #expect(address.family == .ipv6, "\(text)")
            #expect(address.bitWidth == 128)
            #expect(address.ipv4Value == nil)
        }
    }

    @Test func `octets make the round trip, and only sixteen of them make an address`() throws {
        let address = try #require(IPAddress("2001:db8:1:2:3:4:5:6"))
        #expect(IPAddress(octets: address.octets) == address)
        #expect(IPAddress(octets: [UInt8](repeating: 0, count: 15)) == nil)
        #expect(IPAddress(octets: [UInt8](repeating: 0, count: 17)) == nil)
    }

    @Test(arguments: [
        ("224.0.0.0", true), ("239.255.255.255", true), ("223.255.255.255", false), ("240.0.0.0", false),
        ("ff00::", true), ("ff02::1", true), ("feff::1", false),
    ])
    func `group addresses are told from others`(text: String, expected: Bool) throws {
        #expect(try #require(IPAddress(text)).isMulticast == expected)
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.255.255", true), ("126.0.0.1", false), ("128.0.0.1", false), ("::1", true),
        ("::2", false), ("1::1", false), ("::", false),
    ])
    func `loopback addresses are told from others`(text: String, expected: Bool) throws {
        #expect(try #require(IPAddress(text)).isLoopback == expected)
    }

    @Test(arguments: [
        ("169.254.0.0", true), ("169.254.255.255", true), ("169.253.255.255", false), ("169.255.0.0", false),
        ("fe80::1", true), ("febf::1", true), ("fec0::1", false), ("fe7f::1", false),
    ])
    func `link-local addresses are told from others`(text: String, expected: Bool) throws {
        #expect(try #require(IPAddress(text)).isLinkLocal == expected)
    }

    @Test(arguments: [("0.0.0.0", true), ("::", true), ("0.0.0.1", false), ("::1", false), ("1::", false)])
    func `the unspecified address is known in both families`(text: String, expected: Bool) throws {
        #expect(try #require(IPAddress(text)).isUnspecified == expected)
    }

    @Test(arguments: [
        ("192.168.94.110", 24, "192.168.94.0"), ("192.168.94.110", 32, "192.168.94.110"),
        ("192.168.94.110", 0, "0.0.0.0"), ("255.255.255.255", 1, "128.0.0.0"), ("10.255.255.255", 9, "10.128.0.0"),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 64, "2001:db8:ffff:ffff::"), ("ffff::1", 0, "::"),
        ("2001:db8::ffff", 127, "2001:db8::fffe"), ("2001:db8::ffff", 128, "2001:db8::ffff"),
        ("2001:db8::8000:0:0:0", 65, "2001:db8:0:0:8000::"), ("ffff:ffff::", 63, "ffff:ffff::"),
    ])
    func `masking clears the bits behind the prefix, in the address's own family`(
        text: String, length: Int, expected: String
    ) throws {
        let address = try #require(IPAddress(text))
        let masked = address.masked(to: length)
        #expect(masked == IPAddress(expected))
        #expect(masked.family == address.family)
    }

    @Test func `addresses sort by value, IPv4 among the mapped ones`() {
        let texts = ["::1", "10.0.0.9", "10.0.0.10", "2001:db8::", "2001:db8::1"]
        #expect(texts.reversed().compactMap { IPAddress($0) }.sorted().map(\.description) == texts)
    }
}
