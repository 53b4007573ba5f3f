import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import TestSupport
import Testing

extension DataPlaneKernelTests {
    /// A client's server, across ports, protocols and connections.
    @Suite struct Affinity {
        /// Two servers in turn: without affinity every other connection goes elsewhere.
        static func service(_ family: Family = .ipv4, prefix: Int, timeout: Duration = .seconds(300)) -> VirtualService {
            .sample(
                "web", family, ports: "80,443,554,50000-65535", protocols: [.tcp, .udp], scheduler: .rr,
                persistence: Persistence(prefix: prefix, timeout: timeout), weights: [1, 1])
        }

        @Test(arguments: Family.allCases)
        func `a client has one server on all ports and by both protocols`(_ family: Family) throws {
            let rig = try Rig([Self.service(family, prefix: family == .ipv4 ? 32 : 128)])
            for number in 1...4 {
                var client = Client(family: family, number: number, port: 1000, service: 554)
                // In turn, since each of them is new.
                let expected = 2 - number % 2
                #expect(try rig.open(client) == expected)
                for port: UInt16 in [80, 443, 50000, 58000, 65535] {
                    client.service = port
                    for ours: UInt16 in [2000, 3000] {
                        client.port = ours
                        #expect(try rig.open(client) == expected, "TCP port \(port)")
                        #expect(try rig.server(client.udp()) == expected, "UDP port \(port)")
                    }
                }
            }
            let records = try rig.plane.persistence().sorted { $0.client.address < $1.client.address }
            #expect(records.map(\.client.address) == (1...4).map { family.client($0) })
            #expect(records.map(\.server) == ["s1", "s2", "s1", "s2"])
            #expect(records.allSatisfy { $0.service == "web" && $0.left > .seconds(290) && $0.left <= .seconds(300) })
        }

        @Test func `a client that only sends datagrams is remembered too`() throws {
            let rig = try Rig([Self.service(prefix: 32)])
            let first = try #require(try rig.server(Client(port: 1).udp()))
            #expect(try rig.plane.persistence().isEmpty, "one packet proves nothing")
            for port: UInt16 in 2...20 { #expect(try rig.server(Client(port: port).udp()) == first) }
            #expect(try rig.plane.persistence().map(\.server) == ["s\(first)"])
        }

        @Test(arguments: [(Family.ipv4, 24, 256), (.ipv4, 16, 65536), (.ipv4, 32, 1), (.ipv6, 64, 1 << 20), (.ipv6, 120, 256)])
        func `clients of one prefix have one server, and the next prefix has its own`(
            _ family: Family, _ prefix: Int, _ size: Int
        ) throws {
            let rig = try Rig([Self.service(family, prefix: prefix)])
            // The last and the first client of two neighbouring prefixes, and one within.
            let step = size
            let first = try rig.open(Client(family: family, number: step, port: 1))
            #expect(try rig.open(Client(family: family, number: 2 * step - 1, port: 2)) == first)
            #expect(try rig.open(Client(family: family, number: step + size / 2, port: 3)) == first)
            if !(family == .ipv6 && prefix == 64) {
                #expect(try rig.open(Client(family: family, number: 2 * step, port: 4)) != first)
                #expect(try rig.open(Client(family: family, number: 3 * step - 1, port: 5)) != first)
                #expect(try rig.plane.persistence().count == 2)
            }
            let record = try rig.plane.persistence().contains { $0.client.length == prefix && $0.server == "s\(first)" }
            #expect(record)
        }

        @Test func `prefix 0 makes all clients one`() throws {
            let rig = try Rig([Self.service(prefix: 0)])
            let first = try rig.open(Client(number: 1))
            for number in [2, 300, 65535] { #expect(try rig.open(Client(number: number)) == first) }
        }

        @Test func `connections that begin at once get one server before any is established`() throws {
            let rig = try Rig([Self.service(prefix: 32)])
            let first = try rig.spread(FrameStamp(Client(number: 1)), ports: 1...50)
            let second = try rig.spread(FrameStamp(Client(number: 2)), ports: 1...50)
            #expect(first == [1: 50] && second == [2: 50])
            #expect(try rig.server(Client(number: 1, port: 7, service: 50000).udp()) == 1)
            #expect(try rig.plane.persistence().allSatisfy { $0.client.address == Family.ipv4.client(1) })
        }

        @Test func `off, every connection is scheduled by itself`() throws {
            var service = Self.service(prefix: 32)
            service.persistence = nil
            let rig = try Rig([service])
            #expect(try (1...4).map { try rig.open(Client(port: $0)) } == [1, 2, 1, 2])
            #expect(try rig.plane.persistence().isEmpty)
        }

        @Test func `services remember a client each for themselves`() throws {
            var other = VirtualService.sample(
                "other", ports: "8080", scheduler: .rr, persistence: Persistence(prefix: 32), weights: [1, 1],
                firstServer: 11)
            other.servers.swapAt(0, 1)
            let rig = try Rig([Self.service(prefix: 32), other])
            #expect(try rig.open(Client(port: 1, service: 80)) == 1)
            #expect(try rig.open(Client(port: 2, service: 8080)) == 12)
            #expect(try rig.open(Client(port: 3, service: 8080)) == 12)
            #expect(try rig.open(Client(port: 4, service: 80)) == 1)
        }

        // MARK: Time

        @Test func `after the time-out the client is scheduled anew`() throws {
            let rig = try Rig([Self.service(prefix: 32, timeout: .seconds(1))])
            #expect(try rig.open(Client(port: 1)) == 1)
            #expect(try rig.open(Client(port: 2)) == 1)
            try eventually("the client is forgotten") { try rig.plane.persistence().isEmpty }
            #expect(try rig.open(Client(port: 3)) == 2)
            #expect(try rig.open(Client(port: 4)) == 2)
            // Its first flow goes on where it is.
            #expect(try rig.server(Client(port: 1).ack) == 1)
        }

        @Test func `a client whose time was out is remembered anew by the same server`() throws {
            var service = Self.service(prefix: 32, timeout: .seconds(1))
            service.servers.removeLast()
            let rig = try Rig([service])
            try rig.open(Client(port: 1))
            try eventually("the client is forgotten") { try rig.plane.persistence().isEmpty }
            try rig.open(Client(port: 2))
            #expect(try rig.plane.persistence().count == 1)
        }

        @Test func `traffic of a flow keeps its client remembered`() throws {
            let rig = try Rig([Self.service(prefix: 32, timeout: .seconds(2))])
            try rig.open(Client(port: 1))
            let end = ContinuousClock.now + .seconds(4)
            try eventually(within: .seconds(10), "four seconds of traffic are over") {
                _ = try rig.server(Client(port: 1).ack)
                return ContinuousClock.now >= end
            }
            #expect(try rig.plane.persistence().count == 1)
            #expect(try rig.open(Client(port: 2)) == 1)
        }

        @Test func `a cleared client is scheduled anew while its flows go on`() throws {
            let rig = try Rig([Self.service(prefix: 32)])
            #expect(try rig.open(Client(number: 1, port: 1)) == 1)
            #expect(try rig.open(Client(number: 2, port: 1)) == 2)
            #expect(try rig.open(Client(number: 3, port: 1)) == 1)
            let filter = FlowFilter(service: "web", client: Prefix(Family.ipv4.client(1), length: 32))
            #expect(try rig.plane.clearPersistence(filter) == 1)
            #expect(try rig.open(Client(number: 1, port: 2)) == 2)
            #expect(try rig.server(Client(number: 1, port: 1).ack) == 1)
            #expect(try rig.open(Client(number: 2, port: 2)) == 2)
        }
    }
}
