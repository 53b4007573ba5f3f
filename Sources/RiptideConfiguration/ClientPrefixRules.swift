import LoadBalancing
import NetworkTypes

/// Rules about the prefixes of clients that services allow and deny.
struct ClientPrefixRules {
    /// What the data plane has room for, in all services.
    static let limit = 65_535

    let drafts: [ServiceDraft]

    func check(_ findings: inout Findings) {
        var count = 0
        var reported: Set<Position> = []
        for draft in drafts {
            guard let family = draft.address?.value.family else { continue }
            checkFamily(family, of: draft, &reported, &findings)
            let prefixes = (draft.clients.allow + draft.clients.deny).filter { $0.value.address.family == family }
            if count <= Self.limit, count + prefixes.count > Self.limit {
                findings.error(
                    at: prefixes[Self.limit - count].place,
                    "there are more than \(Self.limit) prefixes of clients in all services",
                    "join prefixes into shorter ones, or filter clients before they reach the balancer")
            }
            count += prefixes.count
        }
    }

    /// Prefixes that no client matches are idle, and a list that allows nobody is certainly not meant. Lists under
    /// `defaults` may hold both families, and are reported once.
    private func checkFamily(
        _ family: IPAddress.Family, of draft: ServiceDraft, _ reported: inout Set<Position>,
        _ findings: inout Findings
    ) {
        let clients = draft.clients
        if let place = clients.allowPlace, !clients.allow.isEmpty,
            clients.allow.allSatisfy({ $0.value.address.family != family })
        {
            if reported.insert(place.position).inserted {
                findings.error(
                    at: place, "no prefix here is \(family.name), so service \(draft.label) would take no client",
                    draft.cure("add an \(family.name) prefix", inDefaults: "clients"))
            }
        } else if draft.given["clients"] != nil {
            for prefix in clients.allow + clients.deny where prefix.value.address.family != family {
                findings.warning(
                    at: prefix.place,
                    "\(prefix.value) never matches:"
                        + " the clients of service \(draft.label) have \(family.name) addresses",
                    "delete it")
            }
        }
    }
}
