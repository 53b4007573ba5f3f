import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// ARP requests and neighbour solicitations for VIPs: answered by the active node, by nobody else.
    @Suite struct Neighbours {
        static let services = Family.allCases.map { VirtualService.sample($0.description, $0) }
        static let asker = IPAddress.ip("192.168.94.1")
        static let asker6 = IPAddress.ip("fe80::1")

        static func whoHas(
            _ target: IPAddress, sender: IPAddress = asker, to destination: MACAddress = .broadcast
        ) -> Packet {
            Packet(
                .ethernet(destination: destination, source: Link.client),
                .arpRequest(senderHardware: Link.client, senderAddress: sender, target: target))
        }

        static func isAt(_ address: IPAddress, tell asker: IPAddress = asker) -> Packet {
            Packet(
                .ethernet(destination: Link.client, source: Link.balancer),
                .arpReply(
                    senderHardware: Link.balancer, senderAddress: address, targetHardware: Link.client,
                    targetAddress: asker))
        }

        @Test func `the active node answers ARP for a VIP`() throws {
            let rig = try Rig(Self.services)
            let vip = Family.ipv4.vip
            for (name, tags) in Shape.tags {
                for destination in [MACAddress.broadcast, Link.balancer] {
                    let request = Self.whoHas(vip, to: destination).tagged(tags)
                    try rig.expect(name, request, .sent(Self.isAt(vip).tagged(tags), "reply.arp"))
                }
                try rig.expect(
                    "padded", Self.whoHas(vip).tagged(tags).padded(to: 60),
                    .sent(Self.isAt(vip).tagged(tags).padded(to: 60), "reply.arp"))
            }
            // RFC 5227: who probes has no address yet, and must learn that this one is taken.
            let none = IPAddress.ip("0.0.0.0")
            try rig.expect("probe", Self.whoHas(vip, sender: none), .sent(Self.isAt(vip, tell: none), "reply.arp"))
        }

        @Test func `a passive node answers nothing for its VIPs, and leaves other questions alone`() throws {
            let rig = try Rig(Self.services)
            rig.plane.setActive(false)
            #expect(!rig.plane.isActive)
            try rig.expect("ARP", Self.whoHas(Family.ipv4.vip), .dropped("drop.not-active"))
            try rig.expect("solicitation", Self.solicitation(Family.ipv6.vip), .dropped("drop.not-active"))
            try rig.expect("another's ARP", Self.whoHas(Family.ipv4.bystander), .passed("pass.neighbour"))
            try rig.expect("another's solicitation", Self.solicitation(Family.ipv6.bystander), .passed("pass.neighbour"))
            // Forwarding goes on: a peer that just took over may still get packets by us.
            try rig.expect(
                "SYN", Client().syn,
                .sent(Client().syn.routed(to: Family.ipv4.server(1)), "forward.new"))
            rig.plane.setActive(true)
            try rig.expect("ARP", Self.whoHas(Family.ipv4.vip), .sent(Self.isAt(Family.ipv4.vip), "reply.arp"))
        }

        @Test func `announcements, replies and questions for others pass`() throws {
            let rig = try Rig(Self.services)
            let vip = Family.ipv4.vip
            try rig.expect("gratuitous request", Self.whoHas(vip, sender: vip), .passed("pass.neighbour"))
            try rig.expect("for a bystander", Self.whoHas(Family.ipv4.bystander), .passed("pass.neighbour"))
            try rig.expect(
                "gratuitous reply",
                Packet(
                    .ethernet(destination: .broadcast, source: Link.stranger),
                    .arpReply(
                        senderHardware: Link.stranger, senderAddress: vip, targetHardware: .broadcast, targetAddress: vip)),
                .passed("pass.neighbour"))
            let whole = Self.whoHas(vip).bytes
            for length in 14..<whole.count {
                try rig.expect("cut to \(length)", octets: Array(whole[..<length]), .passed("pass.neighbour"))
            }
            // Hardware type, protocol type, and the two lengths of addresses.
            for place in 14..<20 {
                var odd = whole
                odd[place] ^= 2
                try rig.expect("octet \(place)", octets: odd, .passed("pass.neighbour"))
            }
        }

        // MARK: IPv6

        static func solicitation(
            _ target: IPAddress, from source: IPAddress = asker6, to destination: IPAddress? = nil,
            options: [NeighbourOption] = [.sourceLinkLayerAddress(Link.client)], hopLimit: UInt8 = 255, code: UInt8 = 0
        ) -> Packet {
            let group = IPAddress(high: 0xff02_0000_0000_0000, low: 0x1_ff00_0000 | target.low & 0xff_ffff)
            return Packet(
                .ethernet(
                    destination: destination == nil ? MACAddress(0x3333_ff00_0000 | target.low & 0xff_ffff) : Link.balancer,
                    source: Link.client),
                .ipv6(source: source, destination: destination ?? group, hopLimit: hopLimit),
                .neighbourSolicitation(target: target, options: options, code: code))
        }

        static func advertisement(_ target: IPAddress, to asker: IPAddress = asker6) -> Packet {
            let isProbe = asker.isUnspecified
            return Packet(
                .ethernet(destination: isProbe ? .mac("33:33:00:00:00:01") : Link.client, source: Link.balancer),
                .ipv6(source: target, destination: isProbe ? .ip("ff02::1") : asker, hopLimit: 255),
                .neighbourAdvertisement(
                    target: target, flags: isProbe ? .override : [.solicited, .override],
                    options: [.targetLinkLayerAddress(Link.balancer)]))
        }

        @Test func `the active node answers solicitations for a VIP`() throws {
            let rig = try Rig(Self.services)
            let vip = Family.ipv6.vip
            let nonce = NeighbourOption(type: 14, data: [1, 2, 3, 4, 5, 6])
            let options: [[NeighbourOption]] = [
                [], [.sourceLinkLayerAddress(Link.client)], [.sourceLinkLayerAddress(Link.client), nonce],
            ]
            for (name, tags) in Shape.tags {
                for options in options {
                    for source in [Self.asker6, .ip("2001:db8:94::1")] {
                        let answer = Self.advertisement(vip, to: source).tagged(tags)
                        #expect(answer.hasCorrectChecksums)
                        try rig.expect(
                            "\(name), multicast", Self.solicitation(vip, from: source, options: options).tagged(tags),
                            .sent(answer, "reply.nd"))
                        try rig.expect(
                            "\(name), unicast",
                            Self.solicitation(vip, from: source, to: vip, options: options).tagged(tags),
                            .sent(answer, "reply.nd"))
                    }
                }
                // RFC 4862 §5.4: who asks from :: wants the address; all nodes shall hear that it is taken.
                let probe = IPAddress.ip("::")
                for options in [[], [nonce]] {
                    try rig.expect(
                        "\(name), duplicate address detection",
                        Self.solicitation(vip, from: probe, options: options).tagged(tags),
                        .sent(Self.advertisement(vip, to: probe).tagged(tags), "reply.nd"))
                }
            }
        }

        @Test(arguments: [1000, 5000, 9000])
        func `the answer to a long solicitation is as short as any, in one buffer or more`(_ length: Int) throws {
            let rig = try Rig(Self.services)
            let vip = Family.ipv6.vip
            let option = NeighbourOption(type: 14, data: [UInt8](repeating: 0xa5, count: 2038))
            let options = [NeighbourOption](repeating: option, count: length / 2040)
            for (name, tags) in Shape.tags {
                let question = Self.solicitation(vip, options: options).tagged(tags).padded(to: length)
                #expect(question.bytes.count == length)
                try rig.expect(name, question, .sent(Self.advertisement(vip).tagged(tags), "reply.nd"))
            }
        }

        @Test func `the checksum is right for many addresses`() throws {
            var random = SeededGenerator(seed: 6)
            for _ in 0..<4 {
                let vip = IPAddress(high: 0x2001_0db8 << 32 | random.next() >> 32, low: random.next())
                let rig = try Rig([.sample("random", .ipv6, address: vip)])
                for _ in 0..<200 {
                    let asker = IPAddress(high: 0x2001_0db8 << 32 | random.next() >> 32, low: random.next())
                    try rig.expect(
                        "\(asker) asks for \(vip)", Self.solicitation(vip, from: asker),
                        .sent(Self.advertisement(vip, to: asker), "reply.nd"))
                }
            }
        }

        @Test func `solicitations that are not valid, and other messages, pass`() throws {
            let rig = try Rig(Self.services)
            let vip = Family.ipv6.vip
            try rig.expect("routed", Self.solicitation(vip, hopLimit: 254), .passed("pass.neighbour"))
            try rig.expect("code 1", Self.solicitation(vip, code: 1), .passed("pass.neighbour"))
            try rig.expect("for a bystander", Self.solicitation(Family.ipv6.bystander), .passed("pass.neighbour"))
            try rig.expect("an advertisement", Self.advertisement(vip), .passed("pass.neighbour"))
            // A fragmented solicitation must not be answered (RFC 6980).
            var hidden = Self.solicitation(vip)
            hidden.layers.insert(.fragment(identification: 1), at: 2)
            try rig.expect("behind a fragment header", hidden, .passed("pass.not-vip"))
            // An IPv4 fragment with ICMPv6's number, whose fields lie where a solicitation's do.
            var disguised = Packet(
                Link.toBalancer,
                .ipv4(
                    source: Family.ipv4.client(), destination: Family.ipv4.bystander, fragmentOffset: 0x1aff,
                    moreFragments: true, protocol: IPProtocol.icmpv6),
                .payload([UInt8](repeating: 0, count: 20))
            ).bytes
            disguised += Self.solicitation(vip).bytes[54...]
            try rig.expect("in IPv4", octets: disguised, .passed("pass.not-vip"))
            let ping = Packet(
                Link.toBalancer, .ipv6(source: Self.asker6, destination: Family.ipv6.bystander),
                .icmpv6(.echoRequest(identifier: 1, sequence: 1)), .payload([UInt8](repeating: 7, count: 56)))
            try rig.expect("a ping for a bystander", ping, .passed("pass.not-vip"))
        }
    }
}
