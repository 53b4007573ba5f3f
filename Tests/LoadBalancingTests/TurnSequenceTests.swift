import LoadBalancing
import Testing

@Suite struct TurnSequenceTests {
    static func counts(_ sequence: [UInt16], of servers: Int) -> [Int] {
        var counts = [Int](repeating: 0, count: servers)
        for server in sequence { counts[Int(server)] += 1 }
        return counts
    }

    @Test(arguments: [
        ([1], [1]), ([100], [1]), ([100, 100], [1, 1]), ([100, 200, 300], [1, 2, 3]), ([5, 1, 1], [5, 1, 1]),
        ([65535, 65535], [1, 1]), ([7, 13], [7, 13]), ([0x8000, 0x4000, 0x2000], [4, 2, 1]),
    ])
    func `everyone has the smallest whole number of turns that its weight says`(_ weights: [Int], _ turns: [Int]) {
        let sequence = TurnSequence.make(weights: weights)
        #expect(Self.counts(sequence, of: weights.count) == turns)
    }

    @Test func `no one comes in a lump`() {
        #expect(TurnSequence.make(weights: [5, 1, 1]) == [0, 0, 1, 0, 2, 0, 0])
        #expect(TurnSequence.make(weights: [1, 1, 1, 1]) == [0, 1, 2, 3])
        #expect(TurnSequence.make(weights: []).isEmpty)
    }

    @Test func `after every turn each has had its share to within its due`() {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<60 {
            let count = Int.random(in: 1...12, using: &random)
            let weights = (0..<count).map { _ in Int.random(in: 1...60, using: &random) }
            let sequence = TurnSequence.make(weights: weights)
            let total = weights.reduce(0, +)
            #expect(sequence.count <= TurnSequence.longest)
            var had = [Int](repeating: 0, count: count)
            for (turn, server) in sequence.enumerated() {
                had[Int(server)] += 1
                for index in weights.indices {
                    let due = Double((turn + 1) * weights[index]) / Double(total)
                    // Smooth rotation is never further off than the number of servers; for two it is never off by one.
                    #expect(abs(Double(had[index]) - due) < (count <= 2 ? 1 : Double(count) / 2 + 1), "\(weights)")
                }
            }
            #expect(zip(had, weights).allSatisfy { $0 * total == $1 * sequence.count }, "exact over the whole sequence")
        }
    }

    @Test func `the longest proportions are rounded, to within a part in a thousand of the whole`() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<40 {
            let count = Int.random(in: 2...100, using: &random)
            let weights = (0..<count).map { _ in Int.random(in: 1...65535, using: &random) }
            let sequence = TurnSequence.make(weights: weights)
            let total = weights.reduce(0, +)
            let counts = Self.counts(sequence, of: count)
            // A turn for each of the lightest may come on top.
            #expect(sequence.count <= TurnSequence.longest + count)
            for (turns, weight) in zip(counts, weights) {
                let error = Double(turns) / Double(sequence.count) - Double(weight) / Double(total)
                #expect(abs(error) <= 0.001 && turns >= 1)
            }
        }
    }

    @Test func `the heaviest and the lightest weight both have turns`() {
        let counts = Self.counts(TurnSequence.make(weights: [65535, 1]), of: 2)
        #expect(counts[1] == 1 && counts[0] >= 4000)
    }

    @Test func `thousands of servers have a turn each`() {
        let sequence = TurnSequence.make(weights: (0..<3000).map { 1 + $0 % 7 })
        #expect(Set(sequence).count == 3000)
        #expect(sequence.count <= TurnSequence.longest + 3000)
    }
}
