import LinuxSystem
import NetworkTypes
import TestSupport
import Testing

struct SourceSelectionTests {
    private let links: [UInt32: Link] = [
        1: Link(index: 1, name: "lo", isLoopback: true, isEthernet: false), 2: Link(index: 2, name: "eth0"),
        3: Link(index: 3, name: "eth1", mtu: 1400),
    ]
    private func address(
        _ interface: UInt32, _ text: String, tentative: Bool = false, duplicate: Bool = false, ours: Bool = false,
        secondary: Bool = false, deprecated: Bool = false
    ) -> InterfaceAddress {
        InterfaceAddress(
            interface: interface, address: IPAddress(text.prefix { $0 != "/" })!, prefix: Prefix(text)!,
            isTentative: tentative, isDuplicate: duplicate, isOurs: ours, isSecondary: secondary,
            isDeprecated: deprecated)
    }
    private func route(
        _ prefix: String, _ gateway: String? = nil, _ interface: UInt32 = 2, source: String? = nil, mtu: Int? = nil
    ) -> Route {
        Route(
            destination: Prefix(prefix)!, gateway: gateway.flatMap { IPAddress($0) }, interface: interface,
            preferredSource: source.flatMap { IPAddress($0) }, mtu: mtu)
    }
    private func source(
        for destination: String, _ addresses: [InterfaceAddress], _ routes: [Route]
    ) -> String? {
        NetworkState(links: links, addresses: addresses, routes: routes)
            .sourceAddress(for: IPAddress(destination)!)?.description
    }

    @Test func theRoutesPreferredSourceComesFirstEvenFromLoopback() {
        let addresses = [address(2, "10.0.0.1/24"), address(1, "198.51.100.7/32")]
        let routes = [route("0.0.0.0/0", "10.0.0.254", source: "198.51.100.7")]
        #expect(source(for: "192.0.2.1", addresses, routes) == "198.51.100.7")
    }

    @Test func aPreferredSourceThatIsOursOrNotThereDoesNotCount() {
        let addresses = [address(2, "10.0.0.1/24"), address(2, "10.0.0.9/24", ours: true)]
        for preferred in ["10.0.0.9", "10.0.0.77"] {
            let routes = [route("0.0.0.0/0", "10.0.0.254", source: preferred)]
            #expect(source(for: "192.0.2.1", addresses, routes) == "10.0.0.1")
        }
    }

    @Test func theNextHopsSubnetComesBeforeTheLongestMatch() {
        let addresses = [address(2, "10.0.0.1/24"), address(2, "192.0.2.200/32")]
        #expect(source(for: "192.0.2.1", addresses, [route("0.0.0.0/0", "10.0.0.254")]) == "10.0.0.1")
        // The router is known by its link-local address only, so the longest match decides.
        let six = [address(2, "fd01::1/64"), address(2, "fd02::1/64"), address(2, "fe80::1/64")]
        #expect(source(for: "fd02:0:0:1::1", six, [route("::/0", "fe80::fe")]) == "fd02::1")
        #expect(source(for: "fd01:0:0:1::1", six, [route("::/0", "fe80::fe")]) == "fd01::1")
        #expect(source(for: "fd01:0:0:1::1", six, [route("::/0", "fd02::fe")]) == "fd02::1")
    }

    @Test func aGlobalAddressComesBeforeALinkLocalOneUnlessTheDestinationIsLinkLocal() {
        let addresses = [address(2, "fd01::1/64"), address(2, "fe80::1/64")]
        let routes = [route("::/0", "fe80::fe"), route("fe80::/64")]
        #expect(source(for: "2001:db8::1", addresses, routes) == "fd01::1")
        #expect(source(for: "fe80::9", addresses, routes) == "fe80::1")
        #expect(source(for: "2001:db8::1", [address(2, "fe80::1/64")], routes) == "fe80::1", "better than none")
    }

    @Test func secondaryAndDeprecatedAddressesComeLast() {
        let routes = [route("0.0.0.0/0", "10.0.0.254"), route("::/0", "fe80::fe")]
        let addresses = [address(2, "10.0.0.1/24", secondary: true), address(2, "10.0.0.2/24")]
        #expect(source(for: "192.0.2.1", addresses, routes) == "10.0.0.2")
        let six = [
            address(2, "fd01::1/64", deprecated: true), address(2, "fd01::2/64", secondary: true),
            address(2, "fd01::3/64"),
        ]
        #expect(source(for: "2001:db8::1", six, routes) == "fd01::3")
        #expect(source(for: "2001:db8::1", Array(six.prefix(2)), routes) == "fd01::2")
        #expect(source(for: "2001:db8::1", Array(six.prefix(1)), routes) == "fd01::1", "better than none")
    }

    @Test func whatCannotBeReliedOnIsNoSource() {
        let routes = [route("::/0", "fe80::fe"), route("0.0.0.0/0", "10.0.0.254")]
        let unfit = [
            address(2, "fd01::1/64", tentative: true), address(2, "fd01::2/64", duplicate: true),
            address(2, "fd01::3/64", ours: true), address(1, "fd01::4/128"), address(3, "fd01::5/64"),
        ]
        #expect(source(for: "2001:db8::1", unfit, routes) == nil)
        #expect(source(for: "2001:db8::1", unfit + [address(2, "fd99::1/64")], routes) == "fd99::1")
        #expect(source(for: "192.0.2.1", unfit, routes) == nil, "no address of that family")
        #expect(source(for: "192.0.2.1", [address(2, "10.0.0.1/24")], []) == nil, "no route")
    }

    @Test func theSmallerMTUOfLinkAndRouteHolds() {
        let state = NetworkState(
            links: links,
            routes: [
                route("10.1.0.0/16", "10.0.0.254", mtu: 1300), route("10.2.0.0/16", "10.0.0.254", mtu: 9000),
                route("10.3.0.0/16", "10.0.0.254", 3), route("10.0.0.0/24"),
            ])
        func mtu(_ destination: String) -> Int? { state.pathMTU(to: IPAddress(destination)!) }
        #expect(mtu("10.1.0.1") == 1300)
        #expect(mtu("10.2.0.1") == 1500)
        #expect(mtu("10.3.0.1") == 1400)
        #expect(mtu("10.0.0.1") == 1500)
        #expect(mtu("11.0.0.1") == nil)
    }
}

@Suite(.requiresRoot)
struct KernelSourceSelectionTests {
    private func pair() throws -> (TestNamespace, TestNamespace) {
        let (a, b) = (try TestNamespace("a"), try TestNamespace("b"))
        try TestNamespace.connect(
            // The second of a subnet is the secondary one, though its address is lower.
            CableEnd(a, "eth0", addresses: ["10.1.0.5/24", "10.1.0.3/24", "10.2.0.1/24", "fd01::5/64", "fd02::1/64"]),
            CableEnd(b, "eth0"))
        try a.ip(batch: [
            "addr add fd01::1/64 dev eth0 nodad preferred_lft 0", "addr add 198.51.100.7/32 dev lo",
            "route add 0.0.0.0/0 via 10.1.0.254", "route add 10.9.0.0/16 via 10.2.0.254",
            "route add 10.8.0.0/16 via 10.1.0.254 src 198.51.100.7 mtu 1400",
            "route add fd09::/16 via fe80::fe dev eth0 src fd02::1 mtu 1350",
            "route add ::/0 via fe80::fe dev eth0",
        ])
        return (a, b)
    }

    @Test func theSourceIsTheOneThatTheKernelTakes() throws {
        let (a, b) = try pair()
        defer { b.close() }
        let state = try a.state
        for (destination, source) in [
            ("192.0.2.1", "10.1.0.5"), ("10.1.0.77", "10.1.0.5"), ("10.9.1.1", "10.2.0.1"), ("10.2.0.77", "10.2.0.1"),
            ("10.8.1.1", "198.51.100.7"), ("fd01:0:0:1::1", "fd01::5"), ("fd02::77", "fd02::1"), ("fd09::1", "fd02::1"),
        ] {
            let words = try a.ip("route get \(destination)").split(whereSeparator: \.isWhitespace)
            let kernels = words.firstIndex(of: "src").map { String(words[$0 + 1]) }
            #expect(kernels == source, "the kernel, to \(destination)")
            #expect(state.sourceAddress(for: IPAddress(destination)!)?.description == source, "to \(destination)")
        }
    }

    @Test func anAddressOfTheAddressManagerIsNoSource() throws {
        let (a, b) = (try TestNamespace("a"), try TestNamespace("b"))
        try TestNamespace.connect(CableEnd(a, "eth0"), CableEnd(b, "eth0"))
        let index = try a.link("eth0").index
        var manager = try a.perform { try AddressManager() }
        // The kernel makes it the preferred source of the subnet's route, as the only one there.
        try manager.add(IPAddress("10.1.0.1")!, prefixLength: 24, interface: index)
        #expect(try a.state.route(of: "10.1.0.0/24")?.preferredSource == IPAddress("10.1.0.1"))
        #expect(try a.state.sourceAddress(for: IPAddress("10.1.0.2")!) == nil)
        try a.ip("addr add 10.1.0.9/24 dev eth0")
        #expect(try a.state.sourceAddress(for: IPAddress("10.1.0.2")!) == IPAddress("10.1.0.9"))
        b.close()
    }

    @Test func theMTUOfARouteIsFollowed() throws {
        let (a, b) = try pair()
        defer { b.close() }
        let monitor = try a.perform { try NetworkMonitor() }
        defer { monitor.close() }
        func mtu(_ destination: String) -> Int? { monitor.snapshot.pathMTU(to: IPAddress(destination)!) }
        #expect(mtu("10.8.1.1") == 1400 && mtu("fd09::1") == 1350 && mtu("10.9.1.1") == 1500)
        try a.ip("route replace 10.8.0.0/16 via 10.1.0.254 mtu 1300")
        try eventually("the new MTU is seen, and the source gone") {
            mtu("10.8.1.1") == 1300
                && monitor.snapshot.sourceAddress(for: IPAddress("10.8.1.1")!) == IPAddress("10.1.0.5")
        }
        try a.ip("link set eth0 mtu 1290")
        try eventually("the link's MTU is lower now") { mtu("10.8.1.1") == 1290 && mtu("10.9.1.1") == 1290 }
    }
}

extension NetworkState {
    fileprivate func route(of prefix: String) -> Route? { routes.first { $0.destination == Prefix(prefix) } }
}
