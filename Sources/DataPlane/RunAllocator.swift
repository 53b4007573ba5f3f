/// Gives out runs of consecutive elements of an array map, first fit. What is given back may still be read by packets in flight,
/// so it is handed out again only after `settle()`.
struct RunAllocator {
    private(set) var capacity: Int
    /// Ascending, disjoint, never adjacent.
    private var free: [Range<Int>]
    private var returned: [Range<Int>] = []

    init(capacity: Int) {
        self.capacity = capacity
        free = capacity > 0 ? [0..<capacity] : []
    }

    /// Marks a run as taken that is found to be in use. `false`: it is out of bounds or taken already.
    mutating func take(_ run: Range<Int>) -> Bool {
        guard !run.isEmpty else { return true }
        guard let index = free.firstIndex(where: { $0.contains(run.lowerBound) }), run.upperBound <= free[index].upperBound
        else { return false }
        let whole = free[index]
        let rest = [whole.lowerBound..<run.lowerBound, run.upperBound..<whole.upperBound].filter { !$0.isEmpty }
        free.replaceSubrange(index...index, with: rest)
        return true
    }

    /// A run of `count` elements; `nil` if no gap is so long.
    mutating func allocate(_ count: Int) -> Range<Int>? {
        guard count > 0 else { return 0..<0 }
        guard let gap = free.first(where: { $0.count >= count }) else { return nil }
        let run = gap.lowerBound..<gap.lowerBound + count
        _ = take(run)
        return run
    }

    mutating func giveBack(_ run: Range<Int>) {
        if !run.isEmpty { returned.append(run) }
    }

    /// The update is in effect: what it replaced is given back.
    mutating func finish(_ exchange: RunExchange) {
        for run in exchange.replaced { giveBack(run) }
    }

    /// The update failed: what was there stays in use, and what was to replace it is given back.
    mutating func undo(_ exchange: RunExchange) {
        for run in exchange.fresh { giveBack(run) }
    }

    /// Makes what was given back free.
    mutating func settle() {
        guard !returned.isEmpty else { return }
        var merged: [Range<Int>] = []
        for run in (free + returned).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, last.upperBound >= run.lowerBound {
                merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, run.upperBound)
            } else {
                merged.append(run)
            }
        }
        (free, returned) = (merged, [])
    }

    /// Room that came with a larger map.
    mutating func grow(to larger: Int) {
        guard larger > capacity else { return }
        returned.append(capacity..<larger)
        capacity = larger
        settle()
    }
}

/// The runs that one update takes, and those that they replace once it is in effect.
struct RunExchange {
    var fresh: [Range<Int>] = []
    var replaced: [Range<Int>] = []
}
