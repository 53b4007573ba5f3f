import NetworkTypes
import RiptideConfiguration
import Testing

@Suite struct RuleTests {
    /// Services in flow style, each on a line of its own from line 5 on.
    private func services(_ lines: String...) -> String {
        "version: 1\nnode: { name: lb1 }\ninterfaces: [{ name: eth0 }]\nservices:\n"
            + lines.map { "  - { \($0) }\n" }.joined()
    }

    private let server = "servers: [{ name: a, address: 10.0.0.9 }]"

    @Test func `names of services and of a service's real servers are unique`() {
        let text = services(
            "name: A, address: 10.0.0.1, ports: 80, servers: [{ name: a, address: 10.0.0.9 }, { name: a, address: 10.0.0.8 }]",
            "name: A, address: 10.0.0.2, ports: 80, \(server)")
        #expect(
            complaints(text) == [
                "5:96: services[A].servers[a].name: real server a is already given in line 5 (write another name)",
                "6:13: services[A].name: service A is already given in line 5 (write another name)",
            ])
    }

    @Test func `an address serves a service once, and several services as they like`() {
        let text = services(
            "name: A, address: 10.0.0.1, ports: 80, servers: [{ name: a, address: 10.0.0.9 }, { name: b, address: 10.0.0.9 }]",
            "name: B, address: 10.0.0.1, ports: 81, \(server)")
        #expect(
            complaints(text) == [
                "5:108: services[A].servers[b].address: a real server of this service has 10.0.0.9 already, in line 5 (write another address, or delete one of the two)"
            ])
    }

    @Test func `services that share ports are both named, with the ports and the line`() {
        let text = services(
            "name: A, address: 10.0.0.1, ports: \"80,443,8000-8010\", protocol: tcp/udp, \(server)",
            "name: B, address: 10.0.0.1, ports: \"443,8005-9000\", \(server)",
            "name: C, address: 10.0.0.1, ports: 8001, protocol: udp, \(server)",
            "name: D, address: 10.0.0.2, ports: 80, \(server)")
        #expect(
            complaints(text) == [
                "6:42: services[B].ports: services B and A (line 5) both have 10.0.0.1 tcp ports 443,8005-8010 (take these ports from one of the two, or use another address)",
                "7:42: services[C].ports: services C and A (line 5) both have 10.0.0.1 udp ports 8001 (take these ports from one of the two, or use another address)",
            ])
    }

    @Test func `every overlapping pair is reported, in whichever order the ports come`() {
        let text = services(
            "name: A, address: 10.0.0.1, ports: 300-400, \(server)", "name: B, address: 10.0.0.1, ports: 1-1000, \(server)",
            "name: C, address: 10.0.0.1, ports: 350, \(server)")
        let pairs = read(text).diagnostics.map { $0.message.prefix { $0 != "(" } }
        #expect(pairs == ["services B and A ", "services C and A ", "services C and B "])
    }

    @Test func `different addresses, protocols or ports do not overlap`() {
        let text = services(
            "name: A, address: 10.0.0.1, ports: 80, \(server)", "name: B, address: 10.0.0.1, ports: 80, protocol: udp, \(server)",
            "name: C, address: 10.0.0.1, ports: 81-90, \(server)", "name: D, address: 10.0.0.2, ports: 80, \(server)")
        #expect(complaints(text) == [])
    }

    @Test(arguments: [
        ("224.0.0.1", "a multicast address"), ("ff02::1", "a multicast address"), ("0.0.0.0", "the unspecified address"),
        ("\"::\"", "the unspecified address"), ("127.0.0.1", "a loopback address"), ("::1", "a loopback address"),
        ("169.254.1.1", "a link-local address"), ("fe80::1", "a link-local address"),
        ("255.255.255.255", "the broadcast address"),
    ])
    func `an address that no client can reach is no virtual address`(address: String, fault: String) {
        let family = address.contains(":") ? "2001:db8::2" : "10.0.0.2"
        let shown = address.filter { $0 != "\"" }
        #expect(
            complaints(document(address: address, serverAddress: family)) == [
                "6:14: services[A].address: \(shown) is \(fault), which cannot be a virtual address (write an address that clients can reach)"
            ])
    }

    @Test(arguments: ["224.0.0.1", "127.0.0.1", "0.0.0.0", "::1", "fe80::1"])
    func `an address that no machine can have is no real server`(address: String) {
        let found = read(document(serverAddress: address)).diagnostics
        #expect(found.map(\.path) == ["services[A].servers[a].address"])
        #expect(found.first?.message.hasSuffix("which cannot be a real server") == true)
    }

    @Test func `direct routing does not cross families, translate ports or go beyond IPv4's prefix`() {
        #expect(
            complaints(document(serverAddress: "2001:db8::2")) == [
                "10:18: services[A].servers[a].address: service A has an IPv4 address, and direct routing sends packets on unchanged (write an IPv4 address of the real server, or use mode tunnel)"
            ])
        #expect(
            complaints(document(server: "port: 8080")) == [
                "11:15: services[A].servers[a].port: in mode dr a packet's port is not translated: servers see the port that the client used, and listen on the service's own ports (delete port, or use mode nat or snat)"
            ])
        #expect(
            complaints(document(service: "persistence: { prefix: 33 }")) == [
                "12:28: services[A].persistence.prefix: prefix 33 is longer than the IPv4 addresses of service A's clients (write 1 to 32, or delete prefix to tell clients apart by their whole address)"
            ])
    }

    @Test func `a default prefix that does not fit is reported once`() {
        let text = services(
            "name: A, address: 10.0.0.1, ports: 80, \(server)", "name: B, address: 10.0.0.2, ports: 80, \(server)",
            "name: C, address: \"2001:db8::1\", ports: 80, servers: [{ name: a, address: \"2001:db8::9\" }]")
        #expect(read(text + "defaults: { persistence: { prefix: 64 } }\n").diagnostics.map(\.path)
            == ["defaults.persistence.prefix"])
    }

    @Test func `a real server is never a virtual address, of its own or another service`() {
        let text = services(
            "name: A, address: 10.0.0.1, ports: 80, servers: [{ name: a, address: 10.0.0.1 }, { name: b, address: 10.0.0.2 }]",
            "name: B, address: 10.0.0.2, ports: 80, \(server)")
        #expect(
            complaints(text) == [
                "5:76: services[A].servers[a].address: 10.0.0.1 is the virtual address of service A (line 5) (write the real server's own address)",
                "5:108: services[A].servers[b].address: 10.0.0.2 is the virtual address of service B (line 6) (write the real server's own address)",
            ])
    }

    @Test(arguments: [
        ("mode: proxy", "mode", "layer 7 (mode proxy)", "write dr, nat, snat or tunnel"),
        ("protocol: http", "protocol", "layer 7 (protocol http)", "write tcp"),
    ])
    func `what this version cannot do is refused by name`(line: String, key: String, what: String, cure: String) {
        let found = read(document(service: line)).diagnostics
        #expect(found.map { "\($0.path): \($0.message) (\($0.cure))" }
            == ["services[A].\(key): this version cannot do \(what) yet (\(cure))"])
    }

    @Test func `what makes a pair is refused key by key, and the rest of cluster is taken`() {
        let cluster = "cluster: { local: 10.0.0.3, peer: 10.0.0.4, heartbeat: { misses: 3 }, ping-nodes: [], floating-addresses: [10.0.0.5] }"
        #expect(
            complaints(document(top: cluster)) == [
                "13:12: cluster.local: this version cannot do high-availability pairs (cluster.local) yet (delete local)",
                "13:29: cluster.peer: this version cannot do high-availability pairs (cluster.peer) yet (delete peer)",
                "13:45: cluster.heartbeat: this version cannot do high-availability pairs (cluster.heartbeat) yet (delete heartbeat)",
                "13:71: cluster.ping-nodes: this version cannot do high-availability pairs (cluster.ping-nodes) yet (delete ping-nodes)",
            ])
        #expect(complaints(document(top: "cluster: { floating-addresses: [10.0.0.5] }")) == [])
    }

    @Test func `checks are read for their form, and warned about`() {
        let whole = """
            check: { type: https, method: OPTIONS, request: /, host: h, sni: s, port: 443, interval: 10s, timeout: 500ms,
                    rise: 1, fall: 3, source-address: 10.0.0.3, via: vip,
                    expect: { status: 200, equals: a, contains: b, matches: c } }
            """
        let result = read(document(service: whole))
        #expect(result.configuration != nil)
        #expect(result.diagnostics.map(\.description) == [
            "f:12:12: warning: services[A].check: this version does not run checks yet: every real server counts as up (write type: none to silence this)"
        ])
        #expect(complaints(document(service: "check: { type: none }")) == [])
        #expect(
            read(document(service: "check: { type: htps, metod: GET, interval: 5, expect: { status: OK } }")).diagnostics.map(\.path)
                == ["services[A].check.type", "services[A].check.metod", "services[A].check.interval", "services[A].check.expect.status"])
    }

    @Test func `services that take no connections, and defaults of no use, are warned about`() {
        let text = services(
            "name: A, address: 10.0.0.1, ports: 80, scheduler: rr, servers: [{ name: a, address: 10.0.0.8, weight: 0 }, { name: b, address: 10.0.0.9, state: drain }]",
            "name: B, address: 10.0.0.2, ports: 80, scheduler: rr, servers: []",
            "name: C, address: 10.0.0.3, ports: 80, scheduler: rr")
        let result = read(text + "defaults: { scheduler: sh, mode: dr }\n")
        #expect(result.configuration != nil)
        #expect(
            result.diagnostics.map { "\($0.line):\($0.column) \($0.severity) \($0.path): \($0.message)" } == [
                "5:61 warning services[A].servers: no real server of service A takes new connections",
                "6:61 warning services[B].servers: service B has no real server",
                "7:5 warning services[C]: service C has no real server",
                "8:13 warning defaults.scheduler: no service uses this default",
            ])
    }

    @Test func `defaults refuse what only a service can say`() {
        #expect(
            read(document(top: "defaults: { address: 10.0.0.1, scheduller: rr }")).diagnostics.map { "\($0.path): \($0.message) (\($0.cure))" } == [
                "defaults.address: key 'address' does not belong here (write it in each service)",
                "defaults.scheduller: unknown key 'scheduller' (did you mean scheduler?)",
            ])
    }

    @Test(arguments: ["", "interfaces: []", "interfaces:"])
    func `services need an interface`(interfaces: String) {
        let text = services("name: A, address: 10.0.0.1, ports: 80, \(server)")
            .replacing("interfaces: [{ name: eth0 }]", with: interfaces)
        #expect(
            complaints(text) == [
                "4:1: services: there are services but no interfaces to receive them on (add interfaces: [{ name: eth0 }] with the name of a network interface)"
            ])
    }

    @Test func `interfaces are named once, as the kernel names them`() {
        let text = "version: 1\nnode: { name: a }\ninterfaces: [{ name: e0 }, { name: e0 }, { name: a/b }, { name: eth0 x }, { name: abcdefghijklmnop }, { name: e1, xdp: fast }]\n"
        #expect(
            read(text).diagnostics.map { "\($0.path): \($0.message)" } == [
                "interfaces[e0].name: interface e0 is already given in line 3",
                "interfaces[2].name: 'a/b' cannot be the name of an interface",
                "interfaces[3].name: 'eth0 x' cannot be the name of an interface",
                "interfaces[abcdefghijklmnop].name: 'abcdefghijklmnop' cannot be the name of an interface",
                "interfaces[e1].xdp: 'fast' is not one of the choices",
            ])
    }

    @Test func `65535 real servers are accepted, and one more is not`() {
        func text(_ last: Int) -> String {
            let services = (0..<256).map { s in
                let servers = (0..<(s == 255 ? last : 256)).map { "{ name: r\($0), address: 10.\(s).1.\($0) }" }
                return "name: s\(s), address: 11.0.0.\(s), ports: 80, servers: [\(servers.joined(separator: ", "))]"
            }
            return "version: 1\nnode: { name: lb1 }\ninterfaces: [{ name: eth0 }]\nservices:\n"
                + services.map { "  - { \($0) }\n" }.joined()
        }
        #expect(read(text(255)).configuration?.services.count == 256)
        #expect(read(text(256)).diagnostics.map { "\($0.path): \($0.message)" }
            == ["services[s255].servers[r255]: there are more than 65535 real servers in all"])
    }
}
