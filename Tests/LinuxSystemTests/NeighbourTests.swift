import LinuxSystem
import NetworkTypes
import TestSupport
import Testing

@Suite(.requiresRoot)
struct NeighbourTests {
    private let ours = MACAddress("02:00:00:00:00:01")!
    private let theirs = MACAddress("02:00:00:00:00:02")!

    /// `a` watches; `b` is the neighbour.
    private func lab() throws -> (a: TestNamespace, b: TestNamespace, monitor: NetworkMonitor, index: UInt32) {
        let (a, b) = (try TestNamespace("a"), try TestNamespace("b"))
        try TestNamespace.connect(
            CableEnd(a, "eth0", mac: ours, addresses: ["10.1.0.1/16", "fd01::1/64"]),
            CableEnd(b, "eth0", mac: theirs, addresses: ["10.1.0.2/16", "fd01::2/64"]))
        return (a, b, try a.perform { try NetworkMonitor() }, try a.link("eth0").index)
    }

    @Test(arguments: ["10.1.0.2", "fd01::2"])
    func probingResolvesANeighbour(_ text: String) throws {
        let lab = try lab()
        var prober = try lab.a.perform { try NeighbourProber() }
        let address = try #require(IPAddress(text))
        #expect(lab.monitor.snapshot.neighbour(at: address) == nil)
        #expect(prober.probe(address, interface: lab.index) == .init(sent: 1, refused: 0))
        try eventually("\(text) is resolved") {
            lab.monitor.snapshot.neighbour(at: address) == Neighbour(mac: theirs, state: .reachable)
        }
    }

    @Test(arguments: ["10.1.0.2", "fd01::2"])
    func revalidatingConfirmsAStaleEntryAtOnce(_ text: String) throws {
        let lab = try lab()
        var prober = try lab.a.perform { try NeighbourProber() }
        let address = try #require(IPAddress(text))
        try lab.a.ip("neigh replace \(text) lladdr \(theirs) dev eth0 nud stale")
        try eventually("the entry is stale") { lab.monitor.snapshot.neighbour(at: address)?.state == .stale }
        // Far below the five seconds that the kernel waits before it confirms a stale entry by itself.
        #expect(prober.revalidate([NeighbourKey(interface: lab.index, address: address)]).refused == 0)
        try eventually(within: .seconds(1), "\(text) is confirmed") {
            lab.monitor.snapshot.neighbour(at: address)?.state == .reachable
        }
    }

    @Test func revalidatingResolvesWhatIsUnknown() throws {
        let lab = try lab()
        var prober = try lab.a.perform { try NeighbourProber() }
        let address = IPAddress("10.1.0.2")!
        prober.revalidate([NeighbourKey(interface: lab.index, address: address)])
        try eventually("it is resolved") { lab.monitor.snapshot.neighbour(at: address)?.mac == theirs }
    }

    @Test func thousandsAreProbedAndRefusalsCounted() throws {
        let lab = try lab()
        var prober = try lab.a.perform { try NeighbourProber() }
        let known = (0..<3000).map {
            NeighbourKey(interface: lab.index, address: IPAddress(ipv4: 0x0a01_0100 + UInt32($0)))
        }
        // Entries that exist need no room in the table, whose size is the whole machine's.
        try lab.a.ip(batch: known.map { "neigh add \($0.address) lladdr \(theirs) dev eth0 nud permanent" })
        let missing = (0..<500).map {
            NeighbourKey(interface: 4711, address: IPAddress(ipv4: 0x0a01_0100 + UInt32($0)))
        }
        #expect(prober.probe(known + missing) == .init(sent: 3500, refused: 500))
    }

    @Test(arguments: [("10.1.0.2", "10.1.0.1"), ("fd01::2", "fd01::1")])
    func solicitingFindsASilentlyChangedMACWithinASecond(_ text: String, _ source: String) throws {
        let lab = try lab()
        var prober = try lab.a.perform { try NeighbourProber() }
        let announcer = try lab.a.perform { try Announcer() }
        let (address, from) = (try #require(IPAddress(text)), try #require(IPAddress(source)))
        prober.probe(address, interface: lab.index)
        try eventually("\(text) is resolved") { lab.monitor.snapshot.neighbour(at: address)?.mac == theirs }
        let moved = MACAddress("02:00:00:00:00:22")!
        try lab.b.ip("link set eth0 address \(moved)")
        // The kernel keeps to a MAC for a second after it was learnt (arp locktime).
        try eventually(within: .seconds(3), every: .milliseconds(200), "the new MAC is found") {
            try announcer.solicit(address, from: from, mac: ours, interface: lab.index)
            return lab.monitor.snapshot.neighbour(at: address)?.mac == moved
        }
    }
}
