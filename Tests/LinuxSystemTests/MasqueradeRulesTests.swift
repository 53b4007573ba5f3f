import Glibc
import LinuxSystem
import NetworkTypes
import TestSupport
import Testing

/// A machine inside, a router with the rules, and a machine outside that knows the way back.
private struct Lab {
    let inside: TestNamespace
    let router: TestNamespace
    let outside: TestNamespace

    init() throws {
        (inside, router, outside) = (try TestNamespace("in"), try TestNamespace("router"), try TestNamespace("out"))
        try TestNamespace.connect(
            CableEnd(inside, "eth0", addresses: ["10.1.0.2/24", "10.1.0.3/24", "fd01::2/64"]),
            CableEnd(router, "lan0", addresses: ["10.1.0.1/24", "fd01::1/64"]))
        try TestNamespace.connect(
            CableEnd(router, "wan0", addresses: ["192.0.2.1/24", "2001:db8::1/64"]),
            CableEnd(outside, "eth0", addresses: ["192.0.2.2/24", "2001:db8::2/64"]))
        try inside.ip(batch: ["route add 0.0.0.0/0 via 10.1.0.1", "route add ::/0 via fd01::1"])
        try router.ip("addr add 10.1.9.9/32 dev lo")
        try outside.ip(batch: ["route add 10.1.0.0/16 via 192.0.2.1", "route add fd01::/64 via 2001:db8::1"])
    }

    @discardableResult
    func install(_ sources: [Prefix] = [], on interface: String = "wan0") throws -> MasqueradeRules.Changes {
        try router.perform { try MasqueradeRules(interface: interface, sources: sources).install() }
    }

    /// Sends a datagram and waits for the answer to it. Returns which source the receiver saw.
    func sourceSeen(
        from sender: TestNamespace, _ local: String, to receiver: TestNamespace, _ remote: String
    ) throws -> String? {
        let server = try TestSocket(.udp, in: receiver, local: Endpoint(Endpoint.any.address, 4711))
        let client = try TestSocket(.udp, in: sender, local: Endpoint(IPAddress(local)!, 0))
        try client.send([1], to: Endpoint(IPAddress(remote)!, 4711))
        guard let (_, seen) = try server.receiveFrom() else { return nil }
        try server.send([2], to: seen)
        #expect(try client.receive() == [2], "the answer comes back")
        return seen.address.description
    }

    func ruleset() throws -> String { try Command.check(["nft", "list", "ruleset"], in: router) }
}

@Suite(.requiresRoot)
struct MasqueradeRulesTests {
    @Test func whatIsForwardedOutGetsTheInterfacesAddressAndAnswersComeBack() throws {
        let lab = try Lab()
        #expect(try lab.install().isTableNew)
        #expect(try lab.sourceSeen(from: lab.inside, "10.1.0.2", to: lab.outside, "192.0.2.2") == "192.0.2.1")
        #expect(try lab.sourceSeen(from: lab.inside, "fd01::2", to: lab.outside, "2001:db8::2") == "2001:db8::1")
    }

    @Test func whatTheRouterSendsItselfKeepsItsSource() throws {
        let lab = try Lab()
        try lab.install()
        #expect(try lab.sourceSeen(from: lab.router, "10.1.9.9", to: lab.outside, "192.0.2.2") == "10.1.9.9")
        #expect(try lab.sourceSeen(from: lab.router, "fd01::1", to: lab.outside, "2001:db8::2") == "fd01::1")
    }

    @Test func whatIsForwardedOutByAnotherInterfaceKeepsItsSource() throws {
        let lab = try Lab()
        try lab.install()
        #expect(try lab.sourceSeen(from: lab.outside, "192.0.2.2", to: lab.inside, "10.1.0.2") == "192.0.2.2")
    }

    @Test func onlyTheGivenSourcesAreMasqueraded() throws {
        let lab = try Lab()
        // The second lies within the first, which nftables takes for a conflict.
        let changes = try lab.install([Prefix("10.1.0.2/31")!, Prefix("10.1.0.2")!, Prefix("172.16.0.0/12")!])
        #expect(changes.parameters.map(\.parameter.name) == ["net.ipv4.ip_forward"], "IPv6 has no sources")
        try lab.install([Prefix("10.1.0.2")!])
        #expect(try lab.sourceSeen(from: lab.inside, "10.1.0.2", to: lab.outside, "192.0.2.2") == "192.0.2.1")
        #expect(try lab.sourceSeen(from: lab.inside, "10.1.0.3", to: lab.outside, "192.0.2.2") == "10.1.0.3")
        try lab.install([Prefix("fd01::/64")!, Prefix("0.0.0.0/0")!])
        #expect(try lab.sourceSeen(from: lab.inside, "fd01::2", to: lab.outside, "2001:db8::2") == "2001:db8::1")
        #expect(try lab.sourceSeen(from: lab.inside, "10.1.0.3", to: lab.outside, "192.0.2.2") == "192.0.2.1")
    }

    @Test func installingTwiceChangesNothingMore() throws {
        let lab = try Lab()
        let first = try lab.install()
        let forwarding = first.parameters.filter { $0.now == 1 }.map(\.parameter.name)
        #expect(forwarding == ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
        let ruleset = try lab.ruleset()
        #expect(try lab.install() == MasqueradeRules.Changes())
        #expect(try lab.ruleset() == ruleset)
    }

    @Test func aConnectionGoesOnWhileTheRulesAreReplaced() throws {
        let lab = try Lab()
        try lab.install()
        let server = try TestSocket(.udp, in: lab.outside, local: Endpoint(Endpoint.any.address, 4711))
        let client = try TestSocket(.udp, in: lab.inside, local: Endpoint(IPAddress("10.1.0.2")!, 0))
        var seen: Set<Endpoint> = []
        for _ in 0..<5 {
            try client.send([1], to: Endpoint(IPAddress("192.0.2.2")!, 4711))
            let (_, sender) = try #require(try server.receiveFrom())
            seen.insert(sender)
            try lab.install()
            try server.send([2], to: sender)
            #expect(try client.receive() == [2])
        }
        #expect(seen.count == 1 && seen.first?.address == IPAddress("192.0.2.1"))
    }

    @Test func otherTablesStayAndTheirRulesComeFirst() throws {
        let lab = try Lab()
        let other = """
            table inet other {
                chain postrouting {
                    type nat hook postrouting priority srcnat; policy accept;
                    ip saddr 10.1.0.3 oifname "wan0" snat ip to 10.1.9.9
                }
            }

            """
        try Command.check(["nft", "-f", "-"], in: lab.router, input: Array(other.utf8))
        let before = try lab.ruleset()
        try lab.install()
        #expect(try lab.ruleset().hasPrefix(before))
        #expect(try lab.sourceSeen(from: lab.inside, "10.1.0.3", to: lab.outside, "192.0.2.2") == "10.1.9.9")
        #expect(try lab.sourceSeen(from: lab.inside, "10.1.0.2", to: lab.outside, "192.0.2.2") == "192.0.2.1")
        #expect(try lab.router.perform { try MasqueradeRules(interface: "wan0").remove() })
        #expect(try lab.ruleset() == before)
        #expect(try !lab.router.perform { try MasqueradeRules(interface: "wan0").remove() })
        #expect(try lab.ruleset() == before)
    }

    @Test func tablesOfDifferentNamesLiveSideBySide() throws {
        let lab = try Lab()
        try lab.router.perform {
            try MasqueradeRules(interface: "wan0", table: "first").install()
            #expect(try MasqueradeRules(interface: "wan1", table: "second").install().isTableNew)
            try MasqueradeRules(interface: "wan1", table: "second").remove()
        }
        #expect(try Command.check(["nft", "list", "tables"], in: lab.router) == "table inet first\n")
        #expect(try lab.sourceSeen(from: lab.inside, "10.1.0.2", to: lab.outside, "192.0.2.2") == "192.0.2.1")
    }

    @Test func aRouteThatWasLearntFromARouterStays() throws {
        let lab = try Lab()
        let tap = try PacketTap(lab.outside, interface: "eth0")
        func learnt() throws -> Bool {
            try lab.router.state.nextHop(for: IPAddress("2001:db8:9::1")!)?.address == IPAddress("fe80::99")
        }
        try eventually(every: .milliseconds(100), "the route is learnt") {
            try tap.send(routerAdvertisement)
            return try learnt()
        }
        let changes = try lab.install()
        let heeds = Sysctl("net", "ipv6", "conf", "wan0", "accept_ra")
        #expect(changes.parameters.contains(MasqueradeRules.ParameterChange(heeds, from: 1, to: 2)))
        #expect(try learnt())
        try lab.install()
        #expect(try learnt())
    }

    /// Of fe80::99, for 1800 seconds.
    private var routerAdvertisement: [UInt8] {
        let mac: [UInt8] = [2, 0, 0, 0, 0, 0x99]
        let source = IPAddress("fe80::99")!.octets
        let group = IPAddress("ff02::1")!.octets
        var body: [UInt8] = [134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0]
        let checksum = internetChecksum(source + group + [0, 0, 0, 16, 0, 0, 0, 58] + body)
        body.replaceSubrange(2..<4, with: [UInt8(checksum >> 8), UInt8(checksum & 255)])
        return [0x33, 0x33, 0, 0, 0, 1] + mac + [0x86, 0xdd, 0x60, 0, 0, 0, 0, 16, 58, 255] + source + group + body
    }

    @Test(arguments: ["", "wan0\"", "wan*", "wan 0", "averyverylongname"])
    func anInterfaceNameThatNftablesWouldReadOtherwiseIsRefused(_ name: String) {
        let error = #expect(throws: SystemError.self) { try MasqueradeRules(interface: name) }
        #expect(error?.code == .firewall && error?.errno == EINVAL)
    }

    @Test(arguments: ["", "1st", "rip tide", "x;y"]) func aTableNameThatIsNoneIsRefused(_ name: String) {
        #expect(throws: SystemError.self) { try MasqueradeRules(interface: "wan0", table: name) }
    }

    @Test func withoutNFTTheErrorSaysWhatToInstall() throws {
        let rules = try MasqueradeRules(interface: "wan0", nft: ExternalProgram("/nowhere/nft", package: "nftables"))
        for error in [
            #expect(throws: SystemError.self) { try rules.install() },
            #expect(throws: SystemError.self) { try rules.remove() },
        ] {
            #expect(error?.code == .program && error?.description.contains("apt-get install nftables") == true)
        }
    }

    @Test func aRefusalOfTheKernelIsAnErrorInWords() throws {
        let namespace = try TestNamespace("router")
        let directory = try TemporaryDirectory()
        let script = try directory.script("exec setpriv --reuid 65534 --clear-groups nft \"$@\"")
        let error = #expect(throws: SystemError.self) {
            try namespace.perform {
                try MasqueradeRules(interface: "wan0", nft: ExternalProgram(script, package: "nftables")).install()
            }
        }
        #expect(error?.code == .firewall)
        #expect(
            error?.description
                == "masquerade by nft what leaves by wan0: Operation not permitted (EPERM): run as root, or grant CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF"
        )
    }

    @Test func aRefusalThatIsNotUnderstoodIsQuoted() throws {
        let directory = try TemporaryDirectory()
        let script = try directory.script("echo 'Error: the moon is full' >&2; exit 7")
        let rules = try MasqueradeRules(interface: "wan0", nft: ExternalProgram(script, package: "nftables"))
        let error = #expect(throws: SystemError.self) { try rules.install() }
        #expect(error?.description.hasSuffix("status 7 and said: Error: the moon is full\n") == true)
    }
}

/// RFC 1071, of an even number of octets.
func internetChecksum(_ octets: [UInt8]) -> UInt16 {
    var sum = stride(from: 0, to: octets.count, by: 2).reduce(UInt32(0)) {
        $0 + UInt32(octets[$1]) << 8 + UInt32(octets[$1 + 1])
    }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
}
