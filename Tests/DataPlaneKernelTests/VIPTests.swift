import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// The table of addresses that are answered for, whatever came into it and went, in whatever order.
    @Suite struct VIPs {
        /// As many as usually fit: these do.
        private static let most = 8192

        /// `count` addresses of a kind, none of them twice.
        enum Kind: CaseIterable {
            case neighbours, neighboursIPv6, strewn, strewnIPv6, networks

            func addresses(_ count: Int, using random: inout SeededGenerator) -> [IPAddress] {
                switch self {
                case .neighbours: (0..<count).map { IPAddress(ipv4: 0xc0a8_0000 + UInt32($0)) }
                case .neighboursIPv6: (0..<count).map { IPAddress(high: 0x2001_0db8_00ab_0000, low: UInt64($0)) }
                case .networks: (0..<count).map { IPAddress(high: 0x2001_0db8_0000_0000 + UInt64($0), low: 1) }
                case .strewn: Self.distinct(count) { IPAddress(ipv4: .random(in: 0x0b00_0000...0xdfff_ffff, using: &random)) }
                case .strewnIPv6:
                    Self.distinct(count) {
                        IPAddress(
                            high: .random(in: 0x2000 << 48...0x3fff << 48, using: &random),
                            low: .random(in: 0...UInt64.max, using: &random))
                    }
                }
            }

            private static func distinct(_ count: Int, _ draw: () -> IPAddress) -> [IPAddress] {
                var seen: Set<IPAddress> = []
                while seen.count < count { seen.insert(draw()) }
                return seen.sorted()
            }
        }

        /// No service has a port of these addresses: so a packet to one that is known falls under `pass.port`.
        private static func apply(_ addresses: some Sequence<IPAddress>, to rig: Rig) throws -> MapWrites {
            try rig.plane.apply([], addresses: Set(addresses), settings: rig.settings, nextHop: Link.nextHop)
        }

        private static func expect(
            _ rig: Rig, known: some Collection<IPAddress>, unknown: some Collection<IPAddress>,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            for (addresses, counter) in [(Array(known), "pass.port"), (Array(unknown), "pass.not-vip")] where !addresses.isEmpty {
                let rises = try rig.rises {
                    for address in addresses {
                        _ = try rig.plane.test(Client(family: address.family == .ipv4 ? .ipv4 : .ipv6, vip: address).syn.bytes)
                    }
                }
                #expect(rises == [counter: addresses.count], sourceLocation: sourceLocation)
            }
        }

        /// What free and removed places of the table hold is nobody's address.
        private static let reserved: [IPAddress] = [.ip("::"), .ip("0.0.0.0"), .ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), .ip("255.255.255.255")]

        @Test(arguments: Kind.allCases)
        func `8 192 addresses fit, and each is known`(_ kind: Kind) throws {
            var random = SeededGenerator(seed: 8192)
            let all = kind.addresses(2 * Self.most, using: &random).shuffled(using: &random)
            let (ours, others) = (all[..<Self.most], all[Self.most...])
            let rig = try Rig([])
            #expect(try Self.apply(ours, to: rig).byMap == ["vips": Self.most])
            try Self.expect(rig, known: ours, unknown: others + Self.reserved)
            #expect(try Self.apply(ours, to: rig).total == 0)
        }

        /// Half of the table is taken, so every second address shares its place with another.
        @Test func `of addresses that share a place each may go and come again, and no other is lost`() throws {
            var random = SeededGenerator(seed: 1)
            let all = Kind.strewn.addresses(Self.most, using: &random) + Kind.strewnIPv6.addresses(Self.most, using: &random)
            let rig = try Rig([])
            var ours = Set(all.shuffled(using: &random)[..<Self.most])
            _ = try Self.apply(ours, to: rig)
            for round in 0..<6 {
                let gone = Set(ours.shuffled(using: &random)[..<(Self.most / 2)])
                ours.subtract(gone)
                #expect(try Self.apply(ours, to: rig).byMap == ["vips": gone.count], "round \(round)")
                try Self.expect(rig, known: ours, unknown: gone.union(Self.reserved))
                // Into the gaps, others and some that had been there.
                let come = Set(all).subtracting(ours).shuffled(using: &random)[..<(Self.most / 2)]
                ours.formUnion(come)
                #expect(try Self.apply(ours, to: rig).byMap == ["vips": come.count], "round \(round)")
                try Self.expect(rig, known: ours, unknown: Set(all).subtracting(ours).union(Self.reserved))
            }
            try rig.restart([])
            #expect(try Self.apply(ours, to: rig).total == 0)
            #expect(try Self.apply([], to: rig).byMap == ["vips": ours.count])
            try Self.expect(rig, known: [], unknown: all + Self.reserved)
        }

        /// One address goes and another comes, for as long as a node may run: a table that never gave places back would fill up.
        @Test func `30 000 addresses that came and went leave room for others`() throws {
            var random = SeededGenerator(seed: 2)
            let all = Kind.strewn.addresses(30_000, using: &random).shuffled(using: &random)
            let (rig, step) = (try Rig([]), 1500)
            for first in stride(from: 0, to: all.count - 2 * step, by: step) {
                let ours = all[first..<first + 2 * step]
                _ = try Self.apply(ours, to: rig)
                try Self.expect(rig, known: ours, unknown: all[..<first] + all[(first + 2 * step)...])
            }
        }

        @Test func `more addresses than fit are an error that says so, and those before stay`() throws {
            var random = SeededGenerator(seed: 3)
            let all = Kind.strewn.addresses(20_000, using: &random)
            let rig = try Rig([])
            let first = all[..<100]
            _ = try Self.apply(first, to: rig)
            let error = #expect(throws: DataPlaneError.self) { try Self.apply(all, to: rig) }
            #expect(error.map { "\($0)".contains("8192 addresses") } == true, "\(String(describing: error))")
            try Self.expect(rig, known: first, unknown: [])
            _ = try Self.apply(first, to: rig)
            try Self.expect(rig, known: first, unknown: all[100...])
        }

        @Test(arguments: Family.allCases)
        func `a service that takes an address over from another gets its packets, and none before`(_ family: Family) throws {
            let rig = try Rig([.sample("one", family, weights: [1])])
            let bystander = Client(family: family, vip: family.bystander)
            try rig.expect("unknown", bystander.syn, .passed("pass.not-vip"))
            let two = VirtualService.sample("two", family, address: family.bystander, weights: [1], firstServer: 9)
            try rig.apply([two])
            try rig.expect("gone", Client(family: family).syn, .passed("pass.not-vip"))
            try rig.expect("new", bystander.syn, .sent(bystander.syn.routed(to: family.server(9)), "forward.new"))
        }
    }
}
