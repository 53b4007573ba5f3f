/// What happened in a world, so that it can happen again.
enum Step {
    case packet([UInt8])
    /// A packet that must leave just so.
    case canary([UInt8], output: [UInt8])
    /// The configuration changes, as `World.changed(number)` has it.
    case change(Int)
    case audit

    /// As a line of a file for `--replay`.
    var line: String {
        switch self {
        case .packet(let frame): hexadecimal(frame)
        case .canary(let frame, let output): "\(hexadecimal(frame)) \(hexadecimal(output))"
        case .change(let number): "change \(number)"
        case .audit: "audit"
        }
    }

    /// `nil` if the line is none.
    init?(line: some StringProtocol) {
        let words = line.split(separator: " ")
        switch words.count {
        case 1 where words[0] == "audit": self = .audit
        case 2 where words[0] == "change":
            guard let number = Int(words[1]) else { return nil }
            self = .change(number)
        default:
            let frames = words.compactMap { octets(hexadecimal: $0) }
            guard frames.count == words.count, (1...2).contains(frames.count) else { return nil }
            self = frames.count == 1 ? .packet(frames[0]) : .canary(frames[0], output: frames[1])
        }
    }
}

/// Finds out how few steps lead to a complaint.
struct Minimiser {
    let world: World
    let seed: WorldSeed
    /// Worlds that may still be made: each costs most of a second.
    private var budget = 80

    init(_ world: World, seed: WorldSeed) {
        self.world = world
        self.seed = seed
    }

    /// A short way to the same complaint; `nil` if not even all steps lead there again.
    mutating func minimise(_ steps: [Step], rule: String) throws -> [Step]? {
        guard let last = steps.last else { return nil }
        if try leads([last], to: rule) { return [last] }
        guard var best = try shortestEnd(of: steps, rule: rule) else { return nil }
        // Ever smaller parts are left out, as long as that leads there still.
        var part = best.count / 2
        while part > 0, budget > 0 {
            var start = 0
            while start + part < best.count, budget > 0 {
                let fewer = Array(best[..<start] + best[(start + part)...])
                if try leads(fewer, to: rule) { best = fewer } else { start += part }
            }
            part /= 2
        }
        return best
    }

    private mutating func shortestEnd(of steps: [Step], rule: String) throws -> [Step]? {
        var count = 2
        while budget > 0 {
            let end = Array(steps.suffix(count))
            if try leads(end, to: rule) { return end }
            if count >= steps.count { return nil }
            count *= 4
        }
        return nil
    }

    private mutating func leads(_ steps: [Step], to rule: String) throws -> Bool {
        budget -= 1
        let arena = try Arena(world)
        for step in steps {
            do {
                try arena.take(step, seed: seed)
            } catch let complaint as Complaint {
                if complaint.rule == rule { return true }
            }
        }
        return false
    }
}
