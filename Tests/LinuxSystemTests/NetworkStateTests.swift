import LinuxSystem
import NetworkTypes
import Testing

struct NetworkStateTests {
    private func address(_ interface: UInt32, _ text: String) -> InterfaceAddress {
        InterfaceAddress(
            interface: interface, address: IPAddress(text.prefix { $0 != "/" })!, prefix: Prefix(text)!)
    }
    private func route(_ prefix: String, _ gateway: String? = nil, _ interface: UInt32, metric: UInt32 = 0) -> Route {
        Route(
            destination: Prefix(prefix)!, gateway: gateway.flatMap { IPAddress($0) }, interface: interface,
            metric: metric)
    }
    private let links: [UInt32: Link] = [
        1: Link(index: 1, name: "lo", isLoopback: true, isEthernet: false), 2: Link(index: 2, name: "eth0"),
        3: Link(index: 3, name: "eth1"), 4: Link(index: 4, name: "eth2", isUp: false),
    ]

    @Test func theLongestConnectedPrefixWins() {
        let state = NetworkState(
            links: links, addresses: [address(2, "10.0.0.1/8"), address(3, "10.1.0.1/16"), address(1, "10.1.1.1/32")],
            routes: [route("10.2.0.0/16", "10.0.0.9", 3)])
        #expect(state.linkForDestination(IPAddress("10.200.0.1")!)?.name == "eth0")
        #expect(state.linkForDestination(IPAddress("10.1.5.5")!)?.name == "eth1")
        #expect(state.linkForDestination(IPAddress("10.1.1.1")!)?.name == "eth1", "an address on lo is on no link")
        #expect(
            state.linkForDestination(IPAddress("10.2.0.1")!)?.name == "eth0", "a route with a gateway is not a link")
        #expect(state.linkForDestination(IPAddress("11.0.0.1")!) == nil)
        #expect(state.linkForDestination(IPAddress("fd00::1")!) == nil)
    }

    @Test func aLinkLocalAddressOnSeveralLinksIsOnNone() {
        let one = NetworkState(links: links, addresses: [address(2, "fe80::1/64")])
        #expect(one.linkForDestination(IPAddress("fe80::9")!)?.name == "eth0")
        let two = NetworkState(links: links, addresses: [address(2, "fe80::1/64"), address(3, "fe80::2/64")])
        #expect(two.linkForDestination(IPAddress("fe80::9")!) == nil)
    }

    @Test func theNextHopFollowsPrefixThenMetricAndAvoidsLinksThatAreDown() throws {
        let state = NetworkState(
            links: links,
            routes: [
                route("0.0.0.0/0", "10.0.0.254", 2, metric: 100), route("0.0.0.0/0", "10.1.0.254", 3, metric: 50),
                route("10.0.0.0/24", nil, 2), route("0.0.0.0/0", "10.3.0.254", 4, metric: 1),
            ])
        let far = try #require(state.nextHop(for: IPAddress("192.0.2.1")!))
        #expect(far == (3, IPAddress("10.1.0.254")!))
        let near = try #require(state.nextHop(for: IPAddress("10.0.0.7")!))
        #expect(near == (2, IPAddress("10.0.0.7")!))
        #expect(state.nextHop(for: IPAddress("fd00::1")!) == nil)
    }

    @Test(arguments: [
        (Neighbour.State.reachable, true), (.stale, true), (.delay, true), (.probe, true), (.permanent, true),
        (.noarp, true), (.incomplete, false), (.failed, false), (.none, false),
    ])
    func onlyStatesInWhichTheKernelWouldSendAreUsable(_ state: Neighbour.State, _ usable: Bool) {
        #expect(Neighbour(mac: .broadcast, state: state).isUsable == usable)
        #expect(!Neighbour(mac: nil, state: state).isUsable)
    }
}
