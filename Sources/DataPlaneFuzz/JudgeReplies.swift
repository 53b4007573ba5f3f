import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit

/// What the data plane may answer itself: each answer is built again by PacketKit.
extension Judge {
    func checkReply(_ outcome: Outcome, _ facts: Facts) throws {
        switch outcome.counters {
        case .replyARP: try compare(outcome, arpReply(outcome.input, facts))
        case .replyND: try compare(outcome, advertisement(outcome.input, facts))
        default:
            guard !facts.source.isMulticast, !facts.source.isUnspecified else {
                throw Complaint("addressee", "an answer was sent to \(facts.source), which is no host")
            }
            if facts.isTCP && (outcome.counters == .replyRefused || outcome.counters == .replyReset) {
                try checkReset(outcome, facts)
            } else {
                try checkError(outcome, facts)
            }
        }
    }

    /// The frame's head of an answer: back to where the question came from, with its tags.
    private func head(_ input: [UInt8], _ facts: Facts, to destination: UInt64, from source: UInt64) -> [UInt8] {
        var head = Array(input[..<facts.network])
        head.putMAC(destination, 0)
        head.putMAC(source, 6)
        return head
    }

    private func arpReply(_ input: [UInt8], _ facts: Facts) -> [UInt8] {
        let asker = input.mac(facts.network + 8)
        let reply = Packet(
            .arpReply(
                senderHardware: World.ownMAC, senderAddress: input.address(facts.network + 24, .ipv4),
                targetHardware: MACAddress(asker), targetAddress: input.address(facts.network + 14, .ipv4)))
        return head(input, facts, to: asker, from: World.ownMAC.value) + reply.bytes + input[(facts.network + 28)...]
    }

    private func advertisement(_ input: [UInt8], _ facts: Facts) -> [UInt8] {
        let target = input.address(facts.transport + 8, .ipv6)
        let isProbe = facts.source == IPAddress(high: 0, low: 0)
        let word = input.number32(facts.network)
        let reply = Packet(
            .ipv6(
                source: target, destination: isProbe ? .ip("ff02::1") : facts.source, hopLimit: 255,
                trafficClass: UInt8(truncatingIfNeeded: word >> 20), flowLabel: word & 0xf_ffff),
            .neighbourAdvertisement(
                target: target, flags: isProbe ? .override : [.solicited, .override],
                options: [.targetLinkLayerAddress(World.ownMAC)]))
        let asker = isProbe ? 0x3333_0000_0001 : input.mac(6)
        return head(input, facts, to: asker, from: World.ownMAC.value) + reply.bytes
    }

    private func network(to facts: Facts) -> Layer {
        facts.isIPv4
            ? .ipv4(source: facts.destination, destination: facts.source, dontFragment: true)
            : .ipv6(source: facts.destination, destination: facts.source)
    }

    /// RFC 9293 §3.5.2: what acknowledges is answered from there, other segments are acknowledged.
    private func checkReset(_ outcome: Outcome, _ facts: Facts) throws {
        let (input, output) = (outcome.input, outcome.output)
        let isAcknowledging = facts.flags & 0x10 != 0
        let header = Int(input[facts.transport + 12] >> 4) * 4
        let content = facts.length - (facts.transport - facts.network) - header
        var next = input.number32(facts.transport + 4) &+ UInt32(truncatingIfNeeded: content)
        // SYN and FIN count as an octet each.
        next = next &+ UInt32(facts.flags & 1) &+ UInt32(facts.flags >> 1 & 1)
        if header < 20 || content < 0, output.count >= facts.network + 40 {
            // What such a segment would have to be acknowledged as, nobody knows.
            next = output.number32(facts.network + (facts.isIPv4 ? 20 : 40) + 8)
        }
        let reply = Packet(
            network(to: facts),
            .tcp(
                source: facts.destinationPort, destination: facts.sourcePort,
                flags: isAcknowledging ? .rst : [.rst, .ack],
                sequence: isAcknowledging ? input.number32(facts.transport + 8) : 0,
                acknowledgement: isAcknowledging ? 0 : next, window: 0))
        try compare(outcome, head(input, facts, to: input.mac(6), from: input.mac(0)) + reply.bytes)
    }

    private func checkError(_ outcome: Outcome, _ facts: Facts) throws {
        let input = outcome.input
        guard facts.part != .later, facts.content == .ports || facts.content == .other else {
            throw Complaint("addressee", "an ICMP error about a later fragment")
        }
        guard facts.content == .ports else { throw Complaint("addressee", "an ICMP error about an ICMP error") }
        var quoted = Array(input[facts.network...].prefix(min(96, facts.length / 4 * 4)))
        quoted += [UInt8](repeating: 0, count: min(96, facts.length / 4 * 4) - quoted.count)
        let header = try facts.isIPv4 ? Layer.icmp(icmp(outcome, facts)) : Layer.icmpv6(icmpv6(outcome, facts))
        let reply = Packet(network(to: facts), header, .quoted(quoted))
        try compare(outcome, head(input, facts, to: input.mac(6), from: input.mac(0)) + reply.bytes)
    }

    private func icmp(_ outcome: Outcome, _ facts: Facts) throws -> ICMPv4Header {
        switch outcome.counters {
        case .replyTooBig: .fragmentationNeeded(mtu: UInt16(try limit(outcome, facts)))
        case .replyExpired: .timeExceeded()
        default: .unreachable(code: 3)
        }
    }

    private func icmpv6(_ outcome: Outcome, _ facts: Facts) throws -> ICMPv6Header {
        switch outcome.counters {
        case .replyTooBig: .packetTooBig(mtu: UInt32(try limit(outcome, facts)))
        case .replyExpired: .timeExceeded()
        default: .unreachable(code: 4)
        }
    }

    /// The length that the sender was told: one that fits the tunnel to a server of the service, and that the packet exceeds.
    private func limit(_ outcome: Outcome, _ facts: Facts) throws -> Int {
        let place = facts.network + (facts.isIPv4 ? 24 : 44)
        guard outcome.output.count >= place + 4,
            let number = world.service(facts.destination, facts.destinationPort)
        else { throw Complaint("length", "no room for an ICMP error") }
        let told = Int(outcome.output.number32(place))
        let service = world.services[number]
        let fits = (service.servers + [service.fallback].compactMap(\.self)).contains { index in
            let server = world.servers[index]
            let outer = told + (server.real.address.family == .ipv4 ? 20 : 40) + (service.virtual.encapsulation == .gue ? 8 : 0)
            return server.hop.map { $0.mtu == outer || ($0.mtu > outer && limits.contains(outer)) } ?? false
        }
        guard fits, facts.length > told else {
            throw Complaint("mtu", "\(facts.length) octets were too long, and \(told) would fit, which no tunnel takes just so")
        }
        return told
    }
}
