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
        var reported: Set<Position> = []
        for draft in drafts {
            checkUnique(draft.name, "service", &lines, &findings)
            checkMode(of: draft, &findings)
            checkPrefix(of: draft, &reported, &findings)
            checkFallback(of: draft, &reported, &findings)
            checkServers(of: draft, &reported, &findings)
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

    /// A key that means nothing in the service's mode is a misunderstanding, unless it comes from `defaults`.
    private func checkMode(of draft: ServiceDraft, _ findings: inout Findings) {
        // What mode proxy will take is not decided by this version, which refuses it anyway.
        guard let mode = draft.mode, mode != .proxy else { return }
        if let place = draft.given["encapsulation"], !SharedKeys.applies("encapsulation", in: mode) {
            findings.error(
                at: place, "mode \(mode.rawValue) wraps no packets: encapsulation is for mode tunnel",
                "delete encapsulation, or use mode tunnel")
        }
        if let place = draft.given["source"], !SharedKeys.applies("source", in: mode) {
            findings.error(
                at: place, "mode \(mode.rawValue) keeps the client's address and port: source is for mode snat",
                "delete source, or use mode snat")
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

    /// A fallback under `defaults` may fit some services and not others; it is reported once.
    private func checkFallback(of draft: ServiceDraft, _ reported: inout Set<Position>, _ findings: inout Findings) {
        let fallback = draft.fallback
        if let port = fallback.port { checkPort(port, of: draft, &reported, &findings) }
        guard let address = fallback.address, draft.mode != nil,
            let server = draft.servers.first(where: { server in
                server.address?.value == address.value
                    && (draft.keepsPorts || server.port?.value == fallback.port?.value)
            }),
            reported.insert(address.place.position).inserted
        else { return }
        findings.warning(
            at: address.place,
            "the fallback server is a real server of service \(draft.label) as well (line \(server.place.line)):"
                + " when that is out, so is the fallback",
            "write the address of another machine")
    }

    /// Without translation a server sees the port that the client used.
    private func checkPort(
        _ port: Located<Int>, of draft: ServiceDraft, _ reported: inout Set<Position>, _ findings: inout Findings
    ) {
        guard let mode = draft.mode, draft.keepsPorts, reported.insert(port.place.position).inserted else { return }
        findings.error(
            at: port.place,
            "in mode \(mode.rawValue) a packet's port is not translated:"
                + " servers see the port that the client used, and listen on the service's own ports",
            "delete port, or use mode nat or snat")
    }

    private func checkServers(of draft: ServiceDraft, _ reported: inout Set<Position>, _ findings: inout Findings) {
        guard !draft.servers.isEmpty else {
            findings.warning(
                at: draft.serversPlace, "service \(draft.label) has no real server", "add one under servers")
            return
        }
        var names: [String: Int] = [:]
        var lines: [Endpoint: Int] = [:]
        for server in draft.servers {
            checkUnique(server.name, "real server", &names, &findings)
            if let port = server.port { checkPort(port, of: draft, &reported, &findings) }
            guard let address = server.address else { continue }
            let endpoint = Endpoint(address: address.value, port: draft.keepsPorts ? nil : server.port?.value)
            if let line = lines[endpoint] {
                findings.error(
                    at: address.place, "a real server of this service has \(endpoint) already, in line \(line)",
                    "write another address\(draft.keepsPorts ? "" : " or port"), or delete one of the two")
            } else {
                lines[endpoint] = address.place.line
            }
        }
        if draft.servers.allSatisfy({ $0.weight == 0 || $0.state != .online }) {
            findings.warning(
                at: draft.serversPlace, "no real server of service \(draft.label) takes new connections",
                "give one a weight above 0 and state: online")
        }
    }
}

/// Where a real server takes packets; without a port it is the one that the client used.
private struct Endpoint: Hashable, CustomStringConvertible {
    var address: IPAddress
    var port: Int?

    var description: String { port.map { "\(address) port \($0)" } ?? "\(address)" }
}

extension ServiceDraft {
    /// Whether packets reach servers with the port that the client used.
    fileprivate var keepsPorts: Bool { mode == .dr || mode == .tunnel }
}
