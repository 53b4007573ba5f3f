import NetworkTypes
import TestSupport
import Testing

extension NetworkTests {
    /// No host of these has any setting of a segment size or an MTU.
    @Suite("Path MTU", .serialized)
    struct PathMTUTests {
        private static let families = [IPAddress.Family.ipv4, .ipv6]

        /// Transfers of both families through a balancer on this site, and the counters after them.
        private func transfer(_ mode: Mode, _ site: Site, megabytes: Int) throws -> [String: Int] {
            let vips = Self.families.map { site.vip(1, $0) }
            if !mode.translates { try site.giveServers(vips) }
            let server = try WebServer(site.servers[0])
            let services = vips.map {
                ServiceText(
                    "web-\($0.family)", $0, keys: mode.keys, servers: [site.servers[0]],
                    serverKeys: mode.translates ? ["port: 8080"] : [])
            }
            let daemon = try Daemon.running(
                in: site.balancer.namespace, configuration(services, interfaces: site.interfaces))
            let file = try RandomFile(megabytes: megabytes)
            for vip in vips {
                let url = "http://\(Endpoint(vip, 80))/"
                #expect(try site.client.transfer(file.path, by: url) { server.path(of: $0) }, "\(vip)")
            }
            #expect(try daemon.complaints() == [:])
            return try daemon.counters()
        }

        /// What the client has learnt about the way to the VIP.
        private func learntMTU(_ site: Site, _ family: IPAddress.Family) throws -> Int? {
            let words = try site.client.namespace.ip("route get \(site.vip(1, family))").split(separator: " ")
            return words.firstIndex(of: "mtu").flatMap { Int(words[$0 + 1]) }
        }

        @Test("100 MB go each way through a tunnel over paths of 1 500 octets", arguments: [Mode.ipip, .gue])
        func tunnel(mode: Mode) throws {
            let site = try Site(.two, servers: .far, count: 1)
            let counters = try transfer(mode, site, megabytes: 100)
            #expect(counters["reply.too-big", default: 0] >= 2)
            for family in Self.families {
                #expect(try learntMTU(site, family) == 1500 - mode.overhead(family))
            }
        }

        @Test(
            "A narrow hop behind the balancer is learnt from its router's message, and told to the client",
            arguments: [Mode.ipip, .gue, .snat])
        func narrowBehind(mode: Mode) throws {
            let site = try Site(.two, servers: .far, count: 1, middleMTU: 1400)
            let counters = try transfer(mode, site, megabytes: 10)
            if mode == .snat { #expect(counters["forward.error", default: 0] >= 2) }
            for family in Self.families {
                #expect(try learntMTU(site, family) == 1400 - mode.overhead(family))
            }
        }

        @Test("A narrow hop before the client is told to the real server", arguments: Mode.allCases)
        func narrowBefore(mode: Mode) throws {
            let site = try Cell(mode: mode, arms: .one).site()
            for family in Self.families {
                // What the client sends must fit, as this is its first hop; what it asks for does not.
                let (bits, headers) = family == .ipv4 ? (24, 40) : (64, 60)
                try site.client.namespace.ip(
                    "route replace \(Site.Network.inside.at(0, family))/\(bits) via \(Site.Network.outside.at(1, family)) "
                        + "mtu lock 1300 advmss \(1500 - headers)")
            }
            try site.router.ip("link set outside mtu 1300")
            let counters = try transfer(mode, site, megabytes: 10)
            #expect(counters["forward.error", default: 0] >= 2)
        }
    }
}

extension Mode {
    /// Octets of the outer header.
    fileprivate func overhead(_ family: IPAddress.Family) -> Int {
        isTunnel ? (family == .ipv4 ? 20 : 40) + (self == .gue ? 8 : 0) : 0
    }
}
