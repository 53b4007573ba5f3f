import DataPlane

/// A set of counters.
struct CounterSet: OptionSet {
    let rawValue: UInt64

    static let catalogue = Counter.catalogue

    init(rawValue: UInt64) { self.rawValue = rawValue }

    init(number: Int) { rawValue = 1 << UInt64(number) }

    /// A name that the data plane does not have is a mistake of this program's.
    init(_ names: String...) {
        rawValue = names.reduce(0) { set, name in
            guard let number = Self.catalogue.firstIndex(where: { $0.name == name }) else {
                preconditionFailure("there is no counter \(name)")
            }
            return set | 1 << UInt64(number)
        }
    }

    var names: [String] {
        Self.catalogue.indices.filter { contains(CounterSet(number: $0)) }.map { Self.catalogue[$0].name }
    }

    static let passNotIP = CounterSet("pass.not-ip")
    static let passNeighbour = CounterSet("pass.neighbour")
    static let passUnparsed = CounterSet("pass.unparsed")
    static let passNotVIP = CounterSet("pass.not-vip")
    static let passPort = CounterSet("pass.port")
    static let passProtocol = CounterSet("pass.protocol")
    static let passOtherHost = CounterSet("pass.other-host")
    static let forwardFlow = CounterSet("forward.flow")
    static let forwardNew = CounterSet("forward.new")
    static let forwardConfirmed = CounterSet("forward.confirmed")
    static let forwardStray = CounterSet("forward.stray")
    static let forwardAnswer = CounterSet("forward.answer")
    static let forwardError = CounterSet("forward.error")
    static let forwardFragment = CounterSet("forward.fragment")
    static let replyARP = CounterSet("reply.arp")
    static let replyND = CounterSet("reply.nd")
    static let replyRefused = CounterSet("reply.refused")
    static let replyReset = CounterSet("reply.reset")
    static let replyTooBig = CounterSet("reply.too-big")
    static let replyExpired = CounterSet("reply.expired")
    static let dropNotActive = CounterSet("drop.not-active")
    static let dropMalformed = CounterSet("drop.malformed")
    static let dropFragment = CounterSet("drop.fragment")
    static let dropNoServer = CounterSet("drop.no-server")
    static let dropServerGone = CounterSet("drop.server-gone")
    static let dropExpired = CounterSet("drop.expired")
    static let dropTooBig = CounterSet("drop.too-big")
    static let dropNoPort = CounterSet("drop.no-port")
    static let dropDenied = CounterSet("drop.denied")
    static let dropRate = CounterSet("drop.rate")
    static let dropNoNeighbour = CounterSet("drop.no-neighbour")
    static let dropVLAN = CounterSet("drop.vlan")
    static let dropTableChanging = CounterSet("drop.table-changing")
    static let dropNoRoom = CounterSet("drop.no-room")

    /// Of packets with ports that leave for a real server.
    static let toServers: CounterSet = [.forwardFlow, .forwardNew, .forwardConfirmed, .forwardStray]
}
