import NetworkTypes
import Testing

@Suite struct MACAddressTests {
    @Test func `text is read in either case and written in lower case`() throws {
        let address = try #require(MACAddress("02:00:5E:0a:FF:01"))
        #expect(address.description == "02:00:5e:0a:ff:01")
        #expect(address.value == 0x0200_5e0a_ff01)
        #expect(address.octets == [0x02, 0x00, 0x5e, 0x0a, 0xff, 0x01])
    }

    @Test(arguments: [
        "", "02:00:5e:0a:ff", "02:00:5e:0a:ff:01:02", "02-00-5e-0a-ff-01", "2:0:5e:a:ff:1", "02:00:5e:0a:ff:",
        "+2:00:5e:0a:ff:01", "-0:00:5e:0a:ff:01", "0g:00:5e:0a:ff:01", "02:00:5e:0a:ff:01 ", "０2:00:5e:0a:ff:01",
    ])
    func `anything else is no address`(text: String) {
        #expect(MACAddress(text) == nil)
    }

    @Test func `octets make the round trip, and only six of them make an address`() {
        #expect(MACAddress(octets: MACAddress.broadcast.octets) == .broadcast)
        #expect(MACAddress(octets: [0, 0, 0, 0, 0, 0]) == .zero)
        #expect(MACAddress(octets: [1, 2, 3, 4, 5]) == nil)
        #expect(MACAddress(octets: [1, 2, 3, 4, 5, 6, 7]) == nil)
    }

    @Test func `only 48 bits are kept`() {
        #expect(MACAddress(0xffff_0000_0000_0001) == MACAddress(1))
    }
}
