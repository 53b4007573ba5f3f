import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

/// An ICMP error about a packet, and what it is to become.
struct Relay {
    let what: String
    let error: Packet
    let expected: Packet
}

/// What ends and routers complain of.
struct Grievance: CustomStringConvertible {
    let description: String
    let layer: Layer

    static func all(_ family: Family) -> [Grievance] {
        switch family {
        case .ipv4:
            [
                Grievance(description: "too big", layer: .icmp(.fragmentationNeeded(mtu: 1400))),
                Grievance(description: "port unreachable", layer: .icmp(.unreachable(code: 3))),
                Grievance(description: "time exceeded", layer: .icmp(.timeExceeded())),
                Grievance(description: "source quench", layer: .icmp(ICMPv4Header(type: 4))),
                Grievance(description: "parameter problem", layer: .icmp(ICMPv4Header(type: 12, rest: 0x0900_0000))),
            ]
        case .ipv6:
            [
                Grievance(description: "too big", layer: .icmpv6(.packetTooBig(mtu: 1280))),
                Grievance(description: "port unreachable", layer: .icmpv6(.unreachable(code: 4))),
                Grievance(description: "time exceeded", layer: .icmpv6(.timeExceeded())),
                Grievance(description: "parameter problem", layer: .icmpv6(ICMPv6Header(type: 4, rest: 40))),
            ]
        }
    }
}

extension Conversation {
    /// Errors about `sent`, a packet of the server's, from a router or the client itself, and as the server gets them.
    func errorsToServer(about sent: Packet, octets: Int? = 8, tags: [Layer] = []) -> [Relay] {
        let family = client.family
        return [family.router, family.client(client.number)].flatMap { sender in
            Grievance.all(family).map { grievance in
                let error = Packet(
                    Link.toBalancer, family.layer(from: sender, to: client.vip ?? family.vip), grievance.layer,
                    .quoted(outside(sent), transportOctets: octets))
                let expected = Packet(
                    .ethernet(destination: Link.mac(of: server), source: Link.balancer),
                    family.layer(from: sender, to: server), grievance.layer,
                    .quoted(sent.forwarded, transportOctets: octets)
                ).forwarded
                return Relay(what: "\(grievance) from \(sender)", error: error.tagged(tags), expected: expected.tagged(tags))
            }
        }
    }

    /// Errors about `sent`, a packet of the client's, from a router or the server itself, and as the client gets them.
    func errorsToClient(about sent: Packet, octets: Int? = 8, tags: [Layer] = []) -> [Relay] {
        let family = client.family
        return [family.router, server].flatMap { sender in
            Grievance.all(family).map { grievance in
                let error = Packet(
                    .ethernet(destination: Link.balancer, source: Link.mac(of: server)),
                    family.layer(from: sender, to: source), grievance.layer,
                    .quoted(inside(sent), transportOctets: octets))
                let expected = Packet(
                    .ethernet(destination: Link.client, source: Link.balancer),
                    family.layer(from: client.vip ?? family.vip, to: family.client(client.number)), grievance.layer,
                    .quoted(sent.forwarded, transportOctets: octets)
                ).forwarded
                return Relay(what: "\(grievance) from \(sender)", error: error.tagged(tags), expected: expected.tagged(tags))
            }
        }
    }
}

extension Family {
    /// Somewhere on the way.
    var router: IPAddress { self == .ipv4 ? .ip("10.99.0.1") : .ip("2001:db8:99::1") }

    /// What a router has to say of a packet, to whoever is told to be its sender.
    func error(_ grievance: Grievance, about packet: Packet, to destination: IPAddress, octets: Int? = 8) -> Packet {
        Packet(
            Link.toBalancer, layer(from: router, to: destination), grievance.layer,
            .quoted(packet, transportOctets: octets))
    }
}

extension Client {
    /// An ACK of a server that answers for itself, as the client gets it.
    func answer(payload: [UInt8] = []) -> Packet {
        Packet(
            Link.toBalancer, family.layer(from: family.vip, to: family.client(number)),
            .tcp(source: service, destination: port, flags: .ack), .payload(payload))
    }
}

extension DataPlaneKernelTests {
    /// ICMP errors about flows go to whom they concern, in terms that they understand.
    @Suite struct ICMPErrors {
        static let translating: [ForwardingMode] = [.nat, .snat]

        static func service(_ family: Family, _ mode: ForwardingMode) -> VirtualService {
            .sample(
                "web", family, mode: mode, protocols: [.tcp, .udp], weights: [100],
                port: translating.contains(mode) ? 8080 : nil)
        }

        static func check(_ rig: Rig, _ relays: [Relay]) throws {
            for relay in relays {
                #expect(relay.error.hasCorrectChecksums && relay.expected.hasCorrectChecksums)
                try rig.expect(relay.what, relay.error, .sent(relay.expected, "forward.error"))
            }
        }

        /// From the first packet on, by which a server finds out that the client's path is narrow.
        @Test(arguments: Family.allCases, translating)
        func `both ends hear of errors, with addresses and ports as they know them`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            let rig = try Rig([Self.service(family, mode)])
            let client = Client(family: family)
            let segments = try rig.begin(client)
            let datagrams = try rig.begin(client, client.udp())
            for counter in ["forward.confirmed", "forward.flow"] {
                try Self.check(rig, segments.errorsToServer(about: segments.answer([.psh, .ack], payload: "data")))
                try Self.check(rig, segments.errorsToClient(about: client.syn))
                try Self.check(rig, datagrams.errorsToServer(about: datagrams.datagram()))
                try Self.check(rig, datagrams.errorsToClient(about: client.udp()))
                try rig.expect("ACK", client.ack, .sent(segments.inside(client.ack), counter))
                try rig.expect("datagram", client.udp(), .sent(datagrams.inside(client.udp()), counter))
            }
        }

        @Test(arguments: Family.allCases, translating)
        func `a quoted checksum fits what is quoted with it, and all else stays`(
            _ family: Family, _ mode: ForwardingMode
        ) throws {
            let rig = try Rig([Self.service(family, mode)])
            let client = Client(family: family)
            let ours = try rig.begin(client)
            _ = try rig.server(client.ack)
            for octets in [8, 20, nil] {
                let answer = ours.answer([.psh, .ack], payload: String(repeating: "x", count: 300))
                try Self.check(rig, ours.errorsToServer(about: answer, octets: octets))
                let question = client.tcp([.psh, .ack], payload: String(repeating: "x", count: 301))
                try Self.check(rig, ours.errorsToClient(about: question, octets: octets))
            }
            let datagrams = try rig.begin(client, client.udp())
            for checksum in [Checksum.computed, .zero] {
                try Self.check(rig, datagrams.errorsToServer(about: datagrams.datagram(checksum: checksum), octets: nil))
                try Self.check(rig, datagrams.errorsToClient(about: client.udp(checksum: checksum), octets: nil))
            }
        }

        @Test(arguments: translating)
        func `options of a quoted header and of the error's own are passed over`(_ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(.ipv4, mode)])
            let client = Client()
            let ours = try rig.begin(client)
            var answer = ours.answer(.ack)
            answer.ipv4?.options = [UInt8](repeating: 1, count: 40)
            try Self.check(rig, ours.errorsToServer(about: answer).filter { $0.error.family == .ipv4 })
            for relay in ours.errorsToServer(about: answer) {
                var (error, expected) = (relay.error, relay.expected)
                error.ipv4?.options = [148, 4, 0, 0]
                expected.ipv4?.options = [148, 4, 0, 0]
                try rig.expect(relay.what, error, .sent(expected, "forward.error"))
            }
        }

        @Test(arguments: Family.allCases)
        func `tags of the flow's link stay`(_ family: Family) throws {
            let rig = try Rig([Self.service(family, .nat)])
            for (number, (_, tags)) in Shape.tags.enumerated() {
                let client = Client(family: family, number: number)
                let ours = try rig.begin(client, client.syn.tagged(tags))
                try Self.check(rig, ours.errorsToServer(about: ours.answer(.ack), tags: tags))
                try Self.check(rig, ours.errorsToClient(about: client.syn, tags: tags))
            }
        }

        // MARK: Modes that translate nothing

        @Test(arguments: Family.allCases)
        func `direct routing hands an error to the flow's server as it is`(_ family: Family) throws {
            let rig = try Rig([.sample("web", family, protocols: [.tcp, .udp], scheduler: .rr, weights: [1, 1])])
            for number in 1...4 {
                let client = Client(family: family, number: number)
                let server = try rig.open(client)
                for grievance in Grievance.all(family) {
                    let error = family.error(grievance, about: client.answer(), to: family.vip)
                    try rig.expect("\(grievance)", error, .sent(error.routed(to: family.server(server)), "forward.error"))
                    let misled = error.sent(to: Link.stranger, from: Link.client)
                    try rig.expect("misled", misled, .passed("pass.other-host"))
                }
            }
        }

        @Test(arguments: Tunnel.all)
        func `a tunnel carries an error to the flow's server, on the flow's path`(_ tunnel: Tunnel) throws {
            let rig = try Rig([tunnel.service()])
            let (client, family) = (Client(family: tunnel.inside), tunnel.inside)
            _ = try rig.server(client.syn)
            let ack = client.ack
            let carried = try rig.expect("ACK", ack, "forward.confirmed") { tunnel.wrapped(ack, as: $0) }
            for grievance in Grievance.all(family) {
                let error = family.error(grievance, about: client.answer(), to: family.vip)
                // The port by which routers spread is the flow's.
                try rig.expect("\(grievance)", error, "forward.error") { _ in tunnel.wrapped(error, as: carried) }
            }
        }

        // MARK: What is left to the kernel

        @Test(arguments: Family.allCases, [.dr, .tunnel] + translating)
        func `errors about no flow pass`(_ family: Family, _ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(family, mode)])
            let client = Client(family: family)
            let server = try #require(try rig.server(client.syn) ?? nil)
            #expect(server == 1)
            _ = try rig.server(client.ack)
            func answer(
                from address: IPAddress, _ port: UInt16, to number: Int, _ clientPort: UInt16, udp: Bool = false
            ) -> Packet {
                Packet(
                    Link.toBalancer, family.layer(from: address, to: family.client(number)),
                    udp
                        ? .udp(source: port, destination: clientPort)
                        : .tcp(source: port, destination: clientPort, flags: .ack))
            }
            for other in [
                answer(from: family.vip, 81, to: 1, client.port), answer(from: family.vip, 80, to: 2, client.port),
                answer(from: family.vip, 80, to: 1, client.port + 1), answer(from: family.bystander, 80, to: 1, client.port),
                answer(from: family.vip, 80, to: 1, client.port, udp: true),
                // The client's own packet, which it cannot complain of itself.
                client.ack,
            ] {
                for (destination, counter) in [(family.vip, "pass.protocol"), (family.bystander, "pass.not-vip")] {
                    for grievance in Grievance.all(family) {
                        let error = family.error(grievance, about: other, to: destination)
                        try rig.expect("\(other)", error, .passed(counter))
                    }
                }
            }
        }

        @Test(arguments: Family.allCases, translating)
        func `what is cut, no error, or about a later fragment passes`(_ family: Family, _ mode: ForwardingMode) throws {
            let rig = try Rig([Self.service(family, mode)])
            let client = Client(family: family)
            let ours = try rig.begin(client)
            _ = try rig.server(client.ack)
            let relay = try #require(ours.errorsToServer(about: ours.answer(.ack)).first)
            let whole = relay.error.bytes
            let header = family == .ipv4 ? 20 : 40
            for length in 14 + header..<14 + header + 8 + header + 8 {
                try rig.expect("\(length) octets", octets: Array(whole[..<length]), .passed("pass.protocol"))
            }
            for type: UInt8 in family == .ipv4 ? [0, 5, 8, 9, 13] : [128, 129, 130, 255] {
                var packet = relay.error
                packet.layers[2] = family == .ipv4 ? .icmp(ICMPv4Header(type: type)) : .icmpv6(ICMPv6Header(type: type))
                try rig.expect("type \(type)", packet, .passed("pass.protocol"))
            }
            let long = ours.outside(ours.answer(.ack, payload: String(repeating: "x", count: 100)))
            for fragment in long.fragmented(payloadOctets: 48, identification: 9).dropFirst() {
                let error = Packet(
                    Link.toBalancer, family.layer(from: family.router, to: family.vip),
                    Complaint.timeExceeded.layer(family), .quoted(fragment, transportOctets: 8))
                try rig.expect("later fragment", error, .passed("pass.protocol"))
            }
            for packet in [relay.error.sent(to: Link.stranger, from: Link.client)] {
                try rig.expect("for another machine", packet, .passed("pass.other-host"))
            }
            try rig.expect("whole", relay.error, .sent(relay.expected, "forward.error"))
        }

        @Test(arguments: translating)
        func `errors about a server that is halted pass`(_ mode: ForwardingMode) throws {
            let service = Self.service(.ipv4, mode)
            let rig = try Rig([service])
            let ours = try rig.begin(Client())
            _ = try rig.server(ours.client.ack)
            let relays = ours.errorsToServer(about: ours.answer(.ack))
            try Self.check(rig, relays)
            try rig.apply([service.with("s1") { $0.state = .halt }])
            for relay in relays { try rig.expect(relay.what, relay.error, .passed("pass.protocol")) }
        }
    }
}
