import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// What is not a service's goes to the kernel with not a bit changed; what claims to be and cannot be is dropped.
    @Suite struct Passing {
        static let services = Family.allCases.map {
            VirtualService.sample($0.description, $0, ports: "80", protocols: [.tcp, .udp])
        }
        static let transports: [Layer] = [
            .tcp(source: 40000, destination: 80, flags: .syn), .udp(source: 40000, destination: 80),
        ]

        @Test func `frames that are neither IP nor ARP pass`() throws {
            let rig = try Rig(Self.services)
            let content = Layer.payload([UInt8](repeating: 0xa5, count: 46))
            for type: UInt16 in [46, 0x0801, 0x88b5, 0x88cc, 0x8863, 0x9100, 0xffff] {
                let frame = Packet(.ethernet(destination: Link.balancer, source: Link.client, type: type), content)
                try rig.expect("type \(type)", frame, .passed("pass.not-ip"))
            }
            let tags = [Layer.vlan(1), .vlan(2), .vlan(3)]
            try rig.expect("three tags", Client().syn.tagged(tags), .passed("pass.not-ip"))
            for length in 14..<22 {
                try rig.expect(
                    "two tags, cut to \(length) octets",
                    octets: Array(Client().syn.tagged([.vlan(1), .vlan(2)]).bytes[..<length]), .passed("pass.not-ip"))
            }
        }

        @Test(arguments: Family.allCases)
        func `packets to other addresses pass, whole, cut or in fragments`(_ family: Family) throws {
            let rig = try Rig(Self.services)
            let network = family.layer(from: family.client(), to: family.bystander)
            let ping: Layer =
                family == .ipv4
                ? .icmp(.echoRequest(identifier: 1, sequence: 1)) : .icmpv6(.echoRequest(identifier: 1, sequence: 1))
            for (_, tags) in Shape.tags {
                for transport in Self.transports + [ping] {
                    let packet = Packet(Link.toBalancer, network, transport, .payload([UInt8](repeating: 1, count: 32)))
                        .tagged(tags)
                    try rig.expect("to a bystander", packet, .passed("pass.not-vip"))
                    for fragment in packet.fragmented(payloadOctets: 16, identification: 9) {
                        try rig.expect("fragment to a bystander", fragment, .passed("pass.not-vip"))
                    }
                    let (bytes, header) = (packet.bytes, 14 + 4 * tags.count + (family == .ipv4 ? 20 : 40))
                    for length in header..<header + 8 {
                        try rig.expect("cut", octets: Array(bytes[..<length]), .passed("pass.not-vip"))
                    }
                    for length in 14 + 4 * tags.count..<header {
                        try rig.expect("header cut", octets: Array(bytes[..<length]), .passed("pass.unparsed"))
                    }
                }
            }
        }

        @Test func `IPv6 with addresses that stand for IPv4 in the maps is not taken for IPv4`() throws {
            let rig = try Rig(Self.services)
            let (client, vip) = (Family.ipv6.client(), Family.ipv6.vip)
            for (source, destination) in [(client, Family.ipv4.vip), (Family.ipv4.client(), vip)] {
                let packet = Packet(
                    Link.toBalancer, .ipv6(source: source, destination: destination),
                    .tcp(source: 40000, destination: 80, flags: [.syn]))
                try rig.expect("mapped", packet, .passed("pass.unparsed"))
            }
        }

        @Test(arguments: Family.allCases, TransportProtocol.allCases)
        func `a port list is served to its bounds and passes beyond`(
            _ family: Family, _ transport: TransportProtocol
        ) throws {
            let service = VirtualService.sample(
                "traffic", family, ports: "1935,554,50000-65535", protocols: [.tcp, .udp], weights: [100])
            let rig = try Rig([service])
            func packet(_ port: UInt16) -> Packet {
                let client = Client(family: family, port: 40000, service: port)
                return transport == .tcp ? client.syn : client.udp()
            }
            for port: UInt16 in [554, 1935, 50000, 50001, 57767, 65534, 65535] {
                let packet = packet(port)
                try rig.expect("port \(port)", packet, .sent(packet.routed(to: family.server(1)), "forward.new"))
            }
            for port: UInt16 in [0, 1, 80, 553, 555, 1934, 1936, 49999] {
                try rig.expect("port \(port)", packet(port), .passed("pass.port"))
            }
        }

        @Test func `every port of many ranges is found, and none between them`() throws {
            // 100 ranges of one to three ports with a gap behind each.
            var (ranges, served) = ([ClosedRange<UInt16>](), Set<UInt16>())
            for index: UInt16 in 0..<100 {
                let range = 1000 + 7 * index...1000 + 7 * index + index % 3
                ranges.append(range)
                served.formUnion(range)
            }
            var service = VirtualService.sample(weights: [100])
            service.ports = PortSet(ranges)
            let rig = try Rig([service])
            for port: UInt16 in 990...1710 {
                let isServed = try rig.server(Client(service: port).syn) != nil
                #expect(isServed == served.contains(port), "port \(port)")
            }
        }

        @Test(arguments: Family.allCases)
        func `a protocol that the service does not carry passes`(_ family: Family) throws {
            let rig = try Rig([.sample("web", family, protocols: [.tcp])])
            try rig.expect("datagram", Client(family: family).udp(), .passed("pass.port"))
            let datagrams = try Rig([.sample("web", family, protocols: [.udp])])
            try datagrams.expect("SYN", Client(family: family).syn, .passed("pass.port"))
        }

        @Test(arguments: Family.allCases)
        func `ICMP and other protocols to a VIP pass`(_ family: Family) throws {
            let rig = try Rig(Self.services)
            let network = family.layer(from: family.client(), to: family.vip)
            let quoted = Layer.quoted(Client(family: family).syn, transportOctets: 8)
            let messages: [[Layer]] =
                family == .ipv4
                ? [
                    [.icmp(.echoRequest(identifier: 1, sequence: 1))],
                    [.icmp(.echoRequest(identifier: 1, sequence: 1)), .payload([UInt8](repeating: 7, count: 56))],
                    [.icmp(.fragmentationNeeded(mtu: 1400)), quoted],
                ]
                : [
                    [.icmpv6(.echoRequest(identifier: 1, sequence: 1))],
                    [.icmpv6(.echoRequest(identifier: 1, sequence: 1)), .payload([UInt8](repeating: 7, count: 56))],
                    [.icmpv6(.packetTooBig(mtu: 1280)), quoted],
                ]
            for (_, tags) in Shape.tags {
                for message in messages {
                    let packet = Packet(layers: [Link.toBalancer, network] + message).tagged(tags)
                    try rig.expect("ICMP", packet, .passed("pass.protocol"))
                }
                for number: UInt8 in [2, 47, 50, 59, 132, 255] {
                    var packet = Packet(Link.toBalancer, network, .payload([UInt8](repeating: 7, count: 64))).tagged(tags)
                    packet.ipv4?.protocol = number
                    packet.ipv6?.nextHeader = number
                    try rig.expect("protocol \(number)", packet, .passed("pass.protocol"))
                }
            }
        }

        @Test func `a packet that is only on its way through a VIP passes`() throws {
            let rig = try Rig(Self.services)
            let client = Client(family: .ipv6)
            try rig.open(client)
            let next = IPAddress.ip("2001:db8::7")
            let routes: [[Layer]] = [
                [.routing(type: 2, segmentsLeft: 1, addresses: [next])],
                [.routing(type: 0, segmentsLeft: 2, addresses: [next, next])],
                [.routing(type: 4, segmentsLeft: 1, addresses: [next, next])],
                [.hopByHop(options: [5, 2, 0, 0]), .routing(type: 253, segmentsLeft: 255, addresses: [])],
            ]
            for (name, tags) in Shape.tags {
                for route in routes {
                    let shape = Shape(description: name, family: .ipv6, tags: tags, extensions: route)
                    for packet in [client.syn, client.ack, client.udp()] {
                        try rig.expect("\(name): \(packet)", shape.apply(to: packet), .passed("pass.protocol"))
                    }
                    var bystander = client
                    bystander.vip = Family.ipv6.bystander
                    try rig.expect(name, shape.apply(to: bystander.syn), .passed("pass.not-vip"))
                }
            }
        }

        @Test(arguments: Family.allCases)
        func `frames for another machine pass, new or of a flow`(_ family: Family) throws {
            let service = VirtualService.sample("web", family, weights: [100])
            let rig = try Rig([service])
            let client = Client(family: family)
            func misled(_ packet: Packet, _ destination: MACAddress) -> Packet {
                var packet = packet
                packet.ethernet?.destination = destination
                return packet
            }
            let others = [Link.stranger, .broadcast, Link.farSide, Link.mac(of: family.server(1))]
            for other in others {
                try rig.expect("new", misled(client.syn, other), .passed("pass.other-host"))
            }
            try rig.open(client)
            for other in others {
                try rig.expect("of a flow", misled(client.ack, other), .passed("pass.other-host"))
            }
            try rig.apply([service]) { NextHop(interface: 2, mac: Link.mac(of: $0), sourceMAC: Link.farSide) }
            for other in others {
                try rig.expect("of a flow elsewhere", misled(client.ack, other), .passed("pass.other-host"))
            }
            #expect(try rig.flows().map(\.packets) == [1])
        }

        @Test(arguments: Family.allCases)
        func `a packet to a VIP that is cut or contradicts itself is dropped`(_ family: Family) throws {
            let rig = try Rig(Self.services)
            let network = family.layer(from: family.client(), to: family.vip)
            for (_, tags) in Shape.tags {
                for transport in Self.transports {
                    let packet = Packet(Link.toBalancer, network, transport).tagged(tags)
                    let bytes = packet.bytes
                    for length in 14 + 4 * tags.count + (family == .ipv4 ? 20 : 40)..<bytes.count {
                        try rig.expect("cut", octets: Array(bytes[..<length]), .dropped("drop.malformed"))
                    }
                }
                let syn = Client(family: family).syn.tagged(tags)
                if family == .ipv4 {
                    for length: UInt8 in 0..<5 {
                        var packet = syn
                        packet.ipv4?.headerLength = length
                        try rig.expect("header of \(length) words", packet, .dropped("drop.malformed"))
                    }
                    var short = syn
                    short.ipv4?.totalLength = 19
                    try rig.expect("shorter than its header", short, .dropped("drop.malformed"))
                } else {
                    let long = Shape(
                        description: "", family: .ipv6, tags: [],
                        extensions: (0..<9).map { _ in .destinationOptions() })
                    try rig.expect("nine extension headers", long.apply(to: syn), .dropped("drop.malformed"))
                    for next: UInt8 in [0, 43, 44, 51, 60] {
                        var packet = Packet(Link.toBalancer, network, .payload([UInt8](repeating: 0, count: 7))).tagged(tags)
                        packet.ipv6?.nextHeader = next
                        try rig.expect("header \(next) cut short", packet, .dropped("drop.malformed"))
                    }
                }
                var bytes = syn.bytes
                bytes[14 + 4 * tags.count] = 0x55
                try rig.expect("version 5", octets: bytes, .dropped("drop.malformed"))
            }
        }

        @Test(arguments: Family.allCases)
        func `fragments to a VIP whose first has not come are dropped with their own reason`(_ family: Family) throws {
            let rig = try Rig(Self.services)
            let network = family.layer(from: family.client(), to: family.vip)
            for (_, tags) in Shape.tags {
                for transport in Self.transports {
                    let packet = Packet(Link.toBalancer, network, transport, .payload([UInt8](repeating: 1, count: 64)))
                    let fragments = packet.tagged(tags).fragmented(payloadOctets: 32, identification: 5)
                    #expect(fragments.count == 3)
                    for fragment in fragments[1...] { try rig.expect("fragment", fragment, .dropped("drop.fragment")) }
                }
                let ping: Layer =
                    family == .ipv4
                    ? .icmp(.echoRequest(identifier: 1, sequence: 1)) : .icmpv6(.echoRequest(identifier: 1, sequence: 1))
                let packet = Packet(Link.toBalancer, network, ping, .payload([UInt8](repeating: 1, count: 64)))
                for fragment in packet.tagged(tags).fragmented(payloadOctets: 32, identification: 5) {
                    try rig.expect("fragment of a ping", fragment, .passed("pass.protocol"))
                }
            }
        }

        @Test func `whatever comes falls under one counter and is changed by nobody but the rewrite`() throws {
            let rig = try Rig(Self.services)
            var random = SeededGenerator(seed: 94)
            let originals = Shape.all.flatMap { shape in
                [Client(family: shape.family).syn, Client(family: shape.family).udp()].map { shape.apply(to: $0).bytes }
            }
            let count = 20000
            var (passed, dropped, forwarded) = (0, 0, 0)
            let rises = try rig.rises {
                for _ in 0..<count {
                    var frame = originals[Int.random(in: 0..<originals.count, using: &random)]
                    for _ in 0..<Int.random(in: 1...3, using: &random) {
                        let place = Int.random(in: 12..<min(frame.count, 100), using: &random)
                        frame[place] = UInt8.random(in: 0...255, using: &random)
                    }
                    if Bool.random(using: &random) {
                        frame = Array(frame[..<Int.random(in: 14...frame.count, using: &random)])
                    }
                    let result = try rig.plane.test(frame)
                    switch result.action {
                    case 1: dropped += 1
                    case 2: passed += 1
                    default: forwarded += 1
                    }
                    let same = result.action == 3 ? frame[12...] == result.packet[12...] : frame == result.packet
                    guard same else {
                        Issue.record("\(Packet.difference(frame, result.packet)) in \(frame)")
                        return
                    }
                }
            }
            #expect(rises.values.reduce(0, +) == count)
            func sum(_ prefix: String) -> Int { rises.filter { $0.key.hasPrefix(prefix) }.values.reduce(0, +) }
            #expect(sum("pass.") == passed && sum("drop.") == dropped && sum("forward.") == forwarded)
            // Each kind must have occurred, or this test has tested little.
            #expect(passed > 1000 && dropped > 1000 && forwarded > 1000)
        }
    }
}
