import DataPlane
import LoadBalancing
import NetworkTypes

/// A packet and what became of it.
struct Outcome {
    let input: [UInt8]
    var output: [UInt8]
    /// XDP_* of <linux/bpf.h>.
    var action: UInt32
    /// The number of the one counter that rose by one.
    var counter: Int

    static let actionNames = ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"]
    static let (drop, pass, transmit, redirect): (UInt32, UInt32, UInt32, UInt32) = (1, 2, 3, 4)

    var counters: CounterSet { CounterSet(number: counter) }
    var counterName: String { CounterSet.catalogue[counter].name }
    var actionName: String { Self.name(action) }

    static func name(_ action: UInt32) -> String {
        Int(action) < actionNames.count ? actionNames[Int(action)] : "action \(action)"
    }
}

/// What is wrong with an outcome.
struct Complaint: Error {
    /// The same for all outcomes that break the same rule.
    let rule: String
    let text: String

    init(_ rule: String, _ text: String) {
        self.rule = rule
        self.text = text
    }
}

/// Says of each outcome whether it may be. It knows the configuration and remembers what it has seen since the world began;
/// hashes and choices of the data plane it does not know, so it can tell a wrong server from a right one only where the
/// choice was made before.
struct Judge {
    var world: World
    /// The server that got the last packet of each connection.
    private(set) var flows: [Tuple: Int] = [:]
    /// By the 5-tuple of their answers: the connections whose addresses are translated.
    private(set) var answers: [Tuple: Outside] = [:]
    /// The other way round: by the client's 5-tuple, that of the answers.
    private(set) var insides: [Tuple: Tuple] = [:]
    /// Where first fragments went.
    private(set) var fragments: [FragmentKey: FragmentNote] = [:]

    /// The source ports of tunnels' outer packets, by connection: routers choose paths by them.
    private(set) var outerPorts: [Tuple: UInt16] = [:]
    /// What routers said to be the longest packet that they take.
    private(set) var limits: Set<Int> = []

    /// A connection as its client knows it.
    struct Outside {
        var tuple: Tuple
        /// From where its beginnings came.
        var macs: Set<UInt64>
        var vlans: Set<UInt16>
    }

    struct FragmentKey: Hashable {
        let source: IPAddress
        let destination: IPAddress
        let identification: UInt32
        let number: UInt8

        init(_ facts: Facts) {
            source = facts.source
            destination = facts.destination
            identification = facts.identification
            number = facts.number
        }
    }

    enum FragmentNote {
        /// `source` is what the server sees as the client's, where addresses are translated; `port` is that of GUE.
        case toServer(Int, source: IPAddress?, port: UInt16?)
        case toClient(Outside)
        /// The first fragment did not leave, but was noted perhaps.
        case unsure
    }

    init(world: World) { self.world = world }

    /// Throws a ``Complaint`` if the outcome may not be, and remembers it.
    mutating func check(_ outcome: Outcome) throws {
        let facts = Facts(outcome.input)
        defer { remember(outcome, facts) }
        let expected = expectedCounters(outcome.input, facts)
        guard expected.contains(outcome.counters) else {
            let names = expected.names.joined(separator: ", ")
            throw Complaint(outcome.counterName, "counted as \(outcome.counterName), and expected was \(names)")
        }
        try checkAction(outcome)
        switch CounterSet.catalogue[outcome.counter].kind {
        case .pass:
            guard outcome.output == outcome.input else {
                throw Complaint("pass", "left to the kernel, but changed")
            }
        case .drop: break
        case .forward:
            try checkForward(outcome, facts)
            try checkChecksums(outcome)
        case .reply:
            try checkReply(outcome, facts)
            try checkChecksums(outcome)
        }
    }

    private func checkAction(_ outcome: Outcome) throws {
        let fits =
            switch CounterSet.catalogue[outcome.counter].kind {
            case .pass: outcome.action == Outcome.pass
            case .drop: outcome.action == Outcome.drop
            case .reply: outcome.action == Outcome.transmit
            case .forward: outcome.action == Outcome.transmit || outcome.action == Outcome.redirect
            }
        if !fits { throw Complaint("action", "\(outcome.actionName) does not fit the counter \(outcome.counterName)") }
    }

    // MARK: Which counters may rise

    func isToUs(_ frame: [UInt8]) -> Bool { frame.mac(0) == World.ownMAC.value }

    private func expectedCounters(_ frame: [UInt8], _ facts: Facts) -> CounterSet {
        switch facts.content {
        case .notIP: .passNotIP
        case .arp: expectedOfARP(frame, facts)
        case .unparsed: .passUnparsed
        case .malformed: world.isVIP(facts.destination) ? .dropMalformed : .passNotVIP
        case .laterFragment: expectedOfFragment(frame, facts)
        case .other: expectedOfOther(frame, facts)
        case .ports: expectedOfPorts(frame, facts)
        }
    }

    private func expectedOfARP(_ frame: [UInt8], _ facts: Facts) -> CounterSet {
        let start = facts.network
        guard frame.count >= start + 28, frame.number32(start) == 0x0001_0800, frame.number32(start + 4) == 0x0604_0001
        else { return .passNeighbour }
        let (asker, target) = (frame.address(start + 14, .ipv4), frame.address(start + 24, .ipv4))
        guard world.isVIP(target), asksUs(frame), asker != target else { return .passNeighbour }
        return world.isActive ? .replyARP : .dropNotActive
    }

    /// Whether a question is for this machine: to all, to a group, or to it alone.
    private func asksUs(_ frame: [UInt8]) -> Bool { frame[0] & 1 == 1 || isToUs(frame) }

    private func expectedOfFragment(_ frame: [UInt8], _ facts: Facts) -> CounterSet {
        let unknown: CounterSet = world.isVIP(facts.destination) ? .dropFragment : .passNotVIP
        guard fragments[FragmentKey(facts)] != nil else { return unknown }
        guard isToUs(frame) else { return [unknown, .passOtherHost, .dropServerGone] }
        return [
            unknown, .forwardFragment, .dropServerGone, .dropNoNeighbour, .dropVLAN, .dropExpired, .dropTooBig,
        ]
    }

    private func expectedOfOther(_ frame: [UInt8], _ facts: Facts) -> CounterSet {
        let base: CounterSet = world.isVIP(facts.destination) ? .passProtocol : .passNotVIP
        if let counters = expectedOfNeighbour(frame, facts) { return counters }
        guard let quotation = Quotation(frame, facts) else { return base }
        guard isToUs(frame) else { return [base, .passOtherHost] }
        let flow = flows[quotation.tuple.reversed]
        if flow == nil && answers[quotation.tuple.reversed] == nil { return base }
        var counters: CounterSet = [base, .forwardError, .dropNoNeighbour, .dropVLAN]
        if facts.timeToLive <= 1 { counters.formUnion(.dropExpired) }
        if let flow, world.services[world.servers[flow].service].mode == .tunnel { counters.formUnion(.dropTooBig) }
        return counters
    }

    /// `nil` if the packet is no message of neighbour discovery that is looked at here.
    private func expectedOfNeighbour(_ frame: [UInt8], _ facts: Facts) -> CounterSet? {
        let start = facts.transport
        guard !facts.isIPv4, facts.number == 58, !facts.isExtended, Facts.reach(frame) >= start + 24,
            frame[start] == 135 || frame[start] == 136
        else { return nil }
        let target = frame.address(start + 8, .ipv6)
        guard frame[start] == 135, frame[start + 1] == 0, facts.timeToLive == 255, asksUs(frame),
            target.family == .ipv6, world.isVIP(target)
        else { return .passNeighbour }
        return world.isActive ? .replyND : .dropNotActive
    }

    private func expectedOfPorts(_ frame: [UInt8], _ facts: Facts) -> CounterSet {
        var counters: CounterSet
        if let service = world.service(facts.destination, facts.destinationPort) {
            counters = isToUs(frame) ? expectedOfService(service, facts) : .passOtherHost
        } else {
            counters = world.isVIP(facts.destination) ? .passPort : .passNotVIP
        }
        if answers[facts.tuple] != nil {
            counters.formUnion(isToUs(frame) ? [.forwardAnswer, .dropVLAN] : .passOtherHost)
            if facts.timeToLive <= 1 { counters.formUnion(.dropExpired) }
        }
        return counters
    }

    private func expectedOfService(_ number: Int, _ facts: Facts) -> CounterSet {
        let service = world.services[number]
        let servers = (service.servers + [service.fallback].compactMap(\.self)).map { world.servers[$0] }
        let isDenied = world.denies(facts.source, number)
        let isReset = facts.isTCP && facts.flags & 4 != 0
        let reply = { (reply: CounterSet, drop: CounterSet) in Self.answers(facts.source, reply, drop) }
        var counters: CounterSet = isDenied ? [] : [.forwardFlow]
        switch (facts.isTCP, facts.isBeginning) {
        case (false, _): counters.formUnion(isDenied ? [] : [.forwardNew, .forwardConfirmed])
        case (true, true): counters.formUnion(isDenied ? [] : [.forwardNew])
        case (true, false): counters.formUnion(isDenied ? [] : [.forwardConfirmed, .forwardStray])
        }
        if isDenied { counters.formUnion(.dropDenied) }
        if facts.isBeginning && service.virtual.clients.rate != nil { counters.formUnion(.dropRate) }
        if !servers.contains(where: { $0.takesConnections && $0.real.maxConnections == 0 }) {
            // A reset is never answered by another.
            counters.formUnion(isReset ? .dropNoServer : reply(.replyRefused, .dropNoServer))
        }
        if service.hasLostServers && facts.isTCP && facts.flags & 2 == 0 {
            counters.formUnion(
                service.virtual.resetsOrphans && !isReset ? reply(.replyReset, .dropServerGone) : .dropServerGone)
        }
        if service.mode != .dr && facts.timeToLive <= 1 { counters.formUnion(reply(.replyExpired, .dropExpired)) }
        if service.mode == .tunnel { counters.formUnion(reply(.replyTooBig, .dropTooBig)) }
        if service.isTranslating { counters.formUnion(.dropNoPort) }
        if servers.contains(where: { $0.hop == nil }) { counters.formUnion(.dropNoNeighbour) }
        if facts.vlan != 0 || servers.contains(where: { $0.hop?.vlan ?? 0 != 0 }) { counters.formUnion(.dropVLAN) }
        return counters
    }

    /// Nothing is answered to what is no single host (RFC 1122 §3.2.2, RFC 4443 §2.4), and to what never comes by a wire it
    /// does not matter.
    private static func answers(_ source: IPAddress, _ reply: CounterSet, _ drop: CounterSet) -> CounterSet {
        if source.isMulticast || source.isUnspecified { return drop }
        let isOdd = source.isLoopback || source.ipv4Value.map { $0 >> 28 == 0xf || $0 >> 24 == 0 } ?? false
        return isOdd ? [reply, drop] : reply
    }

    // MARK: What is remembered

    private mutating func remember(_ outcome: Outcome, _ facts: Facts) {
        if facts.content == .other { rememberLimit(outcome.input, facts) }
        guard facts.content == .ports else { return }
        let server = CounterSet.toServers.contains(outcome.counters) ? world.server(mac: outcome.output.mac(0)) : nil
        if let server {
            flows[facts.tuple] = server.number
            outerPorts[facts.tuple] = outerPort(outcome, facts, server)
            if world.services[server.service].isTranslating { rememberTranslation(outcome, facts) }
        }
        if facts.part == .first { rememberFragment(outcome, facts, server) }
    }

    private mutating func rememberLimit(_ frame: [UInt8], _ facts: Facts) {
        guard frame.count >= facts.transport + 8 else { return }
        let kind = frame.number16(facts.transport)
        let isTooBig = facts.isIPv4 ? facts.number == 1 && kind == 0x0304 : facts.number == 58 && kind >> 8 == 2
        if isTooBig { limits.insert(Int(frame.number32(facts.transport + 4))) }
    }

    /// The connection as its server sees it, turned round.
    func answerTuple(_ outcome: Outcome, _ facts: Facts) -> Tuple {
        let output = outcome.output
        let addresses = facts.network + (facts.isIPv4 ? 12 : 8)
        let size = facts.isIPv4 ? 4 : 16
        return Tuple(
            source: output.address(addresses + size, facts.family), destination: output.address(addresses, facts.family),
            sourcePort: output.number16(facts.transport + 2), destinationPort: output.number16(facts.transport),
            number: facts.number)
    }

    /// The source port of the outer packet; `nil` if that has none.
    func outerPort(_ outcome: Outcome, _ facts: Facts, _ server: Server) -> UInt16? {
        let service = world.services[server.service]
        let place = facts.network + (server.real.address.family == .ipv4 ? 20 : 40)
        guard service.mode == .tunnel, service.virtual.encapsulation == .gue, outcome.output.count >= place + 2
        else { return nil }
        return outcome.output.number16(place)
    }

    private mutating func rememberTranslation(_ outcome: Outcome, _ facts: Facts) {
        let key = answerTuple(outcome, facts)
        if answers[key]?.tuple != facts.tuple { answers[key] = Outside(tuple: facts.tuple, macs: [], vlans: []) }
        insides[facts.tuple] = key
        answers[key]!.macs.insert(outcome.input.mac(6))
        answers[key]!.vlans.insert(facts.vlan)
    }

    private mutating func rememberFragment(_ outcome: Outcome, _ facts: Facts, _ server: Server?) {
        let key = FragmentKey(facts)
        if let server {
            let isTranslating = world.services[server.service].isTranslating
            let source = facts.network + (facts.isIPv4 ? 12 : 8)
            fragments[key] = .toServer(
                server.number, source: isTranslating ? outcome.output.address(source, facts.family) : nil,
                port: outerPort(outcome, facts, server))
        } else if outcome.counters == .forwardAnswer, let outside = answers[facts.tuple] {
            fragments[key] = .toClient(outside)
        } else {
            fragments[key] = .unsure
        }
    }
}
