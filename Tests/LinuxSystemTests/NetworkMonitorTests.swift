import LinuxSystem
import NetworkTypes
import TestSupport
import Testing

@Suite(.requiresRoot)
struct NetworkMonitorTests {
    private let ours = MACAddress("02:00:00:00:00:01")!
    private let theirs = MACAddress("02:00:00:00:00:02")!

    private func pair() throws -> (TestNamespace, TestNamespace) {
        let (a, b) = (try TestNamespace("a"), try TestNamespace("b"))
        try TestNamespace.connect(
            CableEnd(a, "eth0", mac: ours, addresses: ["10.1.0.1/24", "fd01::1/64"]),
            CableEnd(b, "eth0", mac: theirs, addresses: ["10.1.0.2/24", "fd01::2/64"]))
        return (a, b)
    }

    @Test func theFirstSnapshotIsComplete() throws {
        let (a, b) = try pair()
        defer { b.close() }
        try a.ip(batch: [
            "route add 10.9.0.0/16 via 10.1.0.254", "route add ::/0 via fd01::fe metric 7",
            "neigh add 10.1.0.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent",
        ])
        let monitor = try a.perform { try NetworkMonitor() }
        defer { monitor.close() }
        let state = monitor.snapshot
        let link = try #require(state.link(named: "eth0"))
        #expect(link.mac == ours && link.mtu == 1500 && link.isUp && link.isEthernet && !link.isLoopback)
        #expect(link.kind == "veth" && link.vlan == nil)
        let loopback = try #require(state.link(named: "lo"))
        #expect(loopback.isLoopback && !loopback.isEthernet && loopback.isUp)
        let addresses = state.addresses.filter { $0.interface == link.index && !$0.address.isLinkLocal }
        #expect(addresses.map { "\($0.address) \($0.prefix)" } == ["10.1.0.1 10.1.0.0/24", "fd01::1 fd01::/64"])
        #expect(addresses.allSatisfy { !$0.isTentative && !$0.isOurs })
        let key = NeighbourKey(interface: link.index, address: IPAddress("10.1.0.77")!)
        #expect(state.neighbours[key] == Neighbour(mac: MACAddress("02:00:00:00:00:77"), state: .permanent))
        #expect(
            state.routes.contains(
                Route(destination: Prefix("10.9.0.0/16")!, gateway: IPAddress("10.1.0.254"), interface: link.index)))
        #expect(
            state.routes.contains(
                Route(destination: Prefix("::/0")!, gateway: IPAddress("fd01::fe"), interface: link.index, metric: 7)))
        #expect(state.linkForDestination(IPAddress("10.1.0.9")!)?.name == "eth0")
        #expect(state.linkForDestination(IPAddress("10.9.0.9")!) == nil)
        #expect(state.nextHop(for: IPAddress("10.9.1.1")!)?.address == IPAddress("10.1.0.254"))
    }

    @Test func linksAreFollowed() throws {
        let (a, b) = try pair()
        let monitor = try a.perform { try NetworkMonitor() }
        defer { monitor.close() }
        try a.ip("link set eth0 mtu 1400 address 02:00:00:00:00:11")
        try eventually("MTU and MAC are seen") {
            let link = monitor.snapshot.link(named: "eth0")
            return link?.mtu == 1400 && link?.mac == MACAddress("02:00:00:00:00:11")
        }
        try b.ip("link set eth0 down")
        try eventually("the lost carrier is seen") { monitor.snapshot.link(named: "eth0")?.isUp == false }
        try b.ip("link set eth0 up")
        try eventually("the carrier is back") { monitor.snapshot.link(named: "eth0")?.isUp == true }
        try a.ip("link del eth0")
        try eventually("the link is gone, with all that was on it") {
            let state = monitor.snapshot
            return state.link(named: "eth0") == nil && state.addresses.allSatisfy { $0.address.isLoopback }
                && state.neighbours.isEmpty && state.routes.isEmpty
        }
    }

    @Test func addressesAndRoutesAreFollowed() throws {
        let (a, b) = try pair()
        defer { b.close() }
        let monitor = try a.perform { try NetworkMonitor() }
        defer { monitor.close() }
        func has(_ address: String) -> Bool { monitor.snapshot.addresses.contains { $0.address == IPAddress(address) } }
        func gateway(_ prefix: String) -> IPAddress? {
            monitor.snapshot.routes.first { $0.destination == Prefix(prefix) }?.gateway
        }
        try a.ip(batch: ["addr add 10.2.0.1/24 dev eth0", "addr add fd02::1/64 dev eth0 nodad"])
        try eventually("new addresses are seen") { has("10.2.0.1") && has("fd02::1") }
        try a.ip("addr del 10.2.0.1/24 dev eth0")
        try eventually("a removed address is gone") { !has("10.2.0.1") && has("fd02::1") }

        try a.ip(batch: ["route add 10.9.0.0/16 via 10.1.0.2", "route add fd09::/32 via fd01::2"])
        try eventually("new routes are seen") {
            gateway("10.9.0.0/16") == IPAddress("10.1.0.2") && gateway("fd09::/32") == IPAddress("fd01::2")
        }
        try a.ip("route replace 10.9.0.0/16 via 10.1.0.3")
        try eventually("the replaced route is seen") { gateway("10.9.0.0/16") == IPAddress("10.1.0.3") }
        #expect(monitor.snapshot.routes.filter { $0.destination == Prefix("10.9.0.0/16") }.count == 1)
        // The kernel says nothing of the IPv4 routes that go with their interface.
        try a.ip("link set eth0 down")
        try eventually("routes go with their interface") { gateway("10.9.0.0/16") == nil }
    }

    @Test func everyNextHopIsSeenAlsoOfTheOtherFamily() throws {
        let (a, b) = try pair()
        defer { b.close() }
        try a.ip("route add 10.9.0.0/16 nexthop via 10.1.0.2 nexthop via 10.1.0.3")
        try a.ip("route add 10.8.0.0/16 via inet6 fd01::2 dev eth0")
        let state = try a.state
        func gateways(_ prefix: String) -> Set<IPAddress?> {
            Set(state.routes.filter { $0.destination == Prefix(prefix) }.map(\.gateway))
        }
        #expect(gateways("10.9.0.0/16") == [IPAddress("10.1.0.2"), IPAddress("10.1.0.3")])
        #expect(gateways("10.8.0.0/16") == [IPAddress("fd01::2")])
    }

    @Test func aNeighboursNewMACIsSeen() throws {
        let (a, b) = try pair()
        let monitor = try a.perform { try NetworkMonitor() }
        defer { monitor.close() }
        for address in ["10.1.0.2", "fd01::2"] {
            try Command.check(["ping", "-c1", "-W2", address], in: a)
            try eventually("\(address) is resolved") {
                monitor.snapshot.neighbour(at: IPAddress(address)!)?.mac == theirs
            }
            #expect(monitor.snapshot.neighbour(at: IPAddress(address)!)?.isUsable == true)
        }
        let moved = MACAddress("02:00:00:00:00:22")!
        try b.sysctl("net", "ipv4", "conf", "eth0", "arp_notify", value: 1)
        try b.ip("link set eth0 address \(moved)")
        try eventually(within: .seconds(1), "the announced MAC is seen") {
            monitor.snapshot.neighbour(at: IPAddress("10.1.0.2")!)?.mac == moved
        }
        try a.ip("neigh flush dev eth0")
        try eventually("the flushed entry has no MAC any more") {
            monitor.snapshot.neighbour(at: IPAddress("10.1.0.2")!)?.isUsable != true
        }
    }

    @Test func aSlowConsumerGetsOneChangeWithAllThatHappened() async throws {
        let (a, b) = try pair()
        defer { b.close() }
        let monitor = try a.perform { try NetworkMonitor() }
        let index = try a.link("eth0").index
        try a.ip(batch: [
            "addr add 10.2.0.1/24 dev eth0", "link set eth0 mtu 1300", "route add 10.9.0.0/16 via 10.1.0.2",
            "neigh add 10.1.0.50 lladdr 02:00:00:00:00:50 dev eth0 nud permanent",
            "neigh add 10.1.0.51 lladdr 02:00:00:00:00:51 dev eth0 nud permanent",
        ])
        try await eventuallyAsync("all is in the snapshot") {
            let state = monitor.snapshot
            return state.link(named: "eth0")?.mtu == 1300
                && state.neighbours.count { $0.value.state == .permanent } == 2
                && state.routes.contains { $0.destination == Prefix("10.9.0.0/16") }
        }
        var changes = monitor.changes.makeAsyncIterator()
        let change = try #require(await changes.next())
        #expect(change.links && change.addresses && change.routes)
        for last in ["50", "51"] {
            #expect(change.neighbours.contains(NeighbourKey(interface: index, address: IPAddress("10.1.0.\(last)")!)))
        }
        monitor.close()
        while let more = await changes.next() { #expect(!more.isEmpty) }
    }

    @Test func closingEndsTheChangesAndKeepsTheSnapshot() async throws {
        let a = try TestNamespace("a")
        let monitor = try a.perform { try NetworkMonitor() }
        monitor.close()
        monitor.close()
        var changes = monitor.changes.makeAsyncIterator()
        #expect(await changes.next() == nil)
        #expect(monitor.snapshot.link(named: "lo") != nil)
    }

    @Test func afterAnOverflowEverythingIsReadAnew() throws {
        let (a, b) = try pair()
        defer { b.close() }
        // The smallest buffer that the kernel gives: it holds a few events only.
        let monitor = try a.perform { try NetworkMonitor(options: .init(receiveBuffer: 1)) }
        defer { monitor.close() }
        let count = 2000
        var round = 0
        // Whether events are dropped is a race between this loop and the monitor's thread: so until they are.
        try eventually(within: .seconds(30), every: .zero, "the kernel drops events") {
            round += 1
            let mac = "02:00:00:00:00:\(round % 2 == 0 ? "aa" : "bb")"
            try a.ip(
                batch: (0..<count).map {
                    "neigh replace 10.1.\($0 / 250).\($0 % 250 + 3) lladdr \(mac) dev eth0 nud permanent"
                })
            return monitor.resynchronisations > 0
        }
        let last = MACAddress(round % 2 == 0 ? "02:00:00:00:00:aa" : "02:00:00:00:00:bb")
        try eventually("nothing is missing in the end") {
            monitor.snapshot.neighbours.values.count { $0.mac == last && $0.state == .permanent } == count
        }
    }

    @Test func tenThousandNeighboursAreFollowed() throws {
        let (a, b) = try pair()
        defer { b.close() }
        let monitor = try a.perform { try NetworkMonitor() }
        defer { monitor.close() }
        let count = 10_000
        func change(_ verb: String, _ mac: String) throws {
            try a.ip(
                batch: (0..<count).map {
                    "neigh \(verb) 10.\($0 / 250 + 2).1.\($0 % 250) lladdr \(mac) dev eth0 nud permanent"
                })
        }
        func seen(_ mac: String) -> Int { monitor.snapshot.neighbours.values.count { $0.mac == MACAddress(mac) } }
        try change("add", "02:00:00:00:01:00")
        try eventually("all are seen") { seen("02:00:00:00:01:00") == count }
        try change("replace", "02:00:00:00:02:00")
        try eventually("all new MACs are seen") { seen("02:00:00:00:02:00") == count }
        let fresh = try a.perform { try NetworkMonitor() }
        defer { fresh.close() }
        #expect(fresh.snapshot.neighbours == monitor.snapshot.neighbours)
        try change("del", "02:00:00:00:02:00")
        try eventually("all are gone") { seen("02:00:00:00:02:00") == 0 }
    }
}
