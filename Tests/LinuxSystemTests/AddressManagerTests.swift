import LinuxSystem
import NetworkTypes
import TestSupport
import Testing

@Suite(.requiresRoot)
struct AddressManagerTests {
    @Test(arguments: ["192.0.2.10", "2001:db8::10"])
    func addingAndRemovingOnLoopbackMayBeRepeated(_ text: String) throws {
        let namespace = try TestNamespace("vip")
        let vip = try #require(IPAddress(text))
        var manager = try namespace.perform { try AddressManager() }
        let lo = try namespace.link("lo").index
        #expect(try manager.add(vip, interface: lo))
        #expect(try !manager.add(vip, interface: lo))
        let listed = try #require(try manager.list(interface: lo).first { $0.address == vip })
        #expect(listed.prefix == Prefix(text))
        #expect(listed.isOurs && !listed.isTentative)
        try eventually("the address answers") {
            try Command.run(["ping", "-c1", "-W1", text], in: namespace).status == 0
        }
        #expect(try manager.remove(vip, interface: lo))
        #expect(try !manager.remove(vip, interface: lo))
        #expect(try !manager.list().contains { $0.address == vip })
    }

    @Test func anAddressOfSomebodyElseStaysTheirs() throws {
        let namespace = try TestNamespace("vip")
        try namespace.ip("addr add 192.0.2.10/32 dev lo")
        var manager = try namespace.perform { try AddressManager() }
        #expect(try !manager.add(IPAddress("192.0.2.10")!, interface: 1))
        #expect(try manager.list().first { $0.address == IPAddress("192.0.2.10") }?.isOurs == false)
    }

    @Test func thePrefixLengthIsAsGiven() throws {
        let namespace = try TestNamespace("vip")
        var manager = try namespace.perform { try AddressManager() }
        try manager.add(IPAddress("10.5.0.1")!, prefixLength: 24, interface: 1)
        try manager.add(IPAddress("fd05::1")!, prefixLength: 64, interface: 1)
        let prefixes = try manager.list().map(\.prefix)
        #expect(prefixes.contains(Prefix("10.5.0.0/24")!) && prefixes.contains(Prefix("fd05::/64")!))
    }

    @Test func anInterfaceThatIsNotThereIsAnErrorInWords() throws {
        let namespace = try TestNamespace("vip")
        let message = try namespace.perform { () -> String in
            var manager = try AddressManager()
            do {
                try manager.add(IPAddress("192.0.2.10")!, to: "nowhere")
                return "no error"
            } catch {
                return "\(error)"
            }
        }
        #expect(message == "find interface nowhere: No such device (ENODEV): check the interface's name with `ip link`")
        var manager = try namespace.perform { try AddressManager() }
        #expect(throws: SystemError.self) { try manager.add(IPAddress("192.0.2.10")!, interface: 4711) }
        #expect(try !manager.remove(IPAddress("192.0.2.10")!, interface: 4711))
    }
}
