import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Interfaces that come and go", .serialized)
    struct InterfaceTests {
        let lab: Lab
        let servers: [AnsweringServer]

        init() throws {
            lab = try Lab()
            servers = try lab.servers.map { try AnsweringServer($0, tcp: [80]) }
        }

        private func text() -> String {
            configuration([
                ServiceText("web", Lab.vip, servers: lab.servers), ServiceText("web6", Lab.vip6, servers: lab.servers),
            ])
        }

        private func expectService(of daemon: Daemon, _ comment: Comment) throws {
            try daemon.awaitServers()
            for vip in [Lab.vip, Lab.vip6] {
                // Neighbours of the client may still have the word of before.
                try lab.client.namespace.ip("neigh flush dev eth0")
                #expect(try Set((0..<6).map { _ in try lab.client.askTCP(Endpoint(vip, 80)) }).count == 3, comment)
            }
        }

        @Test("A cable that is pulled and plugged in again")
        func carrier() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text())
            try lab.setPort(of: lab.balancer, up: false)
            #expect(throws: SocketFailure.self) {
                try Conversation(lab.client, to: Endpoint(Lab.vip, 80), within: .milliseconds(200))
            }
            try lab.setPort(of: lab.balancer, up: true)
            try expectService(of: daemon, "after the cable is back")
        }

        @Test("An interface that an operator sets down and up")
        func down() throws {
            defer { servers.forEach { $0.close() } }
            // Else the kernel forgets IPv6 addresses of interfaces that are down.
            try lab.balancer.namespace.sysctl("net", "ipv6", "conf", "eth0", "keep_addr_on_down", value: 1)
            let daemon = try Daemon.running(in: lab.balancer.namespace, text())
            try lab.balancer.namespace.ip("link set eth0 down")
            try eventually("the servers are out of reach") { try daemon.service("web").colour == "red" }
            try lab.balancer.namespace.ip("link set eth0 up")
            try expectService(of: daemon, "after the interface is up")
        }

        @Test("An interface that is deleted and made anew under its name is attached again")
        func recreated() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text())
            try lab.balancer.namespace.ip("link del eth0")
            try eventually("the interface is told to be missing") { try daemon.dataPath().attached.map(\.mode) == ["none"] }
            try lab.connect(lab.balancer)
            try lab.acceptTransmittedFrames(of: lab.balancer)
            try eventually("it is attached") { try daemon.dataPath().attached.map(\.mode) == ["native"] }
            try expectService(of: daemon, "on the new interface")
        }

        @Test("An interface that is not there yet at start is used as soon as it appears, beside one that is")
        func late() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(
                in: lab.balancer.namespace,
                configuration([ServiceText("web", Lab.vip, servers: lab.servers)], interfaces: ["eth0", "eth1"]))
            #expect(try daemon.dataPath().attached.map(\.mode) == ["native", "none"])
            #expect(try daemon.read(StatusDocument.self, "status").warnings.contains { $0.contains("eth1") })
            try TestNamespace.connect(CableEnd(lab.network, "spare"), CableEnd(lab.balancer.namespace, "eth1"))
            try eventually("it is attached") { try daemon.dataPath().attached.map(\.mode) == ["native", "native"] }
            #expect(try lab.client.askTCP(Endpoint(Lab.vip, 80)).hasPrefix("server"))
        }

        @Test("The balancer's own MAC changes: the VIP is reached at the new one")
        func ownMAC() throws {
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(in: lab.balancer.namespace, text())
            let new = MACAddress(lab.balancer.mac.value | 0xaa00)
            try lab.balancer.namespace.ip("link set eth0 address \(new)")
            try eventually("the VIP is answered with the new MAC") {
                try lab.client.namespace.ip("neigh flush dev eth0")
                _ = try? Conversation(lab.client, to: Endpoint(Lab.vip, 80), within: .milliseconds(200))
                return try lab.client.namespace.ip("neigh show \(Lab.vip)").contains("\(new)")
            }
            try expectService(of: daemon, "at the new MAC")
        }
    }

    @Suite("Two interfaces: clients on one, real servers on the other")
    struct TwoArmTests {
        @Test("Packets go in by one and out by the other, and answers come past the balancer", arguments: ["native", "generic"])
        func forward(mode: String) throws {
            // The lab's own network has the clients. A second switch has the servers, and a router connects the two.
            let lab = try Lab(servers: 1)
            let back = try TestNamespace("back")
            for scope in ["all", "default"] { try back.sysctl("net", "ipv6", "conf", scope, "disable_ipv6", value: 1) }
            try back.ip("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
            try back.ip("link set br0 up")
            func join(_ name: String, _ end: CableEnd) throws {
                try TestNamespace.connect(CableEnd(back, name), end)
                try back.ip("link set \(name) master br0")
            }
            let router = try TestNamespace("router")
            for scope in ["all", "default"] { try router.sysctl("net", "ipv4", "conf", scope, "rp_filter", value: 0) }
            try router.sysctl("net", "ipv4", "ip_forward", value: 1)
            try router.sysctl("net", "ipv6", "conf", "all", "forwarding", value: 1)
            try join("router", CableEnd(router, "eth1", addresses: ["10.78.0.1/24", "fd78::1/64"]))
            try TestNamespace.connect(
                CableEnd(lab.network, "router"), CableEnd(router, "eth0", addresses: ["10.77.0.1/16", "fd77::1/64"]))
            try lab.network.ip("link set router master br0")
            try join(
                "balancer",
                CableEnd(
                    lab.balancer.namespace, "eth1", mac: MACAddress(0x0278_0000_0002),
                    addresses: ["10.78.0.2/24", "fd78::2/64"]))
            try back.acceptTransmittedFrames(port: "balancer")
            let hosts = try (1...2).map { number in
                let host = Host(
                    name: "back\(number)", namespace: try TestNamespace("back\(number)"),
                    mac: MACAddress(0x0278_0000_0010 + UInt64(number)), ipv4: address("10.78.0.1\(number)"),
                    ipv6: address("fd78::1\(number)"))
                try join(
                    host.name,
                    CableEnd(host.namespace, "eth0", mac: host.mac, addresses: ["\(host.ipv4)/24", "\(host.ipv6)/64"]))
                try host.namespace.takeVIPs(Lab.vips)
                try host.namespace.ip("route add default via 10.78.0.1")
                try host.namespace.ip("-6 route add default via fd78::1")
                return host
            }
            let servers = try hosts.map { try AnsweringServer($0, tcp: [80], udp: [80]) }
            defer { servers.forEach { $0.close() } }
            let daemon = try Daemon.running(
                in: lab.balancer.namespace,
                configuration(
                    [
                        ServiceText("web", Lab.vip, protocols: "tcp/udp", servers: hosts),
                        ServiceText("web6", Lab.vip6, protocols: "tcp/udp", servers: hosts),
                    ], interfaces: ["eth0", "eth1"], xdp: mode))
            #expect(try daemon.dataPath().attached.map(\.mode) == [mode, mode])
            #expect(try daemon.server("web", "back1").interface == "eth1")
            for vip in [Lab.vip, Lab.vip6] {
                let conversation = try Conversation(lab.client, to: Endpoint(vip, 80))
                #expect(try conversation.echoes(300_000))
                #expect(try Set((0..<4).map { _ in try lab.client.askTCP(Endpoint(vip, 80)) }) == ["back1", "back2"])
                #expect(try lab.client.askUDP(Endpoint(vip, 80)) != nil)
            }
        }
    }
}
