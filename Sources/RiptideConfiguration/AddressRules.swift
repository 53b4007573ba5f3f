import LoadBalancing
import NetworkTypes

/// Rules about what virtual addresses and real servers' addresses may be, alone, together, and on this machine.
struct AddressRules {
    private let drafts: [ServiceDraft]
    /// The first service of each virtual address.
    private let virtual: [IPAddress: (label: String, line: Int)]
    /// The machine's own addresses, and the interfaces that have them. Loopback is left out: see `SystemFacts`.
    private let own: [IPAddress: String]
    /// The networks of this machine; `nil` if they are not known.
    private let networks: (configured: [Network], others: [Network])?

    private struct Network {
        var interface: String
        var prefix: Prefix
    }

    init(drafts: [ServiceDraft], facts: SystemFacts?, configured: [Located<InterfaceSettings>]) {
        self.drafts = drafts
        virtual = Dictionary(
            drafts.compactMap { draft in draft.address.map { ($0.value, (draft.label, $0.place.line)) } },
            uniquingKeysWith: { first, _ in first })
        let interfaces = facts?.interfaces.filter { !$0.isLoopback } ?? []
        own = Dictionary(
            interfaces.flatMap { interface in interface.addresses.map { ($0.address, interface.name) } },
            uniquingKeysWith: { first, _ in first })
        let names = Set(configured.map(\.value.name))
        // An interface that does not exist has been reported; what is behind it cannot be judged.
        guard facts != nil, !names.isEmpty, names.isSubset(of: interfaces.map(\.name)) else {
            networks = nil
            return
        }
        func prefixes(_ isConfigured: Bool) -> [Network] {
            interfaces.filter { names.contains($0.name) == isConfigured }.flatMap { interface in
                interface.addresses.filter { !$0.prefix.address.isLinkLocal }.map {
                    Network(interface: interface.name, prefix: $0.prefix)
                }
            }
        }
        networks = (prefixes(true), prefixes(false))
    }

    func check(_ findings: inout Findings) {
        for draft in drafts {
            if let address = draft.address { checkVirtual(address, &findings) }
            for server in draft.servers {
                if let address = server.address { checkServer(address, of: draft, &findings) }
            }
        }
    }

    private func checkVirtual(_ address: Located<IPAddress>, _ findings: inout Findings) {
        if let fault = address.value.fault(refusingLinkLocal: true) {
            findings.error(
                at: address.place, "\(address.value) is \(fault), which cannot be a virtual address",
                "write an address that clients can reach")
        } else if let interface = own[address.value] {
            findings.error(
                at: address.place, "\(address.value) is \(interface)'s own address",
                "use another address: a virtual address is never an interface's own")
        }
    }

    private func checkServer(_ address: Located<IPAddress>, of draft: ServiceDraft, _ findings: inout Findings) {
        if let fault = address.value.fault(refusingLinkLocal: address.value.family == .ipv6) {
            findings.error(
                at: address.place, "\(address.value) is \(fault), which cannot be a real server",
                "write the address of the real server in its network")
        } else if let service = virtual[address.value] {
            findings.error(
                at: address.place,
                "\(address.value) is the virtual address of service \(service.label) (line \(service.line))",
                "write the real server's own address")
        } else if let interface = own[address.value] {
            findings.error(
                at: address.place, "\(address.value) is this machine's own address, on \(interface)",
                "write the address of another machine")
        } else if draft.mode == .dr, let family = draft.address?.value.family, family != address.value.family {
            findings.error(
                at: address.place,
                "service \(draft.label) has an \(family.name) address, and direct routing sends packets on unchanged",
                "write an \(family.name) address of the real server")
        } else if draft.mode == .dr {
            checkOnLink(address, &findings)
        }
    }

    /// Direct routing addresses a real server by its MAC address, so it must be in a network of a configured interface.
    private func checkOnLink(_ address: Located<IPAddress>, _ findings: inout Findings) {
        guard let networks, !networks.configured.contains(where: { $0.prefix.contains(address.value) })
        else { return }
        let family = address.value.family
        let near = networks.configured.filter { $0.prefix.address.family == family }
        var cures: [String] = []
        if let other = networks.others.first(where: { $0.prefix.contains(address.value) }) {
            cures.append("add \(other.interface), which has \(other.prefix), to interfaces")
        }
        if near.isEmpty {
            cures.append("give a configured interface an \(family.name) address in the real server's network")
        } else {
            let names = near.prefix(4).map { "\($0.interface)'s \($0.prefix)" }
            cures.append("use an address in \(names.joined(separator: " or "))")
        }
        cures.append("use a mode for servers behind a router")
        findings.error(
            at: address.place,
            "\(address.value) is in no network of a configured interface, and direct routing does not cross routers",
            cures.joined(separator: ", or "))
    }
}

extension IPAddress.Family {
    fileprivate var name: String { self == .ipv4 ? "IPv4" : "IPv6" }
}

extension IPAddress {
    /// Why a service or a server cannot have this address, if so.
    fileprivate func fault(refusingLinkLocal: Bool) -> String? {
        if isUnspecified { return "the unspecified address" }
        if isLoopback { return "a loopback address" }
        if isMulticast { return "a multicast address" }
        if ipv4Value == .max { return "the broadcast address" }
        if refusingLinkLocal, isLinkLocal { return "a link-local address" }
        return nil
    }
}
