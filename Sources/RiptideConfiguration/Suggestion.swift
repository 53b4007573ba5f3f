/// The candidate that was probably meant, if one is near enough to be worth naming: at most a third of the letters differ
/// (never more than three), or only upper and lower case do.
func suggestion(for text: String, among candidates: some Sequence<String>) -> String? {
    let typed = Array(text.lowercased().utf8)
    guard (1...64).contains(typed.count) else { return nil }
    let limit = min(3, max(1, typed.count / 3))
    var best: (distance: Int, candidate: String)?
    for candidate in candidates {
        let distance = editDistance(typed, Array(candidate.lowercased().utf8))
        if distance <= limit, distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.candidate
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour to turn `a` into `b`.
func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in a.indices {
        var current = [i + 1]
        current.reserveCapacity(b.count + 1)
        for j in b.indices {
            var least = min(last[j + 1] + 1, current[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, beforeLast[j - 1] + 1) }
            current.append(least)
        }
        beforeLast = last
        last = current
    }
    return last[b.count]
}
