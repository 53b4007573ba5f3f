import DataPlane
import LoadBalancing
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// Tags are kept, never changed: a packet reaches only servers whose link has its VLAN.
    @Suite struct VLANs {
        private func rig(_ vlan: UInt16, interface: UInt32 = 1) throws -> Rig {
            let services = [VirtualService.sample("web", weights: [1])]
            let rig = try Rig(services)
            try rig.apply(services) { address in
                NextHop(interface: interface, mac: Link.mac(of: address), sourceMAC: Link.balancer, vlan: vlan)
            }
            return rig
        }

        private static let untagged = Client().syn

        @Test func `a server of a VLAN gets the packets of that VLAN and no others`() throws {
            let rig = try rig(100)
            let tagged = Self.untagged.tagged([.vlan(100, priority: 3)])
            try rig.expect("its VLAN", tagged, .sent(tagged.routed(to: Family.ipv4.server(1)), "forward.new"))
            try rig.expect("none", Self.untagged, .dropped("drop.vlan"))
            try rig.expect("another", Self.untagged.tagged([.vlan(7)]), .dropped("drop.vlan"))
            try rig.expect("its own inside", Self.untagged.tagged([.vlan(7), .vlan(100)]), .dropped("drop.vlan"))
        }

        @Test func `a packet with a tag does not leave by another interface where the server's link has none`() throws {
            let rig = try rig(0, interface: 2)
            try rig.expect("tagged", Self.untagged.tagged([.vlan(100)]), .dropped("drop.vlan"))
            let expected = Self.untagged.routed(to: Family.ipv4.server(1))
            try rig.expect("untagged", Self.untagged, .redirected(expected, "forward.new"))
        }

        @Test func `of a server that nobody knows the way to, no VLAN is the wrong one`() throws {
            let services = [VirtualService.sample("web", weights: [1])]
            let rig = try Rig(services)
            try rig.apply(services) { _ in nil }
            for tags in [[], [Layer.vlan(100)], [.vlan(100), .vlan(7)]] {
                for packet in [Self.untagged, Client().ack] {
                    try rig.expect("\(tags.count) tags", packet.tagged(tags), .dropped("drop.no-neighbour"))
                }
            }
        }
    }
}
