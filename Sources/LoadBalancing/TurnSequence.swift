/// The order in which rr and wrr go round the servers.
package enum TurnSequence {
    /// The longest sequence. Weights whose smallest whole-number proportion is longer are rounded to fit, to within a part in
    /// a thousand of the whole.
    package static let longest = 4096

    /// The indices of the weights, each as often as its weight says, spread evenly: of 100, 200 and 300 no one comes in a
    /// lump. Weights are greater than 0.
    package static func make(weights: [Int]) -> [UInt16] {
        guard !weights.isEmpty else { return [] }
        precondition(weights.allSatisfy { $0 > 0 })
        let shares = reduced(weights)
        let total = shares.reduce(0, +)
        // The smooth rotation: everyone gains its share in each step, the richest has the turn and pays the total.
        var credit = [Int](repeating: 0, count: shares.count)
        return (0..<total).map { _ in
            var richest = 0
            for index in shares.indices {
                credit[index] += shares[index]
                if credit[index] > credit[richest] { richest = index }
            }
            credit[richest] -= total
            return UInt16(richest)
        }
    }

    private static func reduced(_ weights: [Int]) -> [Int] {
        func divisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : divisor(b, a % b) }
        let common = weights.reduce(0, divisor)
        let total = weights.reduce(0, +) / common
        guard total > longest else { return weights.map { $0 / common } }
        // More servers than turns cannot be: each keeps one turn at least.
        return weights.map { max(1, ($0 / common * longest + total / 2) / total) }
    }
}
