import NetworkTypes
import Testing

@Suite struct PrefixTests {
    @Test(arguments: [
        ("192.168.94.0/24", "192.168.94.0/24"), ("192.168.94.110/24", "192.168.94.0/24"), ("10.0.0.1", "10.0.0.1/32"),
        ("0.0.0.0/0", "0.0.0.0/0"), ("2001:db8::1/64", "2001:db8::/64"), ("2001:db8::1", "2001:db8::1/128"),
        ("::/0", "::/0"), ("::ffff:192.0.2.7/120", "192.0.2.0/24"), ("::ffff:192.0.2.7", "192.0.2.7/32"),
    ])
    func `text is read, and host bits are cleared`(text: String, canonical: String) throws {
        #expect(try #require(Prefix(text)).description == canonical)
    }

    @Test(arguments: [
        "", "/", "/24", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0", "::/129", "10.0.0.0/ 8", "10.0.0.0/٨", "::ffff:10.0.0.0/8", "::ffff:10.0.0.0/129",
        "10.0.0.0/99999999999999999999",
    ])
    func `anything else is no prefix`(text: String) {
        #expect(Prefix(text) == nil)
    }

    @Test func `a length outside the family is refused`() throws {
        let v4 = try #require(IPAddress("10.0.0.1"))
        let v6 = try #require(IPAddress("2001:db8::1"))
        #expect(Prefix(v4, length: 33) == nil)
        #expect(Prefix(v4, length: -1) == nil)
        #expect(Prefix(v6, length: 129) == nil)
        #expect(Prefix(v6, length: 128)?.length == 128)
    }

    @Test(arguments: [
        ("192.168.94.0/24", "192.168.94.0", true), ("192.168.94.0/24", "192.168.94.255", true),
        ("192.168.94.0/24", "192.168.95.0", false), ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "::1", false),
        ("::/0", "2001:db8::1", true), ("::/0", "203.0.113.9", false), ("2001:db8::/127", "2001:db8::1", true),
        ("2001:db8::/127", "2001:db8::2", false), ("10.0.0.1/32", "10.0.0.1", true),
    ])
    func `a prefix contains the addresses of its own family that share its bits`(
        prefix: String, address: String, expected: Bool
    ) throws {
        #expect(try #require(Prefix(prefix)).contains(try #require(IPAddress(address))) == expected)
    }
}
