import DataPlane
import LoadBalancing
import PacketKit

/// Whether the judge sees what is wrong: outcomes that were right are doctored, and must be complained of.
struct SelfTest {
    private var random: Random
    private(set) var doctored = 0
    private(set) var unseen: [String] = []

    init(seed: UInt64) { random = Random(seed: seed ^ 0x5e1f) }

    /// The outcome must have been judged by the arena just now.
    mutating func doctor(_ outcome: Outcome, before arena: Arena) {
        guard random.below(50) == 0 else { return }
        var wrong = outcome
        let what: String
        switch random.below(4) {
        case 0:
            wrong.action = random.pick([0, 1, 2, 3, 4].filter { $0 != outcome.action })
            what = "the action became \(wrong.actionName)"
        case 1:
            let kind = CounterSet.catalogue[outcome.counter].kind
            wrong.counter = random.pick(CounterSet.catalogue.indices.filter { CounterSet.catalogue[$0].kind != kind })
            what = "the counter became \(wrong.counterName)"
        case 2 where outcome.action != Outcome.drop:
            wrong.output.append(0)
            what = "an octet was added"
        default:
            // Nobody sees a dropped packet.
            guard outcome.action != Outcome.drop else { return }
            let place = random.below(wrong.output.count)
            if isFree(place, outcome, arena.judge) { return }
            wrong.output[place] ^= 1 << UInt8(random.below(8))
            what = "octet \(place) was changed"
        }
        doctored += 1
        var judge = arena.judge
        do {
            try judge.check(wrong)
            unseen.append("\(outcome.counterName), \(what): \(hexadecimal(outcome.input))")
        } catch {}
    }

    /// Whether the data plane may choose what the octet is: source address and port of snat, and the outer port of GUE.
    private func isFree(_ place: Int, _ outcome: Outcome, _ judge: Judge) -> Bool {
        guard let server = judge.world.server(mac: outcome.output.mac(0)) else { return false }
        let service = judge.world.services[server.service]
        let facts = Facts(outcome.input)
        switch service.mode {
        case .snat: return (facts.network..<facts.transport + 20).contains(place)
        case .tunnel: return service.virtual.encapsulation == .gue && (facts.network + 20..<facts.network + 44).contains(place)
        default: return false
        }
    }
}
