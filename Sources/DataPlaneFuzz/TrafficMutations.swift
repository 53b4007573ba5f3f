import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit

/// What happens to frames on their way to being no packets any more.
extension Traffic {
    /// Numbers at the edges of what lengths, types and counts may be.
    private static let edges: [UInt16] = [
        0, 1, 4, 5, 7, 8, 14, 20, 28, 40, 46, 60, 64, 127, 128, 255, 256, 576, 1280, 1500, 0x7fff, 0x8000, 0xfff8, 0xffff,
    ]

    mutating func mutate(_ frame: inout [UInt8], _ world: World) {
        // Most of what matters lies in the headers.
        let reach = random.chance(85) ? min(frame.count, 120) : frame.count
        guard reach > 2 else { return }
        let place = random.below(reach - 1)
        switch random.below(16) {
        case 0...2: frame[place] ^= 1 << UInt8(random.below(8))
        case 3: frame[place] = UInt8(truncatingIfNeeded: random.next())
        case 4, 5: frame.put16(random.pick(Self.edges), place)
        case 6: frame.removeLast(frame.count - random.below(frame.count))
        case 7: frame += random.bytes(random.within(1...64))
        case 8: frame.removeSubrange(place..<min(frame.count, place + random.within(1...16)))
        case 9: frame.insert(contentsOf: frame[place..<min(frame.count, place + random.within(1...16))], at: place)
        case 10: frame = splice(frame)
        case 11...13: mutateField(&frame)
        case 14: putAddress(&frame, world)
        default: frame.insert(contentsOf: [0x81, 0x00, 0x00, 0x64], at: min(12, frame.count))
        }
    }

    /// The beginning of the frame and the end of another.
    mutating func splice(_ frame: [UInt8]) -> [UInt8] {
        guard !recent.isEmpty else { return frame }
        let other = random.pick(recent)
        let end = random.chance(50) ? other.input : other.output
        let place = random.below(min(frame.count, end.count) + 1)
        return Array(frame[..<place]) + end[place...]
    }

    /// A lie in a field that says how the rest is to be read.
    private mutating func mutateField(_ frame: inout [UInt8]) {
        let facts = Facts(frame)
        let network = facts.network
        guard frame.count >= network + 40 else { return }
        let edge = random.pick(Self.edges)
        switch (random.below(7), facts.isIPv4) {
        case (0, true): frame.put16(random.chance(50) ? edge : UInt16(truncatingIfNeeded: facts.length - 1), network + 2)
        case (0, false): frame.put16(edge, network + 4)
        case (1, true): frame[network] = 0x40 | UInt8(random.below(16))
        case (1, false): frame[network + 6] = random.pick([0, 6, 17, 43, 44, 51, 58, 59, 60])
        case (2, _): frame[facts.timePlace] = UInt8(random.below(3))
        case (3, true): frame.put16(random.pick([0x2000, 0x4000, 0x8000, 1, 0x1fff, 0x2001]), network + 6)
        case (4, true): frame[network + 9] = random.pick([1, 4, 6, 17, 41, 47, 50, 58, 132])
        default:
            guard facts.content == .ports, frame.count >= facts.transport + 14 else { return }
            if facts.isTCP {
                let place = facts.transport + (random.chance(50) ? 12 : 13)
                frame[place] = UInt8(truncatingIfNeeded: random.next())
            } else {
                frame.put16(random.chance(50) ? edge : 0, facts.transport + (random.chance(50) ? 4 : 6))
            }
        }
    }

    /// An address that means something, where one belongs.
    private mutating func putAddress(_ frame: inout [UInt8], _ world: World) {
        let facts = Facts(frame)
        guard frame.count >= facts.network + 40 else { return }
        let service = random.pick(world.services)
        let server = world.servers[random.within(1...(world.servers.count - 1))]
        let special: [IPAddress] = facts.isIPv4 ? [.ip("224.0.0.1"), .ip("0.0.0.0")] : [.ip("ff02::1"), .ip("::")]
        let address = random.pick([service.virtual.address, server.real.address, server.hop?.source ?? special[0]] + special)
        guard address.family == facts.family else { return }
        let half = facts.addresses.count / 2
        frame.put(address, facts.addresses.lowerBound + (random.chance(50) ? half : 0))
    }

    /// Makes the checksums right again, so that what was changed before them is all that is wrong.
    func repair(_ frame: inout [UInt8]) {
        var packet = Packet(decoding: frame)
        for index in packet.layers.indices {
            switch packet.layers[index] {
            case .ipv4(var header):
                header.checksum = .computed
                packet.layers[index] = .ipv4(header)
            case .tcp(var header):
                header.checksum = .computed
                packet.layers[index] = .tcp(header)
            case .udp(var header):
                if header.checksum != .zero { header.checksum = .computed }
                packet.layers[index] = .udp(header)
            case .icmp(var header):
                header.checksum = .computed
                packet.layers[index] = .icmp(header)
            case .icmpv6(var header):
                header.checksum = .computed
                packet.layers[index] = .icmpv6(header)
            default: break
            }
        }
        frame = packet.bytes
    }
}
