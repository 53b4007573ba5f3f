import LoadBalancing
import RiptideConfiguration
import Testing

/// Rules about modes, source pools, fallback servers, floating addresses and clients.
@Suite struct Layer4RuleTests {
    /// A file around these lines, each a service in flow style with a VIP and a server of IPv4 unless it gives its own;
    /// the first stands in line 5.
    private func services(_ lines: String..., more: String = "") -> String {
        "version: 1\nnode: { name: lb1 }\ninterfaces: [{ name: eth0 }]\nservices:\n"
            + lines.map { "  - { \($0) }\n" }.joined() + more
    }

    private let four = "address: 10.0.0.1, ports: 80, servers: [{ name: a, address: 10.0.0.9 }]"
    private let six = "address: \"2001:db8::1\", ports: 80, servers: [{ name: a, address: \"2001:db8::9\" }]"

    /// The diagnostics without their places in the file.
    private func said(_ text: String) -> [String] {
        read(text).diagnostics.map {
            "\($0.severity == .warning ? "warning: " : "")\($0.path): \($0.message) (\($0.cure))"
        }
    }

    // MARK: Modes

    @Test(arguments: ["dr", "tunnel"])
    func `where ports are not translated a port is refused, for the fallback server too`(mode: String) {
        let text = document(
            service: "mode: \(mode)\n    fallback: { address: 10.0.0.7, port: 81 }", server: "port: 8080")
        let complaint = "in mode \(mode) a packet's port is not translated: servers see the port that the client used, and listen on the service's own ports (delete port, or use mode nat or snat)"
        #expect(
            complaints(text) == [
                "11:15: services[A].servers[a].port: \(complaint)", "13:42: services[A].fallback.port: \(complaint)",
            ])
    }

    @Test(arguments: ["nat", "snat"])
    func `where ports are translated, one address serves on several of them`(mode: String) {
        func text(_ ports: String...) -> String {
            let servers = ports.enumerated().map { "{ name: s\($0), address: 10.0.0.9, \($1) }" }
            return services("name: A, mode: \(mode), address: 10.0.0.1, ports: 80, servers: [\(servers.joined(separator: ", "))]")
        }
        #expect(complaints(text("port: 81", "port: 82", "weight: 1")) == [])
        #expect(
            said(text("port: 81", "port: 82", "port: 81")) == [
                "services[A].servers[s2].address: a real server of this service has 10.0.0.9 port 81 already, in line 5 (write another address or port, or delete one of the two)"
            ])
    }

    @Test func `a tunnel has one server at an address, as direct routing does`() {
        let servers = "servers: [{ name: a, address: 10.0.0.9 }, { name: b, address: 10.0.0.9 }]"
        #expect(
            said(services("name: A, mode: tunnel, address: 10.0.0.1, ports: 80, \(servers)")) == [
                "services[A].servers[b].address: a real server of this service has 10.0.0.9 already, in line 5 (write another address, or delete one of the two)"
            ])
    }

    @Test func `a mode that cannot be read is all that is said`() {
        let text = document(
            service: "mode: nta\n    source: {}\n    fallback: { address: \"2001:db8::7\", port: 81 }", server: "port: 8080")
        #expect(read(text).diagnostics.map(\.path) == ["services[A].mode"])
        let shared = document(top: "defaults: { mode: nta }", server: "port: 8080", serverAddress: "2001:db8::2")
        #expect(read(shared).diagnostics.map(\.path) == ["defaults.mode"])
    }

    @Test(arguments: [
        ("nat", "mode nat does not change the family"), ("snat", "mode snat does not change the family"),
        ("dr", "direct routing sends packets on unchanged"),
    ])
    func `servers have addresses of the service's family, except behind a tunnel`(mode: String, reason: String) {
        func text(_ mode: String) -> String {
            document(
                service: "mode: \(mode)\n    fallback: { address: \"2001:db8::7\" }", serverAddress: "2001:db8::2")
        }
        #expect(
            said(text(mode)) == [
                "services[A].servers[a].address: service A has an IPv4 address, and \(reason) (write an IPv4 address of the real server, or use mode tunnel)",
                "services[A].fallback.address: service A has an IPv4 address, and \(reason) (write an IPv4 address of the fallback server, or use mode tunnel)",
            ])
        #expect(complaints(text("tunnel")) == [])
    }

    @Test func `what is for one mode is refused in the others, and idle among defaults`() {
        #expect(
            said(services("name: A, mode: nat, source: {}, encapsulation: ipip, \(four)")) == [
                "services[A].source: mode nat keeps the client's address and port: source is for mode snat (delete source, or use mode snat)",
                "services[A].encapsulation: mode nat wraps no packets: encapsulation is for mode tunnel (delete encapsulation, or use mode tunnel)",
            ])
        #expect(said(services("name: A, source: {}, \(four)")).count == 1)
        #expect(
            said(services("name: A, mode: nat, \(four)", more: "defaults: { source: {}, encapsulation: gue }\n")) == [
                "warning: defaults.source: no service uses this default (delete it, or the values in the services)",
                "warning: defaults.encapsulation: no service uses this default (delete it, or the values in the services)",
            ])
    }

    // MARK: Source pools

    private func source(_ text: String) -> [String] {
        said(services("name: A, mode: snat, source: { \(text) }, \(four)"))
    }

    @Test(arguments: [
        ("1024-1086", "1024-1086 is less than 64 ports (write a range of at least 64 ports, such as 1024-32767)"),
        ("2000", "2000 is less than 64 ports (write a range of at least 64 ports, such as 1024-32767)"),
        ("\"1024-2000,3000-4000\"", "source ports are a single range (write one range such as 1024-32767)"),
        ("4000-1024", "range 4000-1024 runs backwards (write 1024-4000)"),
        ("all", "'all' is not a port number (write ports and ranges such as 80,443,8000-8010)"),
    ])
    func `source ports are a range that is wide enough`(written: String, expected: String) {
        #expect(source("ports: \(written)") == ["services[A].source.ports: \(expected)"])
    }

    @Test(arguments: ["1024-1087", "1024-32767", "61000-65535", "[1024-2000, 2001-3000]"])
    func `source ports beside those of Linux are fine`(written: String) {
        #expect(source("ports: \(written)") == [])
    }

    @Test(arguments: ["1024-32768", "60999-65535", "40000-50000"])
    func `source ports that Linux uses itself are warned about`(written: String) {
        #expect(
            source("ports: \(written)") == [
                "warning: services[A].source.ports: \(written) overlaps 32768-60999, which Linux takes for connections of its own (write a range outside it, such as 1024-32767, or move net.ipv4.ip_local_port_range)"
            ])
    }

    @Test func `source addresses are the balancer's, of the servers' family, eight at most`() {
        let eight = (11...18).map { "10.0.0.\($0)" }.joined(separator: ", ")
        #expect(source("addresses: [\(eight)]") == [])
        #expect(
            source("addresses: [\(eight), 10.0.0.19]") == [
                "services[A].source.addresses[8]: there are more than 8 source addresses (delete this one and those after it)"
            ])
        #expect(
            source("addresses: [10.0.0.1, 224.0.0.1, \"2001:db8::5\", 10.0.0.9, 10.0.0.1]") == [
                "services[A].source.addresses[1]: 224.0.0.1 is a multicast address, which cannot be a source address (write an address of the balancer that real servers can reach)",
                "services[A].source.addresses[2]: service A has an IPv4 address, and mode snat does not change the family (write an IPv4 address of the balancer)",
                "services[A].source.addresses[3]: 10.0.0.9 is a real server of service A (line 5) (write an address of the balancer)",
                "services[A].source.addresses[4]: source address 10.0.0.1 is already given in line 5 (delete one of the two)",
            ])
        #expect(
            source("addresses: 10.0.0.1") == [
                "services[A].source.addresses: is a single value, not a list (begin each source address with '- ')"
            ])
        #expect(source("adresses: [10.0.0.1]") == ["services[A].source.adresses: unknown key 'adresses' (did you mean addresses?)"])
    }

    @Test func `a source address under defaults that fits no IPv6 service is reported once`() {
        let text = services(
            "name: A, \(four)", "name: B, \(six)", "name: C, \(six.replacing("::1", with: "::2"))",
            more: "defaults: { mode: snat, source: { addresses: [10.0.0.5] } }\n")
        #expect(
            said(text) == [
                "defaults.source.addresses[0]: service B has an IPv6 address, and mode snat does not change the family (write an IPv6 address of the balancer, or write source in service B)"
            ])
    }

    // MARK: Fallback servers

    @Test func `a fallback server is a machine of its own`() {
        func fallback(_ address: String) -> [String] {
            said(services("name: A, fallback: { address: \(address) }, \(four)"))
        }
        #expect(
            fallback("127.0.0.1") == [
                "services[A].fallback.address: 127.0.0.1 is a loopback address, which cannot be a fallback server (write the address of the fallback server in its network)"
            ])
        #expect(
            fallback("10.0.0.1") == [
                "services[A].fallback.address: 10.0.0.1 is the virtual address of service A (line 5) (write the fallback server's own address)"
            ])
        #expect(
            fallback("10.0.0.9") == [
                "warning: services[A].fallback.address: the fallback server is a real server of service A as well (line 5): when that is out, so is the fallback (write the address of another machine)"
            ])
    }

    @Test func `a fallback may be another port of a real server's machine`() {
        func text(_ fallback: String) -> String {
            services(
                "name: A, mode: nat, fallback: { address: 10.0.0.9\(fallback) }, address: 10.0.0.1, ports: 80, servers: [{ name: a, address: 10.0.0.9, port: 8080 }]")
        }
        #expect(said(text(", port: 9081")) == [])
        #expect(said(text("")) == [])
        #expect(read(text(", port: 8080")).diagnostics.map(\.severity) == [.warning])
    }

    @Test func `a fallback under defaults that does not fit is reported once, with the way out`() {
        let text = services(
            "name: A, \(six)", "name: B, \(six.replacing("::1", with: "::2"))", "name: C, mode: tunnel, \(six.replacing("::1", with: "::3"))",
            "name: D, fallback: off, \(six.replacing("::1", with: "::4"))",
            more: "defaults: { mode: dr, fallback: { address: 10.0.0.7, port: 80 } }\n")
        #expect(
            said(text) == [
                "defaults.fallback.address: service A has an IPv6 address, and direct routing sends packets on unchanged (write an IPv6 address of the fallback server, or use mode tunnel, or write fallback in service A)",
                "defaults.fallback.port: in mode dr a packet's port is not translated: servers see the port that the client used, and listen on the service's own ports (delete port, or use mode nat or snat)",
            ])
    }

    // MARK: The balancer's own addresses and interfaces

    @Test func `floating addresses are the balancer's alone, each once`() {
        let text = services(
            "name: A, fallback: { address: 10.0.0.7 }, \(four)",
            more: "cluster: { floating-addresses: [10.0.0.3, 10.0.0.1, 10.0.0.9, 10.0.0.7, 10.0.0.3, 0.0.0.0, x] }\n")
        #expect(
            said(text) == [
                "cluster.floating-addresses[1]: 10.0.0.1 is the virtual address of service A (line 5), which floats anyway (delete it here)",
                "cluster.floating-addresses[2]: 10.0.0.9 is a real server of service A (line 5) (write an address that no other machine has)",
                "cluster.floating-addresses[3]: 10.0.0.7 is a fallback server of service A (line 5) (write an address that no other machine has)",
                "cluster.floating-addresses[4]: floating address 10.0.0.3 is already given in line 6 (delete one of the two)",
                "cluster.floating-addresses[5]: 0.0.0.0 is the unspecified address, which cannot be a floating address (write an address that real servers can reach)",
                "cluster.floating-addresses[6]: 'x' is not an IP address (write an IPv4 address such as 192.0.2.10, or an IPv6 address such as 2001:db8::10)",
            ])
    }

    @Test(arguments: [
        ("cluster: { floating-address: [10.0.0.3] }", "cluster.floating-address: unknown key 'floating-address' (did you mean floating-addresses?)"),
        ("floating-addresses: [10.0.0.3]", "floating-addresses: key 'floating-addresses' does not belong here (write it under cluster)"),
        ("cluster: { auto-nat: eth0 }", "cluster.auto-nat: key 'auto-nat' does not belong here (write it at the top of the file)"),
        ("auto_nat: eth0", "auto_nat: unknown key 'auto_nat' (did you mean auto-nat?)"),
        ("auto-nat: eth0/1", "auto-nat: 'eth0/1' cannot be the name of an interface (write a name as 'ip link' shows it, such as eth0)"),
        ("auto-nat: [eth0]", "auto-nat: is a list, not a single value (write a name as 'ip link' shows it, such as eth0)"),
        ("auto-nat:", "auto-nat: has no value (write a name as 'ip link' shows it, such as eth0)"),
    ])
    func `keys of the balancer itself are answered where they are wrong`(line: String, expected: String) {
        #expect(said(document(top: line)) == [expected])
    }

    @Test(arguments: ["auto-nat: ppp0", "cluster:", "cluster: {}", "cluster: { floating-addresses: }"])
    func `masquerade may leave by any interface, and a cluster may say nothing`(line: String) {
        #expect(complaints(document(top: line)) == [])
    }

    @Test(arguments: [
        ("-1", "'-1' is out of range (write a whole number from 0 to 2147483647)"),
        ("2147483648", "2147483648 is out of range (write a whole number from 0 to 2147483647)"),
        ("500", nil), ("0", nil), ("2147483647", nil),
    ])
    func `a limit of connections is a whole number`(written: String, expected: String?) {
        #expect(
            said(document(server: "max-connections: \(written)"))
                == (expected.map { ["services[A].servers[a].max-connections: \($0)"] } ?? []))
    }

    // MARK: Clients

    private func clients(_ text: String) -> [String] {
        said(services("name: A, clients: { \(text) }, \(four)")).map { $0.replacing("services[A].clients", with: "") }
    }

    @Test(arguments: [
        ("10.0.0.1/8", "'10.0.0.1/8' has bits behind its length (write 10.0.0.0/8 for the network, or 10.0.0.1 for the address alone)"),
        ("10.0.0.0/33", "'10.0.0.0/33' has no valid length (write a length from 0 to 32)"),
        ("10.0.0.0/255.0.0.0", "'10.0.0.0/255.0.0.0' has no valid length (write a length from 0 to 32)"),
        ("\"2001:db8::/129\"", "'2001:db8::/129' has no valid length (write a length from 0 to 128)"),
        ("10.0.0.0/08", "'10.0.0.0/08' has no valid length (write a length from 0 to 32)"),
        ("10/8", "'10/8' is not a prefix (write a prefix such as 192.0.2.0/24 or 2001:db8::/32, or an address)"),
        ("{}", "is a mapping, not a single value (write a prefix such as 192.0.2.0/24 or 2001:db8::/32, or an address)"),
    ])
    func `a prefix that cannot be read gets a clear answer`(written: String, expected: String) {
        #expect(clients("deny: [\(written)]") == [".deny[0]: \(expected)"])
    }

    @Test(arguments: ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3", "10.1.2.3/32", "\"::ffff:10.0.0.0/104\""])
    func `a prefix, or an address, is taken`(written: String) {
        #expect(clients("allow: [\(written)], deny: [10.9.0.0/16]") == [])
    }

    @Test func `a prefix stands in one list, once`() throws {
        let text = services("name: A, clients: { allow: [10.0.0.0/8, 10.0.0.0/8], deny: [10.1.0.0/16] }, \(four)")
        let result = read(text)
        #expect(try #require(result.configuration).services[0].clients.allow.count == 1)
        #expect(
            result.diagnostics.map(\.description) == [
                "f:5:47: warning: services[A].clients.allow[1]: 10.0.0.0/8 is already given in line 5 (delete one of the two)"
            ])
        #expect(
            clients("allow: [10.0.0.1], deny: [10.0.0.1/32]") == [
                ".deny[0]: 10.0.0.1/32 stands under allow as well, in line 5 (keep one of the two)"
            ])
    }

    @Test(arguments: [
        ("rate: 0", ".rate: 0 is out of range (write a whole number from 1 to 1000000)"),
        ("rate: 1000001", ".rate: 1000001 is out of range (write a whole number from 1 to 1000000)"),
        ("rate: 5/s", ".rate: '5/s' is not a number (write a whole number from 1 to 1000000)"),
        ("rate: 5, burst: 0", ".burst: 0 is out of range (write a whole number from 1 to 1000000)"),
        ("burst: 5", ".burst: there is no rate for it to exceed (write rate as well, or delete burst)"),
        ("rat: 5, burst: 5", ".rat: unknown key 'rat' (did you mean rate?)"),
        ("limit: 5", ".limit: unknown key 'limit' (the keys here are allow, deny, rate, burst)"),
    ])
    func `rates are whole numbers, and a burst needs one`(written: String, expected: String) {
        #expect(clients(written) == [expected])
    }

    @Test func `prefixes of the other family are idle, and a list of nothing else allows nobody`() {
        #expect(
            clients("allow: [10.0.0.0/8, fd00::/8], deny: [fd01::/16]") == [
                "warning: .allow[1]: fd00::/8 never matches: the clients of service A have IPv4 addresses (delete it)",
                "warning: .deny[0]: fd01::/16 never matches: the clients of service A have IPv4 addresses (delete it)",
            ])
        #expect(
            clients("allow: [fd00::/8]") == [
                ".allow: no prefix here is IPv4, so service A would take no client (add an IPv4 prefix)"
            ])
        let text = services(
            "name: A, \(four)", "name: B, \(six)", "name: C, \(six.replacing("::1", with: "::2"))",
            more: "defaults: { clients: { allow: [10.0.0.0/8] } }\n")
        #expect(
            said(text) == [
                "defaults.clients.allow: no prefix here is IPv6, so service B would take no client (add an IPv6 prefix, or write clients in service B)"
            ])
    }

    @Test func `65535 prefixes of clients are accepted in all services, and one more is not`() throws {
        let shared = (0..<255).map { "10.\($0).0.0/16" }.joined(separator: ", ")
        func text(_ more: Int) -> String {
            let lines = (0..<256).map { "  - { name: s\($0), address: 11.0.0.\($0), ports: 80, scheduler: rr, servers: [{ name: a, address: 12.0.0.1 }] }\n" }
            let last = (0..<more).map { "13.0.\($0).0/24" }.joined(separator: ", ")
            return "version: 1\nnode: { name: lb1 }\ninterfaces: [{ name: eth0 }]\ndefaults: { clients: { allow: [\(shared)] } }\nservices:\n"
                + lines.joined()
                + "  - { name: last, address: 11.0.1.1, ports: 80, clients: { deny: [\(last)] }, servers: [{ name: a, address: 12.0.0.1 }] }\n"
        }
        #expect(try #require(read(text(255)).configuration).services.count == 257)
        #expect(
            said(text(256)) == [
                "services[last].clients.deny[255]: there are more than 65535 prefixes of clients in all services (join prefixes into shorter ones, or filter clients before they reach the balancer)"
            ])
    }
}
