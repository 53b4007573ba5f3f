import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

/// ICMP errors that are about flows and yet may not go on, or not as they are; and some that only seem to be.
extension DataPlaneKernelTests.ICMPErrors {
    /// The first error to the server about an answer of its, and the first to the client about its ACK.
    private func relays(_ rig: Rig, _ client: Client) throws -> [Relay] {
        let ours = try rig.begin(client)
        _ = try rig.server(client.ack)
        return try [
            #require(ours.errorsToServer(about: ours.answer(.ack)).first), #require(ours.errorsToClient(about: client.ack).first),
        ]
    }

    @Test(arguments: Family.allCases, translating)
    func `an error that is translated counts a hop, and ends with its last`(_ family: Family, _ mode: ForwardingMode) throws {
        let rig = try Rig([Self.service(family, mode)])
        for relay in try relays(rig, Client(family: family)) {
            for hops: UInt8 in [255, 2] {
                try rig.expect(relay.what, relay.error.living(hops), .sent(relay.expected.living(hops - 1), "forward.error"))
            }
            for hops: UInt8 in [1, 0] { try rig.expect(relay.what, relay.error.living(hops), .dropped("drop.expired")) }
        }
    }

    /// RFC 1122 §3.2.2, RFC 4443 §2.4: nobody is told of what became of an error.
    @Test(arguments: Tunnel.all)
    func `an error that a tunnel cannot carry is dropped without a word`(_ tunnel: Tunnel) throws {
        let rig = try Rig([tunnel.service()])
        let (client, family) = (Client(family: tunnel.inside), tunnel.inside)
        try rig.open(client)
        // With the headers around it, as long as the link takes.
        let content = [UInt8](repeating: 7, count: 1500 - (family == .ipv4 ? 20 + 8 + 20 : 40 + 8 + 40) - 20)
        for grievance in Grievance.all(family) {
            let short = family.error(grievance, about: client.answer(), to: family.vip)
            for hops: UInt8 in [1, 0] { try rig.expect("\(grievance)", short.living(hops), .dropped("drop.expired")) }
            let long = family.error(grievance, about: client.answer(payload: content), to: family.vip, octets: nil)
            #expect(long.networkBytes.count == 1500)
            try rig.expect("\(grievance)", long, .dropped("drop.too-big"))
        }
    }

    @Test(arguments: Family.allCases, [.dr, .tunnel] + translating)
    func `an error under the other family's protocol number is none`(_ family: Family, _ mode: ForwardingMode) throws {
        let rig = try Rig([Self.service(family, mode)])
        let client = Client(family: family)
        try rig.open(client)
        for grievance in Grievance.all(family) {
            var error = family.error(grievance, about: client.answer(), to: family.vip)
            #expect(try rig.server(error) == 1)
            error.ipv4?.protocol = IPProtocol.icmpv6
            error.ipv6?.nextHeader = IPProtocol.icmp
            try rig.expect("\(grievance)", error, .passed("pass.protocol"))
        }
    }

    @Test(arguments: Family.allCases, translating)
    func `what lies behind an error's end is not quoted`(_ family: Family, _ mode: ForwardingMode) throws {
        let rig = try Rig([Self.service(family, mode)])
        for (relay, counter) in zip(try relays(rig, Client(family: family)), ["pass.protocol", "pass.not-vip"]) {
            try rig.expect(relay.what, relay.error.padded(to: 200), .sent(relay.expected.padded(to: 200), "forward.error"))
            let length = UInt16(relay.error.networkBytes.count)
            for missing: UInt16 in [1, 4, 8] {
                var cut = relay.error
                cut.ipv4?.totalLength = length - missing
                cut.ipv6?.payloadLength = length - 40 - missing
                try rig.expect("\(relay.what), without its last \(missing)", cut, .passed(counter))
            }
        }
    }

    @Test(arguments: translating)
    func `an error behind a kilobyte of extension headers is left to the kernel`(_ mode: ForwardingMode) throws {
        let rig = try Rig([Self.service(.ipv6, mode)])
        let relay = try #require(try relays(rig, Client(family: .ipv6)).first)
        func behind(_ octets: Int, _ packet: Packet) -> Packet {
            let options = Layer.destinationOptions(options: [UInt8](repeating: 0, count: octets - 2))
            return Shape(description: "", family: .ipv6, tags: [], extensions: [options]).apply(to: packet)
        }
        for octets in [8, 512, 968] {
            let expected = behind(octets, relay.expected)
            try rig.expect("\(octets) octets", behind(octets, relay.error), .sent(expected, "forward.error"))
        }
        for octets in [976, 1024, 2048] {
            try rig.expect("\(octets) octets", behind(octets, relay.error), .passed("pass.protocol"))
        }
    }
}
