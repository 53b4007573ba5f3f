import LoadBalancing
import NetworkTypes

/// Rules about names, modes, families and numbers of real servers; they need nothing but the file.
struct ServiceRules {
    /// The data plane numbers real servers with 16 bits, and 0 is none.
    static let serverLimit = 65_535

    let drafts: [ServiceDraft]

    func check(_ findings: inout Findings) {
        var lines: [String: Int] = [:]
        var count = 0
        var reportedPrefixes: Set<Position> = []
        for draft in drafts {
            checkUnique(draft.name, "service", &lines, &findings)
            checkPrefix(of: draft, &reportedPrefixes, &findings)
            checkServers(of: draft, &findings)
            if count <= Self.serverLimit, count + draft.servers.count > Self.serverLimit {
                findings.error(
                    at: draft.servers[Self.serverLimit - count].place,
                    "there are more than \(Self.serverLimit) real servers in all",
                    "spread the services over several balancers")
            }
            count += draft.servers.count
        }
    }

    private func checkUnique(
        _ name: Located<String>?, _ what: String, _ lines: inout [String: Int], _ findings: inout Findings
    ) {
        guard let name else { return }
        if let line = lines[name.value] {
            findings.error(
                at: name.place, "\(what) \(name.value) is already given in line \(line)", "write another name")
        } else {
            lines[name.value] = name.place.line
        }
    }

    /// A prefix under `defaults` may fit some services and not others; it is reported once.
    private func checkPrefix(
        of draft: ServiceDraft, _ reported: inout Set<Position>, _ findings: inout Findings
    ) {
        guard case .on(let prefix?, _) = draft.persistence, let address = draft.address?.value,
            prefix.value > address.bitWidth, reported.insert(prefix.place.position).inserted
        else { return }
        findings.error(
            at: prefix.place,
            "prefix \(prefix.value) is longer than the IPv4 addresses of service \(draft.label)'s clients",
            "write 1 to 32, or delete prefix to tell clients apart by their whole address")
    }

    private func checkServers(of draft: ServiceDraft, _ findings: inout Findings) {
        guard !draft.servers.isEmpty else {
            findings.warning(
                at: draft.serversPlace, "service \(draft.label) has no real server", "add one under servers")
            return
        }
        var names: [String: Int] = [:]
        var addresses: [IPAddress: Int] = [:]
        for server in draft.servers {
            checkUnique(server.name, "real server", &names, &findings)
            if let port = server.port, draft.mode == .dr || draft.mode == .tunnel {
                findings.error(
                    at: port.place,
                    "in mode \(draft.mode.rawValue) a packet's port is not translated:"
                        + " real servers listen on the service's own ports",
                    "delete port")
            }
            guard let address = server.address else { continue }
            if let line = addresses[address.value] {
                findings.error(
                    at: address.place, "a real server of this service has \(address.value) already, in line \(line)",
                    "write another address, or delete one of the two")
            } else {
                addresses[address.value] = address.place.line
            }
        }
        if draft.servers.allSatisfy({ $0.weight == 0 || $0.state != .online }) {
            findings.warning(
                at: draft.serversPlace, "no real server of service \(draft.label) takes new connections",
                "give one a weight above 0 and state: online")
        }
    }
}
