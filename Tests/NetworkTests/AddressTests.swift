import Glibc
import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    @Suite("Virtual addresses on the network", .serialized)
    struct AddressTests {
        let lab: Lab

        init() throws { lab = try Lab() }

        private func daemon() throws -> Daemon {
            try Daemon(
                in: lab.balancer.namespace,
                configuration([
                    ServiceText("web", Lab.vip, servers: lab.servers), ServiceText("web6", Lab.vip6, servers: lab.servers),
                ]))
        }

        /// What the client hears of the VIP, until it has been silent for a while.
        private func claims(_ tap: borrowing PacketTap, of vip: IPAddress) throws -> [AddressClaim] {
            var claims: [AddressClaim] = []
            while let frame = try tap.receive(
                within: .milliseconds(300), where: { AddressClaim($0)?.address == vip })
            {
                claims += AddressClaim(frame).map { [$0] } ?? []
            }
            return claims
        }

        private func ping(_ vip: IPAddress) throws -> Bool {
            try Command.run(["ping", "-n", "-c", "1", "-W", "2", "\(vip)"], in: lab.client.namespace).status == 0
        }

        @Test("Taking a VIP is announced to all, with the balancer's MAC", arguments: [Lab.vip, Lab.vip6])
        func announcement(vip: IPAddress) throws {
            let tap = try PacketTap(lab.client.namespace, interface: "eth0")
            let daemon = try daemon()
            try daemon.start()
            let first = try tap.receive(within: .seconds(5)) { AddressClaim($0)?.address == vip }
            let claim = try #require(first.flatMap { AddressClaim($0) })
            #expect(claim.mac == lab.balancer.mac && !claim.isAnswer)
            // Once more at least: a frame may be lost.
            let second = try tap.receive(within: .seconds(5)) { AddressClaim($0)?.address == vip }
            #expect(second.flatMap { AddressClaim($0) } == claim)
        }

        @Test("Who asks for a VIP gets one answer, from XDP, and a daemon is not needed for it", arguments: [Lab.vip, Lab.vip6])
        func resolution(vip: IPAddress) throws {
            let daemon = try daemon()
            try daemon.start()
            try daemon.awaitServers()
            let counter = vip.family == .ipv4 ? "reply.arp" : "reply.nd"
            for isAlive in [true, false] {
                try lab.client.namespace.ip("neigh flush dev eth0")
                let before = isAlive ? try daemon.counters()[counter] : nil
                let tap = try PacketTap(lab.client.namespace, interface: "eth0")
                #expect(try ping(vip), "the balancer's kernel answers ping for the VIP")
                let answers = try claims(tap, of: vip).filter(\.isAnswer)
                #expect(answers.map(\.mac) == [lab.balancer.mac])
                if isAlive {
                    #expect(try daemon.counters()[counter] == before.map { $0 + 1 })
                    try daemon.kill()
                }
            }
        }

        @Test("The balancer has its VIPs on lo: those of the configuration, and no others")
        func loopback() throws {
            let daemon = try daemon()
            try daemon.start()
            #expect(try lab.balancer.vipsOnLoopback() == [Lab.vip, Lab.vip6])
            try daemon.apply(configuration([ServiceText("web", Lab.secondVIP, servers: lab.servers)]))
            #expect(try lab.balancer.vipsOnLoopback() == [Lab.secondVIP])
            try daemon.terminate()
            #expect(try lab.balancer.vipsOnLoopback() == [Lab.secondVIP], "they stay, like forwarding, when the daemon ends")
        }

        @Test("A VIP that is given up is answered for no longer")
        func givenUp() throws {
            let daemon = try daemon()
            try daemon.start()
            #expect(try ping(Lab.vip))
            try daemon.apply(configuration([ServiceText("web", Lab.secondVIP, servers: lab.servers)]))
            try lab.client.namespace.ip("neigh flush dev eth0")
            let tap = try PacketTap(lab.client.namespace, interface: "eth0")
            _ = try Command.run(["arping", "-c", "1", "-w", "1", "-I", "eth0", "\(Lab.vip)"], in: lab.client.namespace)
            #expect(try claims(tap, of: Lab.vip) == [])
            #expect(try ping(Lab.secondVIP))
        }
    }
}
