import LoadBalancing
import NetworkTypes
import Testing

@Suite struct MaglevTableTests {
    static func entries(_ weights: [Int], from first: UInt32 = 0xc0a8_5e73) -> [MaglevTable.Entry] {
        weights.enumerated().map { index, weight in
            MaglevTable.Entry(address: IPAddress(ipv4: first + UInt32(index)), weight: weight)
        }
    }

    static func randomEntries(_ count: Int, weights: ClosedRange<Int>, _ random: inout SeededGenerator) -> [MaglevTable.Entry] {
        var addresses: Set<IPAddress> = []
        while addresses.count < count {
            addresses.insert(
                Bool.random(using: &random)
                    ? IPAddress(ipv4: UInt32.random(in: 1...UInt32.max, using: &random))
                    : IPAddress(high: 0x2001_0db8_0000_0000, low: random.next()))
        }
        return addresses.sorted().map { MaglevTable.Entry(address: $0, weight: Int.random(in: weights, using: &random)) }
    }

    static func counts(_ table: [UInt16], of servers: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: servers)
        for server in table { counts[Int(server)] += 1 }
        return counts
    }

    /// FNV-1a over the places: stands for the table where it would be too long to write down.
    static func fingerprint(_ table: [UInt16]) -> UInt64 {
        table.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    // MARK: Size

    @Test func `the size is a prime with room for 400 places a server, up to the largest`() {
        for servers in 1...160 {
            let size = MaglevTable.size(servers: servers)
            #expect((2...255).allSatisfy { !size.isMultiple(of: $0) }, "\(size) is no prime")
            // The ladder's steps lie a little below multiples of 400.
            #expect(size + 3 >= min(servers * 400, 65521))
            #expect(size <= Int(UInt16.max))
        }
        #expect(MaglevTable.size(servers: 0) == MaglevTable.size(servers: 10))
        #expect(MaglevTable.size(servers: 9) == MaglevTable.size(servers: 10), "a server less leaves the size alone")
        #expect(MaglevTable.size(servers: 10_000) == 65521)
    }

    // MARK: Shares

    @Test(arguments: [1, 2, 3, 10, 16, 40, 100, 160])
    func `equal servers have equal shares to within one place`(_ count: Int) {
        let size = MaglevTable.size(servers: count)
        let counts = Self.counts(MaglevTable.make(Self.entries([Int](repeating: 100, count: count)), size: size), of: count)
        #expect(counts.reduce(0, +) == size)
        #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
    }

    @Test func `weights are honoured to within a hundredth of the share and a place`() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<40 {
            let count = Int.random(in: 1...40, using: &random)
            let entries = Self.randomEntries(count, weights: 1...300, &random)
            let size = MaglevTable.size(servers: count)
            let total = entries.map(\.weight).reduce(0, +)
            for (entry, found) in zip(entries, Self.counts(MaglevTable.make(entries, size: size), of: count)) {
                let share = Double(size) * Double(entry.weight) / Double(total)
                #expect(abs(Double(found) - share) <= share / 100 + 2, "weight \(entry.weight) of \(total)")
            }
        }
    }

    @Test func `weights that differ by thousands leave the light ones their share`() {
        let entries = Self.entries([65535, 65535, 100, 1])
        let counts = Self.counts(MaglevTable.make(entries, size: 65521), of: 4)
        #expect(abs(counts[2] - 50) <= 2)
        #expect(counts[3] <= 1)
        #expect(abs(counts[0] - counts[1]) <= 1)
    }

    @Test func `equal weights make the same table whatever they are`() {
        let table = MaglevTable.make(Self.entries([1, 1, 1, 1, 1]), size: 4093)
        for weight in [2, 100, 65535] {
            #expect(MaglevTable.make(Self.entries([Int](repeating: weight, count: 5)), size: 4093) == table)
        }
    }

    @Test func `one server has the whole table, and none have none`() {
        #expect(MaglevTable.make(Self.entries([7]), size: 4093) == [UInt16](repeating: 0, count: 4093))
        #expect(MaglevTable.make([], size: 4093).isEmpty)
    }

    // MARK: Sameness

    @Test func `the order of the configuration does not matter`() {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<20 {
            let entries = Self.randomEntries(Int.random(in: 2...30, using: &random), weights: 1...200, &random)
            let shuffled = entries.shuffled(using: &random)
            let table = MaglevTable.make(entries, size: 4093).map { entries[Int($0)] }
            #expect(MaglevTable.make(shuffled, size: 4093).map { shuffled[Int($0)] } == table)
        }
    }

    /// Nodes of one cluster may run different versions: a table that changes moves their flows. If it must, say so in the
    /// notes of the release.
    @Test func `the tables are those of all versions so far`() {
        let plain = MaglevTable.make(Self.entries([Int](repeating: 100, count: 10)), size: 4093)
        let weighted = MaglevTable.make(Self.entries([100, 200, 300], from: 0x0a00_0001), size: 4093)
        #expect(Self.fingerprint(plain) == 13_435_976_560_844_644_809)
        #expect(Self.fingerprint(weighted) == 14_211_825_333_963_279_101)
    }

    // MARK: Disruption

    /// How many places of servers that are in both tables change hands.
    static func moved(_ before: [IPAddress], _ after: [IPAddress], ignoring changed: IPAddress) -> Double {
        let others = zip(before, after).filter { $0.0 != changed }
        return Double(others.count { $0.0 != $0.1 && $0.1 != changed }) / Double(others.count)
    }

    static func addresses(_ entries: [MaglevTable.Entry], size: Int) -> [IPAddress] {
        MaglevTable.make(entries, size: size).map { entries[Int($0)].address }
    }

    @Test func `a server that leaves moves at most two in a hundred places of the others`() {
        let entries = Self.entries([Int](repeating: 100, count: 10))
        let size = MaglevTable.size(servers: 10)
        let before = Self.addresses(entries, size: size)
        for gone in entries {
            let after = Self.addresses(entries.filter { $0 != gone }, size: size)
            #expect(Self.moved(before, after, ignoring: gone.address) <= 0.02, "\(gone.address)")
            #expect(!after.contains(gone.address))
        }
    }

    @Test func `servers that leave or come move few places of the others, by random`() {
        var random = SeededGenerator(seed: 3)
        for _ in 0..<20 {
            let count = Int.random(in: 2...40, using: &random)
            let entries = Self.randomEntries(count, weights: 100...100, &random)
            let size = MaglevTable.size(servers: count)
            let before = Self.addresses(entries, size: size)
            let gone = Int.random(in: 0..<count, using: &random)
            var rest = entries
            let address = rest.remove(at: gone).address
            let after = Self.addresses(rest, size: size)
            #expect(Self.moved(before, after, ignoring: address) <= 0.04, "one of \(count)")
        }
    }

    @Test func `a weight that changes a little moves little`() {
        let entries = Self.entries([Int](repeating: 100, count: 10))
        var lighter = entries
        lighter[4] = MaglevTable.Entry(address: entries[4].address, weight: 90)
        let (before, after) = (Self.addresses(entries, size: 4093), Self.addresses(lighter, size: 4093))
        // One in a hundred places must move; twice as many again may.
        let moved = zip(before, after).count { $0.0 != $0.1 }
        #expect(moved >= 30 && moved <= 4093 * 5 / 100, "\(moved) places moved")
    }
}
