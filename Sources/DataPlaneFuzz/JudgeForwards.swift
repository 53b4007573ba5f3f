import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit

/// What may leave for a real server or a client.
extension Judge {
    func checkForward(_ outcome: Outcome, _ facts: Facts) throws {
        // Which way a first fragment would have gone that did not leave, nobody saw.
        if outcome.counters == .forwardFragment, case .unsure? = fragments[FragmentKey(facts)],
            (try? checkToServer(outcome, facts)) != nil
        {
            return
        }
        if isForServer(outcome, facts) {
            try checkToServer(outcome, facts)
        } else {
            try checkToClient(outcome, facts)
        }
    }

    private func isForServer(_ outcome: Outcome, _ facts: Facts) -> Bool {
        if outcome.counters == .forwardFragment {
            if case .toServer? = fragments[FragmentKey(facts)] { return true }
            return false
        }
        if outcome.counters == .forwardError, let quotation = Quotation(outcome.input, facts) {
            let client = quotation.tuple.reversed
            guard flows[client] != nil else { return false }
            return answers[client] == nil || world.server(mac: outcome.output.mac(0)) != nil
        }
        return outcome.counters != .forwardAnswer
    }

    // MARK: To a real server

    private func checkToServer(_ outcome: Outcome, _ facts: Facts) throws {
        guard let server = world.server(mac: outcome.output.mac(0)), server.keepsFlows, let hop = server.hop else {
            throw Complaint("server", "sent to a MAC address that is no real server's, or of one that is halted or gone")
        }
        guard outcome.output.mac(6) == hop.sourceMAC.value else {
            throw Complaint("mac", "leaves with another source MAC address than its interface's, \(hop.sourceMAC)")
        }
        guard outcome.action == (hop.interface == 1 ? Outcome.transmit : Outcome.redirect) else {
            throw Complaint("interface", "\(server.real.name) is on interface \(hop.interface), but it is \(outcome.actionName)")
        }
        try checkChoice(outcome, facts, server)
        let service = world.services[server.service]
        switch service.mode {
        case .dr: try compare(outcome, Array(outcome.output[..<12]) + outcome.input[12...])
        case .tunnel: try checkTunnel(outcome, facts, server, hop)
        default:
            if facts.content == .other {
                try checkErrorToServer(outcome, facts, server)
            } else {
                try checkTranslated(outcome, facts, server, service)
            }
        }
    }

    /// Whether the server is one of the service's, and the one that the flow, the first fragment or the quoted packet had.
    private func checkChoice(_ outcome: Outcome, _ facts: Facts, _ server: Server) throws {
        switch facts.content {
        case .ports:
            guard world.service(facts.destination, facts.destinationPort) == server.service else {
                throw Complaint("service", "sent to \(server.real.name) of another service")
            }
            try checkBeginning(facts, server)
            if outcome.counters == .forwardFlow, let last = flows[facts.tuple], last != server.number {
                throw Complaint("moved", "the flow was at s\(last) and is now at \(server.real.name)")
            }
        case .laterFragment:
            if case .toServer(let first, _, _) = fragments[FragmentKey(facts)], first != server.number {
                throw Complaint("fragment", "the first fragment went to s\(first), this one to \(server.real.name)")
            }
        default:
            guard let quotation = Quotation(outcome.input, facts), flows[quotation.tuple.reversed] == server.number else {
                throw Complaint("error", "sent to \(server.real.name), which the quoted packet is not from")
            }
        }
    }

    /// A connection of a client that nothing is known of: its server takes new ones, or is the fallback where none does.
    private func checkBeginning(_ facts: Facts, _ server: Server) throws {
        let service = world.services[server.service]
        guard flows[facts.tuple] == nil, service.virtual.persistence == nil else { return }
        let isNeeded = !service.servers.map { world.servers[$0] }.contains {
            $0.takesConnections && $0.real.maxConnections == 0
        }
        guard server.isFallback ? isNeeded : server.takesConnections else {
            throw Complaint("choice", "a new connection was sent to \(server.real.name), which takes none")
        }
    }

    private func checkTunnel(_ outcome: Outcome, _ facts: Facts, _ server: Server, _ hop: NextHop) throws {
        let (input, output) = (outcome.input, outcome.output)
        let isGUE = world.services[server.service].virtual.encapsulation == .gue
        let isIPv4 = server.real.address.family == .ipv4
        let overhead = (isIPv4 ? 20 : 40) + (isGUE ? 8 : 0)
        guard output.count == input.count + overhead else {
            throw Complaint("length", "\(input.count) octets came, \(output.count) leave, and the tunnel takes \(overhead)")
        }
        guard facts.length + overhead <= hop.mtu else {
            throw Complaint("mtu", "\(facts.length + overhead) octets were sent to \(server.real.name), whose MTU is \(hop.mtu)")
        }
        var inner = input
        try age(&inner, facts)
        if facts.isIPv4 {
            let place = facts.network + overhead
            inner.replaceSubrange(facts.network + 10..<facts.network + 12, with: output[place + 10..<place + 12])
            try requireSameSum("IPv4", input, output, facts.network..<facts.network + 20, at: place)
        }
        let port = outerPort(outcome, facts, server)
        try checkPort(port, facts)
        var expected = Array(output[..<12]) + input[12..<facts.network]
        expected.put16(isIPv4 ? EtherType.ipv4 : EtherType.ipv6, facts.network - 2)
        expected += outerHeaders(input, facts, server, hop, port: port, overhead)
        try compare(outcome, expected + inner[facts.network...])
    }

    /// One for all packets of a connection, all parts of a datagram included.
    private func checkPort(_ port: UInt16?, _ facts: Facts) throws {
        var before: UInt16?
        if facts.content == .ports {
            before = outerPorts[facts.tuple]
        } else if case .toServer(_, _, let first?) = fragments[FragmentKey(facts)] {
            before = first
        }
        guard let port else { return }
        guard port >= 0xc000, port == before ?? port else {
            throw Complaint("outer port", "the outer source port is \(port), and was \(before ?? 0) before")
        }
    }

    /// `port` is that of GUE; `nil`: IP in IP.
    private func outerHeaders(
        _ input: [UInt8], _ facts: Facts, _ server: Server, _ hop: NextHop, port: UInt16?, _ overhead: Int
    ) -> [UInt8] {
        let traffic = facts.isIPv4 ? input[facts.network + 1] : UInt8(truncatingIfNeeded: input.number16(facts.network) >> 4)
        let length = UInt16(truncatingIfNeeded: facts.length + overhead)
        let inside = port != nil ? IPProtocol.udp : facts.isIPv4 ? IPProtocol.ipv4 : IPProtocol.ipv6
        let source = hop.source ?? server.real.address
        let outer: Layer =
            server.real.address.family == .ipv4
            ? .ipv4(
                source: source, destination: server.real.address, dontFragment: true, tos: traffic, protocol: inside,
                totalLength: length)
            : .ipv6(
                source: source, destination: server.real.address, trafficClass: traffic, nextHeader: inside,
                payloadLength: length &- 40)
        guard let port else { return Packet(outer).bytes }
        let udp = Layer.udp(
            source: port, destination: 6080, length: UInt16(truncatingIfNeeded: facts.length + 8), checksum: .zero)
        return Packet(outer, udp).bytes
    }

    private func checkTranslated(_ outcome: Outcome, _ facts: Facts, _ server: Server, _ service: Service) throws {
        try requireSameLength(outcome)
        var edit = facts.tuple
        edit.destination = server.real.address
        edit.destinationPort = server.real.port ?? facts.destinationPort
        if facts.content == .ports { edit.sourcePort = outcome.output.number16(facts.transport) }
        if service.mode == .snat {
            edit.source = outcome.output.address(facts.addresses.lowerBound, facts.family)
            try checkPool(edit, facts, server, service)
        }
        if facts.content == .ports {
            try checkIdentity(outcome, facts)
        } else if case .toServer(_, let first?, _) = fragments[FragmentKey(facts)], first != edit.source {
            throw Complaint("fragment", "the first fragment came from \(first), this one from \(edit.source)")
        }
        try check(edit, outcome, facts)
    }

    private func checkPool(_ edit: Tuple, _ facts: Facts, _ server: Server, _ service: Service) throws {
        let pool = service.virtual.source
        let isRight = pool.addresses.isEmpty ? edit.source == server.hop?.source : pool.addresses.contains(edit.source)
        guard isRight, facts.content != .ports || pool.ports.contains(edit.sourcePort) else {
            throw Complaint("pool", "snat sends from \(edit.source) port \(edit.sourcePort), which the pool does not have")
        }
    }

    /// Whether the server can tell the connection from others, and knows it by what it had before. (Where two would look the
    /// same, nat gives another port, too.)
    private func checkIdentity(_ outcome: Outcome, _ facts: Facts) throws {
        guard outcome.counters == .forwardFlow || outcome.counters == .forwardConfirmed else { return }
        let key = answerTuple(outcome, facts)
        if let other = answers[key], other.tuple != facts.tuple {
            throw Complaint(
                "collision", "to the real server it looks the same as \(other.tuple), which began after it: answers go astray")
        }
        if let before = insides[facts.tuple], before != key {
            throw Complaint("identity", "the real server knows the connection as \(before), and now it is \(key)")
        }
    }

    // MARK: To a client

    private func checkToClient(_ outcome: Outcome, _ facts: Facts) throws {
        try requireSameLength(outcome)
        guard outcome.action == Outcome.transmit, outcome.output.mac(6) == World.ownMAC.value else {
            throw Complaint("mac", "does not leave by the client's interface with its MAC address")
        }
        if outcome.counters == .forwardError {
            try checkErrorToClient(outcome, facts)
            return
        }
        let outside: Outside
        switch (facts.content, fragments[FragmentKey(facts)]) {
        case (.ports, _): outside = try require(answers[facts.tuple])
        case (_, .toClient(let first)?): outside = first
        default: return
        }
        var edit = facts.tuple
        edit.source = outside.tuple.destination
        edit.destination = outside.tuple.source
        edit.sourcePort = outside.tuple.destinationPort
        edit.destinationPort = outside.tuple.sourcePort
        try check(edit, outcome, facts)
        try checkWay(outcome, facts, outside)
    }

    func require(_ outside: Outside?) throws -> Outside {
        guard let outside else { throw Complaint("answer", "sent to a client that has no such connection") }
        return outside
    }

    func checkWay(_ outcome: Outcome, _ facts: Facts, _ outside: Outside) throws {
        guard outside.macs.contains(outcome.output.mac(0)) else {
            throw Complaint("mac", "sent to a MAC address that the client's packets did not come from")
        }
        guard outside.vlans.contains(0) || outside.vlans.contains(facts.vlan) || facts.content != .ports else {
            throw Complaint("vlan", "the client is in VLAN \(outside.vlans), the answer leaves in \(facts.vlan)")
        }
    }

    // MARK: Translation

    /// Compares with the input of which addresses and ports alone have changed, and the checksums by as much.
    private func check(_ edit: Tuple, _ outcome: Outcome, _ facts: Facts) throws {
        let (input, output) = (outcome.input, outcome.output)
        var expected = Array(output[..<12]) + input[12...]
        try editNetwork(&expected, edit, outcome, facts)
        if facts.content == .ports {
            let field = facts.transport + (facts.isTCP ? 16 : 6)
            expected.put16(edit.sourcePort, facts.transport)
            expected.put16(edit.destinationPort, facts.transport + 2)
            expected.keep(field, of: output)
            try requireSameSum(
                facts.isTCP ? "TCP" : "UDP", input, output, [facts.addresses, facts.transport..<facts.transport + 4],
                field: field)
        }
        try compare(outcome, expected)
    }

    func editNetwork(
        _ expected: inout [UInt8], _ edit: Tuple, _ outcome: Outcome, _ facts: Facts
    ) throws {
        let header = facts.network..<facts.network + 20
        try age(&expected, facts)
        expected.put(edit.source, facts.addresses.lowerBound)
        expected.put(edit.destination, facts.addresses.lowerBound + facts.addresses.count / 2)
        guard facts.isIPv4 else { return }
        expected.keep(facts.network + 10, of: outcome.output)
        try requireSameSum("IPv4", outcome.input, outcome.output, header, at: facts.network)
    }

    /// Counts down the time to live.
    func age(_ frame: inout [UInt8], _ facts: Facts) throws {
        guard facts.timeToLive > 1 else { throw Complaint("ttl", "forwarded, though its time to live had run out") }
        frame[facts.timePlace] -= 1
    }
}
