import LoadBalancing
import NetworkTypes

/// Rules about what the addresses of services, servers and the balancer may be, alone, together, and on this machine.
struct AddressRules {
    private let drafts: [ServiceDraft]
    private let floating: [Located<IPAddress>]
    /// The first service of each virtual address.
    private let virtual: [IPAddress: (label: String, line: Int)]
    /// The first use of each real server's and fallback server's address.
    private let servers: [IPAddress: Use]
    /// The machine's own addresses, and the interfaces that have them. Loopback is left out: see `SystemFacts`.
    private let own: [IPAddress: String]
    /// The networks of this machine; `nil` if they are not known.
    private let networks: (configured: [Network], others: [Network])?

    /// What a service has an address for.
    private struct Use {
        var role: Role
        var service: String
        var line: Int
    }

    private enum Role: String {
        case real = "real server"
        case fallback = "fallback server"
    }

    /// What is wrong with an address, and the cure.
    private typealias Fault = (message: String, cure: String)

    private struct Network {
        var interface: String
        var prefix: Prefix
    }

    init(
        drafts: [ServiceDraft], floating: [Located<IPAddress>], facts: SystemFacts?,
        configured: [Located<InterfaceSettings>]
    ) {
        self.drafts = drafts
        self.floating = floating
        virtual = Dictionary(
            drafts.compactMap { draft in draft.address.map { ($0.value, (draft.label, $0.place.line)) } },
            uniquingKeysWith: { first, _ in first })
        var servers: [IPAddress: Use] = [:]
        for draft in drafts {
            for (role, address) in Self.servers(of: draft) where servers[address.value] == nil {
                servers[address.value] = Use(role: role, service: draft.label, line: address.place.line)
            }
        }
        self.servers = servers
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

    /// Where packets of this service may be sent to.
    private static func servers(of draft: ServiceDraft) -> [(Role, Located<IPAddress>)] {
        let fallback = draft.fallback.address.map { [(Role.fallback, $0)] } ?? []
        return draft.servers.compactMap { server in server.address.map { (.real, $0) } } + fallback
    }

    /// What stands under `defaults` may be wrong for many services, and is reported once.
    func check(_ findings: inout Findings) {
        var reported: Set<Position> = []
        func report(_ address: Located<IPAddress>, _ fault: Fault?) {
            guard let fault, reported.insert(address.place.position).inserted else { return }
            findings.error(at: address.place, fault.message, fault.cure)
        }
        for draft in drafts {
            if let address = draft.address { report(address, fault(virtual: address.value)) }
            for (role, address) in Self.servers(of: draft) {
                report(address, fault(server: address.value, as: role, of: draft))
            }
            for address in draft.source.addresses { report(address, fault(source: address.value, of: draft)) }
        }
        for address in floating { report(address, fault(floating: address.value)) }
    }

    private func fault(virtual address: IPAddress) -> Fault? {
        if let fault = address.fault(refusingLinkLocal: true) {
            return (
                "\(address) is \(fault), which cannot be a virtual address", "write an address that clients can reach"
            )
        }
        return own[address].map {
            ("\(address) is \($0)'s own address", "use another address: a virtual address is never an interface's own")
        }
    }

    private func fault(floating address: IPAddress) -> Fault? {
        if let fault = address.fault(refusingLinkLocal: true) {
            return (
                "\(address) is \(fault), which cannot be a floating address",
                "write an address that real servers can reach"
            )
        }
        if let service = virtual[address] {
            return (
                "\(address) is the virtual address of service \(service.label) (line \(service.line)),"
                    + " which floats anyway",
                "delete it here"
            )
        }
        if let use = servers[address] {
            return (
                "\(address) is a \(use.role.rawValue) of service \(use.service) (line \(use.line))",
                "write an address that no other machine has"
            )
        }
        return own[address].map {
            ("\(address) is \($0)'s own address", "use another address: a floating address is never an interface's own")
        }
    }

    private func fault(source address: IPAddress, of draft: ServiceDraft) -> Fault? {
        if let fault = address.fault(refusingLinkLocal: true) {
            return (
                "\(address) is \(fault), which cannot be a source address",
                "write an address of the balancer that real servers can reach"
            )
        }
        if let family = draft.address?.value.family, family != address.family {
            return (
                "service \(draft.label) has an \(family.name) address, and mode snat does not change the family",
                draft.cure("write an \(family.name) address of the balancer", inDefaults: "source")
            )
        }
        return servers[address].map {
            (
                "\(address) is a \($0.role.rawValue) of service \($0.service) (line \($0.line))",
                "write an address of the balancer"
            )
        }
    }

    private func fault(server address: IPAddress, as role: Role, of draft: ServiceDraft) -> Fault? {
        if let fault = address.fault(refusingLinkLocal: address.family == .ipv6) {
            return (
                "\(address) is \(fault), which cannot be a \(role.rawValue)",
                "write the address of the \(role.rawValue) in its network"
            )
        }
        if let service = virtual[address] {
            return (
                "\(address) is the virtual address of service \(service.label) (line \(service.line))",
                "write the \(role.rawValue)'s own address"
            )
        }
        if let interface = own[address] {
            return (
                "\(address) is this machine's own address, on \(interface)", "write the address of another machine"
            )
        }
        if let family = draft.address?.value.family, family != address.family, let reason = draft.mode?.familyRule {
            return (
                "service \(draft.label) has an \(family.name) address, and \(reason)",
                draft.cure(
                    "write an \(family.name) address of the \(role.rawValue), or use mode tunnel",
                    inDefaults: role == .fallback ? "fallback" : nil)
            )
        }
        return draft.mode == .dr ? fault(offLink: address) : nil
    }

    /// Direct routing addresses a real server by its MAC address, so it must be in a network of a configured interface.
    private func fault(offLink address: IPAddress) -> Fault? {
        guard let networks, !networks.configured.contains(where: { $0.prefix.contains(address) }) else { return nil }
        let family = address.family
        let near = networks.configured.filter { $0.prefix.address.family == family }
        var cures: [String] = []
        if let other = networks.others.first(where: { $0.prefix.contains(address) }) {
            cures.append("add \(other.interface), which has \(other.prefix), to interfaces")
        }
        if near.isEmpty {
            cures.append("give a configured interface an \(family.name) address in the real server's network")
        } else {
            let names = near.prefix(4).map { "\($0.interface)'s \($0.prefix)" }
            cures.append("use an address in \(names.joined(separator: " or "))")
        }
        cures.append("use mode snat or tunnel, which cross routers")
        return (
            "\(address) is in no network of a configured interface, and direct routing does not cross routers",
            cures.joined(separator: ", or ")
        )
    }
}

extension ForwardingMode {
    /// Why the servers of a service must have addresses of its own family, if so.
    fileprivate var familyRule: String? {
        switch self {
        case .dr: "direct routing sends packets on unchanged"
        case .nat, .snat: "mode \(rawValue) does not change the family"
        case .tunnel, .proxy: nil
        }
    }
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
