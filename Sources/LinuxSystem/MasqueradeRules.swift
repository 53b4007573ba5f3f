internal import CLinux
internal import Glibc
package import NetworkTypes

/// Lets machines behind this one reach the outside: what the kernel forwards out by one interface gets that interface's
/// address as its source, by nftables, and answers find their way back.
///
/// Lives in one nftables table of its own, in the network namespace of the thread that calls; other tables stay as they are,
/// and their NAT rules come first. What this machine itself sends keeps its source. What XDP forwards never gets here.
/// The calls wait for `nft`, some milliseconds.
package struct MasqueradeRules: Sendable, Equatable {
    /// The interface to the outside. It need not exist yet.
    package let interface: String
    /// Whose packets; empty for everybody's. Sorted, none within another.
    package let sources: [Prefix]
    /// The table's name, in the family `inet`.
    package let table: String
    package let nft: ExternalProgram

    /// - Throws: code ``SystemError/Code/firewall`` if one of the names is none that nftables takes literally.
    package init(
        interface: String, sources: [Prefix] = [], table: String = "riptide",
        nft: ExternalProgram = ExternalProgram("nft", package: "nftables")
    ) throws(SystemError) {
        let marks = "-_.@"
        guard (1...15).contains(interface.utf8.count), interface.utf8.allSatisfy({ $0.isAlphanumeric(or: marks) }) else {
            throw SystemError(
                .firewall, "masquerade behind", "interface '\(interface)'", errno: EINVAL,
                cure: "give a name of letters, digits and \(marks), 15 at most")
        }
        guard let first = table.utf8.first, first.isLetter, table.utf8.allSatisfy({ $0.isAlphanumeric(or: "_") }) else {
            throw SystemError(
                .firewall, "masquerade by", "table '\(table)'", errno: EINVAL,
                cure: "give a name of letters, digits and _ that begins with a letter")
        }
        self.interface = interface
        self.sources = Set(sources).filter { source in
            !sources.contains { $0.length < source.length && $0.contains(source.address) }
        }.sorted { $0.address < $1.address }
        self.table = table
        self.nft = nft
    }

    /// What ``install()`` found otherwise than it had to be.
    package struct Changes: Sendable, Equatable {
        /// The table was not there.
        package var isTableNew = false
        package var parameters: [ParameterChange] = []

        package init(isTableNew: Bool = false, parameters: [ParameterChange] = []) {
            self.isTableNew = isTableNew
            self.parameters = parameters
        }
    }

    package struct ParameterChange: Sendable, Equatable {
        package let parameter: Sysctl
        package let before: Int
        package let now: Int

        package init(_ parameter: Sysctl, from before: Int, to now: Int) {
            self.parameter = parameter
            self.before = before
            self.now = now
        }
    }

    /// Puts the rules in force in one transaction, in place of those that the table has, and makes the kernel forward. May be
    /// repeated: connections that exist are not disturbed.
    ///
    /// Forwarding is switched on for the whole namespace, for each family that has sources, and never off again. A machine that
    /// forwards IPv6 stops heeding router advertisements, so interfaces that heeded them are told to go on (`accept_ra` 2).
    @discardableResult
    package func install() throws(SystemError) -> Changes {
        let isTableNew = try !exists()
        try submit("table inet \(table)\ndelete table inet \(table)\n\(rules)")
        return Changes(isTableNew: isTableNew, parameters: try forward())
    }

    /// Removes the table. Returns whether it was there. Connections that are masqueraded stay so until they end.
    @discardableResult
    package func remove() throws(SystemError) -> Bool {
        let existed = try exists()
        // Adding what is there does nothing, so this does not fail if somebody else was faster.
        try submit("table inet \(table)\ndelete table inet \(table)\n")
        return existed
    }

    private func exists() throws(SystemError) -> Bool {
        let outcome = try nft.run(["list", "tables", "inet"])
        if outcome.status != 0 { throw refusal(outcome) }
        return outcome.output.split(separator: "\n").contains("table inet \(table)")
    }

    private var rules: String {
        """
        table inet \(table) {
            comment "Riptide: what is forwarded out by \(interface) gets its address"
            chain postrouting {
                type nat hook postrouting priority srcnat + 10; policy accept;
        \(matches.map { "        iif != 0 oifname \"\(interface)\"\($0) counter masquerade" }.joined(separator: "\n"))
            }
        }

        """
    }

    /// What narrows each rule: nothing, or the sources of one family. (Packets of this machine itself have no `iif`.)
    private var matches: [String] {
        if sources.isEmpty { return [""] }
        return [("ip", IPAddress.Family.ipv4), ("ip6", .ipv6)].compactMap { keyword, family in
            let prefixes = sources.filter { $0.address.family == family }.map(\.description)
            return prefixes.isEmpty ? nil : " \(keyword) saddr { \(prefixes.joined(separator: ", ")) }"
        }
    }

    private func submit(_ script: String) throws(SystemError) {
        let outcome = try nft.run(["-f", "-"], input: script)
        if outcome.status != 0 { throw refusal(outcome) }
    }

    /// What nft's message says, as an errno where it names one.
    private func refusal(_ outcome: ExternalProgram.Outcome) -> SystemError {
        let known = [EPERM, EOPNOTSUPP, ENOENT, EAFNOSUPPORT, EBUSY, ENOMEM].first { number in
            clinux_errno_text(number).map { outcome.errors.contains(String(cString: $0)) } ?? false
        }
        let cure: String? =
            switch known {
            case EPERM, ENOMEM: nil
            case EOPNOTSUPP, ENOENT, EAFNOSUPPORT:
                "this kernel lacks NAT by nftables: load nft_chain_nat and nft_masq (CONFIG_NFT_NAT, CONFIG_NFT_MASQ)"
            default: "nft ended with status \(outcome.status) and said: \(outcome.errors.prefix(400))"
            }
        return SystemError(.firewall, "masquerade by nft what leaves by", interface, errno: known ?? 0, cure: cure)
    }

    private func forward() throws(SystemError) -> [ParameterChange] {
        var changes: [ParameterChange] = []
        func set(_ parameter: Sysctl, to value: Int) throws(SystemError) {
            guard let before = try parameter.readInteger(), before != value else { return }
            try parameter.write(value)
            changes.append(ParameterChange(parameter, from: before, to: value))
        }
        if carries(.ipv4) { try set(Sysctl("net", "ipv4", "ip_forward"), to: 1) }
        let everywhere = Sysctl("net", "ipv6", "conf", "all", "forwarding")
        // Written only if need be: each write of 1 makes the kernel forget the routers that it heard of.
        if carries(.ipv6), try everywhere.readInteger() == 0 {
            for name in try NetworkNamespace.interfaceNames() where name != "lo" {
                let heeds = Sysctl("net", "ipv6", "conf", name, "accept_ra")
                let isRouter = try Sysctl("net", "ipv6", "conf", name, "forwarding").readInteger()
                if isRouter == 0, try heeds.readInteger() == 1 { try set(heeds, to: 2) }
            }
            try set(everywhere, to: 1)
        }
        return changes
    }

    private func carries(_ family: IPAddress.Family) -> Bool {
        sources.isEmpty || sources.contains { $0.address.family == family }
    }
}

extension UInt8 {
    fileprivate var isLetter: Bool { (65...90).contains(self & ~32) }

    fileprivate func isAlphanumeric(or marks: String) -> Bool {
        isLetter || (48...57).contains(self) || marks.utf8.contains(self)
    }
}
