import LoadBalancing
import NetworkTypes
import RiptideConfiguration
import Testing

@Suite struct ReadingTests {
    @Test func `a configuration that says everything is read as it stands`() throws {
        let result = read(
            """
            version: 1
            node:
              name: lb1
            interfaces:
              - name: eth0
                xdp: native
              - { name: eth1 }
            datapath:
              flows: 1048576
              persistence: 2048
              timeouts: { tcp-established: 30m, tcp-fin: 10s, tcp-syn: 5s, udp: 1500ms }
            services:
              - name: Harmonic_Traffic
                mode: dr
                address: 192.168.94.110
                ports: 1935,554,50000-65535
                protocol: tcp/udp
                scheduler: maglev
                persistence:
                  prefix: 24
                  timeout: 10m
                servers:
                  - name: HT1
                    address: 192.168.94.115
                    weight: 7
                    max-connections: 0
                    state: drain
                  - { name: HT2, address: 192.168.94.116 }
              - { name: six, address: "2001:db8::1", ports: 443, protocol: udp, persistence: off,
                  servers: [{ name: s, address: 2001:db8::2 }] }
            """)
        #expect(result.diagnostics == [])
        let vip = try #require(IPAddress("192.168.94.110"))
        let six = try #require(IPAddress("2001:db8::1"))
        let expected = Configuration(
            node: NodeSettings(name: "lb1"),
            interfaces: [InterfaceSettings(name: "eth0", xdp: .native), InterfaceSettings(name: "eth1")],
            dataPath: DataPathSettings(
                flows: 1_048_576, persistence: 2048,
                timeouts: DataPathSettings.Timeouts(
                    tcpEstablished: .seconds(1800), tcpFin: .seconds(10), tcpSyn: .seconds(5), udp: .milliseconds(1500))),
            services: [
                VirtualService(
                    name: "Harmonic_Traffic", mode: .dr, address: vip, ports: try PortSet(parsing: "554,1935,50000-65535"),
                    protocols: [.tcp, .udp], scheduler: .maglev, persistence: Persistence(prefix: 24, timeout: .seconds(600)),
                    servers: [
                        RealServer(
                            name: "HT1", address: try #require(IPAddress("192.168.94.115")), weight: 7, state: .drain),
                        RealServer(name: "HT2", address: try #require(IPAddress("192.168.94.116"))),
                    ]),
                VirtualService(
                    name: "six", address: six, ports: try PortSet(parsing: "443"), protocols: [.udp], persistence: nil,
                    servers: [RealServer(name: "s", address: try #require(IPAddress("2001:db8::2")))]),
            ])
        #expect(result.configuration == expected)
    }

    @Test func `a configuration that says everything of the other modes is read as it stands`() throws {
        let result = read(
            """
            version: 1
            node: { name: lb1 }
            interfaces: [{ name: eth0 }]
            auto-nat: wan0.7
            services:
              - name: N
                mode: nat
                address: 192.0.2.1
                ports: 80
                persistence: off
                fallback: { address: 10.0.0.200, port: 8080 }
                expire: true
                clients:
                  allow: [10.0.0.0/8, 192.0.2.77]
                  deny: [10.1.0.0/16]
                  rate: 100
                  burst: 200
                servers:
                  - { name: a, address: 10.0.0.2, port: 8080, max-connections: 500 }
                  - { name: b, address: 10.0.0.2, port: 8081 }
              - name: S
                mode: snat
                address: "2001:db8::1"
                ports: 80
                persistence: off
                source: { addresses: ["2001:db8::9", "2001:db8::1"], ports: 2000-2063 }
                expire: false
                clients: { rate: 7 }
                servers: [{ name: a, address: "2001:db8:1::2", port: 65535 }]
              - name: T
                mode: tunnel
                address: 192.0.2.3
                ports: 80
                persistence: off
                encapsulation: gue
                fallback: { address: "2001:db8:1::3" }
                servers: [{ name: a, address: "2001:db8:1::2" }, { name: b, address: 198.51.100.2 }]
            cluster:
              floating-addresses: [10.0.0.1, "2001:db8:1::1"]
            """)
        #expect(result.diagnostics == [])
        func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
        func prefix(_ text: String) throws -> Prefix { try #require(Prefix(text)) }
        let web = try PortSet(parsing: "80")
        let six = try address("2001:db8:1::2")
        var nat = VirtualService(
            name: "N", mode: .nat, address: try address("192.0.2.1"), ports: web, persistence: nil,
            servers: [
                RealServer(name: "a", address: try address("10.0.0.2"), port: 8080, maxConnections: 500),
                RealServer(name: "b", address: try address("10.0.0.2"), port: 8081),
            ])
        nat.fallback = Fallback(address: try address("10.0.0.200"), port: 8080)
        nat.resetsOrphans = true
        nat.clients = ClientRules(
            allow: [try prefix("10.0.0.0/8"), try prefix("192.0.2.77/32")], deny: [try prefix("10.1.0.0/16")], rate: 100,
            burst: 200)
        var snat = VirtualService(
            name: "S", mode: .snat, address: try address("2001:db8::1"), ports: web, persistence: nil,
            servers: [RealServer(name: "a", address: six, port: 65535)])
        snat.source = SourcePool(addresses: [try address("2001:db8::9"), snat.address], ports: 2000...2063)
        snat.clients = ClientRules(rate: 7, burst: 7)
        var tunnel = VirtualService(
            name: "T", mode: .tunnel, address: try address("192.0.2.3"), ports: web, persistence: nil,
            servers: [
                RealServer(name: "a", address: six), RealServer(name: "b", address: try address("198.51.100.2")),
            ])
        tunnel.encapsulation = .gue
        tunnel.fallback = Fallback(address: try address("2001:db8:1::3"))
        let configuration = try #require(result.configuration)
        #expect(configuration.services == [nat, snat, tunnel])
        #expect(configuration.autoNAT == "wan0.7")
        #expect(configuration.floatingAddresses == [try address("10.0.0.1"), try address("2001:db8:1::1")])
    }

    @Test func `what is left out has its documented default`() throws {
        let configuration = try #require(read(document()).configuration)
        #expect(configuration.interfaces == [InterfaceSettings(name: "eth0", xdp: .auto)])
        #expect(configuration.dataPath == DataPathSettings())
        let service = try #require(configuration.services.first)
        #expect(service.mode == .dr)
        #expect(service.protocols == [.tcp])
        #expect(service.scheduler == .wlc)
        #expect(service.persistence == Persistence(prefix: 32, timeout: .seconds(300)))
        #expect(service.servers.first?.weight == 100)
        #expect(service.servers.first?.state == .online)
        #expect(service.servers.first?.port == nil)
        #expect(service.servers.first?.maxConnections == 0)
        #expect(service.encapsulation == .ipip)
        #expect(service.source == SourcePool(addresses: [], ports: 1024...32767))
        #expect(service.fallback == nil)
        #expect(!service.resetsOrphans)
        #expect(service.clients == ClientRules(allow: [], deny: [], rate: nil))
        #expect(configuration.autoNAT == nil)
        #expect(configuration.floatingAddresses == [])
    }

    @Test func `persistence of an IPv6 service is by the whole address by default`() throws {
        let text = document(address: "2001:db8::1", serverAddress: "2001:db8::2")
        #expect(try #require(read(text).configuration).services[0].persistence?.prefix == 128)
    }

    @Test func `services take from defaults what they do not say themselves`() throws {
        let result = read(
            """
            version: 1
            node: { name: lb1 }
            interfaces: [{ name: eth0 }]
            defaults:
              scheduler: sh
              protocol: udp
              persistence: { prefix: 24, timeout: 1h }
            services:
              - { name: A, address: 10.0.0.1, ports: 80, servers: [{ name: a, address: 10.0.0.9 }] }
              - { name: B, address: 10.0.0.2, ports: 80, scheduler: rr, persistence: off,
                  servers: [{ name: a, address: 10.0.0.9 }] }
              - { name: C, address: 10.0.0.3, ports: 80, persistence: { timeout: 1m },
                  servers: [{ name: a, address: 10.0.0.9 }] }
            """)
        let services = try #require(result.configuration).services
        #expect(result.diagnostics == [])
        #expect(services.map(\.scheduler) == [.sh, .rr, .sh])
        #expect(services.map(\.protocols) == [[.udp], [.udp], [.udp]])
        #expect(services[0].persistence == Persistence(prefix: 24, timeout: .seconds(3600)))
        #expect(services[1].persistence == nil)
        #expect(services[2].persistence == Persistence(prefix: 32, timeout: .seconds(60)))
    }

    @Test func `defaults of layer 4 apply where the mode has a use for them, and can be taken back`() throws {
        let result = read(
            """
            version: 1
            node: { name: lb1 }
            interfaces: [{ name: eth0 }]
            defaults:
              mode: snat
              encapsulation: gue
              source: { ports: 2000-2999 }
              fallback: { address: 10.0.0.7 }
              expire: true
              clients: { allow: [10.0.0.0/8, fd00::/8], deny: [fd01::/16], rate: 5, burst: 9 }
            services:
              - { name: A, address: 10.0.0.1, ports: 80, servers: [{ name: a, address: 10.0.0.9, port: 81 }] }
              - { name: B, address: 10.0.0.2, ports: 80, mode: dr, fallback: off, expire: false, clients: {},
                  servers: [{ name: a, address: 10.0.0.9 }] }
              - { name: C, address: "2001:db8::3", ports: 80, mode: tunnel, servers: [{ name: a, address: 10.0.0.9 }] }
              - { name: D, address: 10.0.0.4, ports: 80, source: {}, servers: [{ name: a, address: 10.0.0.9 }] }
            """)
        #expect(result.diagnostics == [])
        let services = try #require(result.configuration).services
        #expect(services.map(\.mode) == [.snat, .dr, .tunnel, .snat])
        #expect(services.map(\.encapsulation) == [.ipip, .ipip, .gue, .ipip])
        #expect(services.map(\.source.ports) == [2000...2999, 1024...32767, 1024...32767, 1024...32767])
        #expect(services.map { $0.fallback?.address.description } == ["10.0.0.7", nil, "10.0.0.7", "10.0.0.7"])
        #expect(services.map(\.resetsOrphans) == [true, false, true, true])
        #expect(services.map(\.clients.rate) == [5, nil, 5, 5])
        #expect(services.map(\.clients.allow.description) == ["[10.0.0.0/8]", "[]", "[fd00::/8]", "[10.0.0.0/8]"])
        #expect(services.map(\.clients.deny.description) == ["[]", "[]", "[fd01::/16]", "[]"])
    }

    @Test(arguments: [("80", "80"), ("[80, 443]", "80,443"), ("[8000-8010, 80]", "80,8000-8010"), ("\"80,443\"", "80,443")])
    func `ports may be a number, a text or a list`(written: String, expected: String) throws {
        #expect(try #require(read(document(ports: written)).configuration).services[0].ports.description == expected)
    }

    @Test func `a configuration without services is complete`() throws {
        for text in ["", "services: []", "services:", "services: null\ninterfaces: []\ndefaults: {}"] {
            let result = read("version: 1\nnode: { name: lb1 }\n\(text)\n")
            #expect(result.configuration == Configuration(node: NodeSettings(name: "lb1")), "\(text)")
            #expect(result.diagnostics == [])
        }
    }

    @Test func `names that YAML takes for something else are the text as written`() throws {
        for name in ["yes", "010", "1e3", "2001-01-01", "\"null\""] {
            let text = document().replacing("name: A", with: "name: \(name)")
            #expect(try #require(read(text).configuration).services[0].name == name.filter { $0 != "\"" })
        }
    }

    @Test func `a byte order mark and Windows line ends do not matter`() throws {
        let text = "\u{feff}" + document().split(separator: "\n").joined(separator: "\r\n")
        #expect(read(text).diagnostics == [])
        #expect(complaints(text.replacing("ports: 80", with: "ports: 0"))
            == ["7:12: services[A].ports: port 0 is out of range (write 1 to 65535)"])
    }
}

extension String {
    /// This text with every occurrence of `part` replaced.
    func replacing(_ part: String, with other: String) -> String {
        var (result, rest) = ("", self[...])
        while let range = rest.firstRange(of: part) {
            result += rest[..<range.lowerBound] + other
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}
