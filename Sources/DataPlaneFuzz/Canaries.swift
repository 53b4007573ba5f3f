import LoadBalancing
import NetworkTypes
import PacketKit

/// Established connections that only their own ends know: whatever else is sent, each of their packets must meet the same
/// server and leave as its first did.
struct Canaries {
    private var all: [(frame: [UInt8], output: [UInt8])] = []
    private var turn = 0

    mutating func add(_ outcome: Outcome) { all.append((outcome.input, outcome.output)) }

    /// One after the other; `nil` if there are none.
    mutating func next() -> (frame: [UInt8], output: [UInt8])? {
        guard !all.isEmpty else { return nil }
        turn = (turn + 1) % all.count
        return all[turn]
    }

    /// The first two packets of a connection with each service, by TCP and by UDP. `number` tells one set from others.
    static func openings(_ world: World, number: Int) -> [(first: [UInt8], second: [UInt8])] {
        world.services.flatMap { service in
            let tcp = packet(service, number) { .tcp(source: $0, destination: $1, flags: .syn) }
            let acknowledgement = packet(service, number) { .tcp(source: $0, destination: $1, flags: .ack) }
            let udp = packet(service, number) { .udp(source: $0, destination: $1) }
            return [(tcp, acknowledgement), (udp, udp)]
        }
    }

    private static func packet(_ service: Service, _ number: Int, _ transport: (UInt16, UInt16) -> Layer) -> [UInt8] {
        // Far from other clients in each bit, so that no flipped one leads here.
        let network: Layer =
            service.family == .ipv4
            ? .ipv4(source: IPAddress(ipv4: 0x0abd_5a00 + UInt32(number)), destination: service.virtual.address)
            : .ipv6(
                source: IPAddress(high: 0x2001_0db8_bd5a_5a5a, low: UInt64(number)), destination: service.virtual.address)
        return Packet(
            .ethernet(destination: World.ownMAC, source: MACAddress(World.clientMACs + 0xff00)), network,
            transport(61234, service.virtual.ports.ranges[0].lowerBound), .payload(Array("canary".utf8))
        ).bytes
    }
}
