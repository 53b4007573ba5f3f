import NetworkTypes
import RiptideConfiguration
import Testing

/// The rules that need to know the machine.
@Suite struct SystemFactsTests {
    @Test func `a configuration that fits the machine has nothing against it`() throws {
        #expect(complaints(document(), facts: try machine()) == [])
        #expect(
            complaints(document(address: "2001:db8:9::1", serverAddress: "2001:db8::2"), facts: try machine()) == [])
    }

    @Test func `a virtual address is not an interface's own, but the daemon's copy on loopback does not count`() throws {
        #expect(
            complaints(document(address: "10.1.0.250"), facts: try machine()) == [
                "6:14: services[A].address: 10.1.0.250 is eth1's own address (use another address: a virtual address is never an interface's own)"
            ])
        #expect(complaints(document(address: "10.0.0.1"), facts: try machine()) == [])
    }

    @Test func `a real server is another machine`() throws {
        #expect(
            complaints(document(serverAddress: "10.0.0.250"), facts: try machine()) == [
                "10:18: services[A].servers[a].address: 10.0.0.250 is this machine's own address, on eth0 (write the address of another machine)"
            ])
    }

    @Test(arguments: [
        ("ethO", "this machine has no interface ethO (did you mean eth0?)"),
        ("wan", "this machine has no interface wan (there are eth0, eth1)"),
        ("lo", "lo is a loopback interface, where no client's packets arrive (there are eth0, eth1)"),
        ("tun0", "tun0 is not an Ethernet interface (there are eth0, eth1)"),
    ])
    func `an interface that cannot carry the data plane is refused`(name: String, expected: String) throws {
        let text = document().replacing("name: eth0", with: "name: \(name)")
        let found = complaints(text, facts: try machine())
        #expect(found.first == "3:22: interfaces[\(name)].name: \(expected)")
    }

    @Test func `an interface that does not exist is the only thing said, not each server behind it`() throws {
        let text = document().replacing("name: eth0", with: "name: wan")
        #expect(read(text, facts: try machine()).diagnostics.map(\.path) == ["interfaces[wan].name"])
    }

    @Test func `a direct-routing server is in a network of a configured interface`() throws {
        #expect(
            complaints(document(serverAddress: "10.2.0.2"), facts: try machine()) == [
                "10:18: services[A].servers[a].address: 10.2.0.2 is in no network of a configured interface, and direct routing does not cross routers (use an address in eth0's 10.0.0.0/24, or use mode snat or tunnel, which cross routers)"
            ])
        #expect(
            read(document(serverAddress: "10.1.0.2"), facts: try machine()).diagnostics.map(\.cure) == [
                "add eth1, which has 10.1.0.0/24, to interfaces, or use an address in eth0's 10.0.0.0/24, or use mode snat or tunnel, which cross routers"
            ])
        let other = document(address: "2001:db8::1", serverAddress: "2001:db8::2")
            .replacing("name: eth0", with: "name: eth1")
        #expect(
            read(other, facts: try machine()).diagnostics.map(\.cure) == [
                "add eth0, which has 2001:db8::/64, to interfaces, or give a configured interface an IPv6 address in the real server's network, or use mode snat or tunnel, which cross routers"
            ])
    }

    @Test func `only direct routing asks for servers in a network of a configured interface`() throws {
        for mode in ["nat", "snat", "tunnel"] {
            let text = document(service: "mode: \(mode)\n    fallback: { address: 10.78.0.2 }", serverAddress: "10.77.0.2")
            #expect(complaints(text, facts: try machine()) == [])
        }
    }

    @Test func `a fallback server is another machine, for direct routing in a near network`() throws {
        #expect(
            complaints(document(service: "fallback: { address: 10.0.0.250 }"), facts: try machine()) == [
                "12:26: services[A].fallback.address: 10.0.0.250 is this machine's own address, on eth0 (write the address of another machine)"
            ])
        #expect(
            complaints(document(service: "fallback: { address: 10.9.0.2 }"), facts: try machine()) == [
                "12:26: services[A].fallback.address: 10.9.0.2 is in no network of a configured interface, and direct routing does not cross routers (use an address in eth0's 10.0.0.0/24, or use mode snat or tunnel, which cross routers)"
            ])
    }

    @Test func `a floating address is not an interface's own, and a source address may be`() throws {
        #expect(
            complaints(document(top: "cluster: { floating-addresses: [10.0.0.250] }"), facts: try machine()) == [
                "13:33: cluster.floating-addresses[0]: 10.0.0.250 is eth0's own address (use another address: a floating address is never an interface's own)"
            ])
        let source = "mode: snat\n    source: { addresses: [10.0.0.250, 10.0.0.1] }"
        #expect(complaints(document(service: source), facts: try machine()) == [])
    }

    @Test(arguments: [
        ("eth1", []), ("tun0", []),
        ("ethO", ["13:11: warning: auto-nat: this machine has no interface ethO now (did you mean eth0?)"]),
        ("wan", ["13:11: warning: auto-nat: this machine has no interface wan now (there are eth0, eth1, tun0)"]),
        ("lo", ["13:11: auto-nat: lo is a loopback interface, which leads nowhere (write the interface by which this machine reaches the outside)"]),
    ])
    func `masquerade leaves by any interface, even one that is not there now`(name: String, expected: [String]) throws {
        let result = complaints(document(top: "auto-nat: \(name)"), facts: try machine())
        #expect(result == expected)
    }

    @Test func `without facts nothing is said about the machine`() {
        #expect(complaints(document(address: "10.1.0.250", serverAddress: "10.77.0.2")) == [])
    }
}
