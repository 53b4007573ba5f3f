import LoadBalancing
import NetworkTypes

/// No two services share an address, a protocol and a port.
///
/// The port ranges of each address and protocol are swept in ascending order, so that the cost grows with the number of
/// ranges and of overlaps, not with the number of pairs of services.
enum OverlapRule {
    /// How many overlapping pairs of ranges are looked at; a file with more is rubbish, and these are errors enough.
    private static let limit = 100_000

    private struct Key: Hashable {
        var address: IPAddress
        var transport: TransportProtocol
    }

    private struct Claim {
        var range: ClosedRange<UInt16>
        var service: Int
    }

    /// Two services, by index, the earlier first.
    private struct Pair: Hashable {
        var former: Int
        var later: Int
    }

    static func check(_ drafts: [ServiceDraft], _ findings: inout Findings) {
        var claims: [Key: [Claim]] = [:]
        for (index, draft) in drafts.enumerated() {
            guard let address = draft.address?.value, let ports = draft.ports?.value else { continue }
            for transport in draft.protocols {
                claims[Key(address: address, transport: transport), default: []]
                    .append(contentsOf: ports.ranges.map { Claim(range: $0, service: index) })
            }
        }
        var shared: [Pair: (ranges: [ClosedRange<UInt16>], protocols: Set<TransportProtocol>)] = [:]
        var budget = limit
        for (key, claims) in claims where claims.count > 1 {
            for (pair, range) in overlaps(claims, &budget) {
                shared[pair, default: ([], [])].ranges.append(range)
                shared[pair, default: ([], [])].protocols.insert(key.transport)
            }
        }
        for (pair, overlap) in shared.sorted(by: { ($0.key.later, $0.key.former) < ($1.key.later, $1.key.former) }) {
            let (former, later) = (drafts[pair.former], drafts[pair.later])
            guard let place = later.ports?.place, let line = former.ports?.place.line, let address = later.address?.value
            else { continue }
            let ports = PortSet(overlap.ranges).abridged
            findings.error(
                at: place,
                "services \(later.label) and \(former.label) (line \(line)) both have \(address)"
                    + " \(overlap.protocols.listed) ports \(ports)",
                "take these ports from one of the two, or use another address")
        }
    }

    private static func overlaps(_ claims: [Claim], _ budget: inout Int) -> [(Pair, ClosedRange<UInt16>)] {
        var found: [(Pair, ClosedRange<UInt16>)] = []
        var open: [Claim] = []
        for claim in claims.sorted(by: { ($0.range.lowerBound, $0.service) < ($1.range.lowerBound, $1.service) }) {
            open.removeAll { $0.range.upperBound < claim.range.lowerBound }
            for other in open {
                guard budget > 0 else { return found }
                budget -= 1
                let pair = Pair(former: min(other.service, claim.service), later: max(other.service, claim.service))
                found.append((pair, other.range.clamped(to: claim.range)))
            }
            open.append(claim)
        }
        return found
    }
}

extension PortSet {
    /// The first few ranges, and how many more there are.
    fileprivate var abridged: String {
        guard ranges.count > 6 else { return description }
        return PortSet(Array(ranges.prefix(5))).description + " and \(ranges.count - 5) more"
    }
}
