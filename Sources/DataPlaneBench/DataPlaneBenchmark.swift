import ArgumentParser
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit

/// `./tools/bench dataplane`.
struct DataPlaneBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dataplane", abstract: "What packets of each kind cost, beside a reference program.")

    @OptionGroup var options: BenchOptions

    @Option(help: "Only what has this in its name: dr, nat, snat, ipip, gue, new, pass.")
    var only: String?

    @Option(parsing: .upToNextOption, help: "Flows of which established packets are measured: powers of two.")
    var flows = [1, 65_536, Traffic.mostFlows]

    /// A line of the tables.
    struct Figure: Codable {
        var name: String
        var family: String
        var flows: Int
        var cost: ProgramCost.Cost
        /// Of the ratio.
        var limit: Double?
    }

    private static let loopback: UInt32 = 1

    func validate() throws {
        guard flows.allSatisfy({ $0 > 0 && $0 <= Traffic.mostFlows && $0 & ($0 - 1) == 0 }) else {
            throw ValidationError("flows are powers of two up to \(Traffic.mostFlows)")
        }
    }

    func run() throws {
        print("Nanoseconds over the empty wrapper, medians of alternating rounds")
        let figures = try established() + connections() + strangers()
        guard !figures.isEmpty else { throw BenchFailure("nothing has '\(only ?? "")' in its name") }
        try write(figures, to: options.json)
        try options.judge(
            figures.filter { $0.cost.ratio > $0.limit ?? .infinity }.map { "\($0.name) \($0.family)" })
    }

    private func isWanted(_ name: String) -> Bool {
        only.map { wanted in name.split(separator: " ").contains { $0 == wanted } } ?? true
    }

    // MARK: Established

    /// One mode, and the limits of its packets' costs in each direction.
    struct Mode {
        let name: String
        let service: BenchDataPlane.Service
        let limit: Double?
        /// `nil`: answers do not come by.
        var answerLimit: Double?
    }

    static let modes = [
        Mode(name: "dr", service: service(.dr), limit: 1.6),
        Mode(name: "nat", service: service(.nat), limit: 2.0, answerLimit: 2.0),
        Mode(name: "snat", service: service(.snat), limit: 2.2, answerLimit: 2.2),
        Mode(name: "tunnel ipip", service: service(.tunnel), limit: 2.4),
        Mode(name: "tunnel gue", service: service(.tunnel, encapsulation: .gue), limit: nil),
    ]

    private static func service(
        _ mode: ForwardingMode, encapsulation: Encapsulation = .ipip, scheduler: Scheduler = .maglev, servers: Int = 1
    ) -> BenchDataPlane.Service {
        BenchDataPlane.Service(
            mode: mode, encapsulation: encapsulation, scheduler: scheduler, servers: servers, interface: loopback)
    }

    private func established() throws -> [Figure] {
        let modes = Self.modes.filter { isWanted($0.name) }
        guard !modes.isEmpty else { return [] }
        let sheet = sheet("An established TCP packet")
        return try modes.flatMap { mode in
            try flows.flatMap { flows in
                try [.ipv4, .ipv6].flatMap { try established(mode, $0, flows: flows, on: sheet) }
            }
        }
    }

    private func established(_ mode: Mode, _ family: IPAddress.Family, flows: Int, on sheet: Sheet) throws -> [Figure] {
        let riptide = try BenchDataPlane(
            [mode.service], flows: max(DataPathSettings().flows, flows * 2), interfaces: [Self.loopback])
        let cost = try ProgramCost(riptide, rounds: flows == 1 ? 15 : flows > 65_536 ? 5 : 9)
        var clients = Traffic.clients(family, flows: flows, to: mode.service.address(family))
        clients.isWrapped = mode.service.mode == .tunnel
        try cost.establish(clients)
        func measure(_ name: String, _ traffic: Traffic, counter: String, limit: Double?) throws -> Figure {
            let figure = Figure(
                name: name, family: family.label, flows: flows,
                cost: try cost.ofPackets(traffic, countedAs: counter, repetitions: flows == 1 ? 500_000 : max(262_144, flows)),
                limit: flows == 1 ? limit : nil)
            show(figure, on: sheet)
            return figure
        }
        var figures = [try measure(mode.name, clients, counter: "forward.flow", limit: mode.limit)]
        if let limit = mode.answerLimit {
            let answers = Traffic.answers(family, in: try riptide.dataPlane.flows(limit: flows).records)
            figures.append(try measure("\(mode.name) answer", answers, counter: "forward.answer", limit: limit))
        }
        return figures
    }

    // MARK: New connections

    static let beginnings: [(name: String, service: BenchDataPlane.Service, limit: Double?)] = [
        ("new dr maglev", service(.dr, servers: 16), 16),
        ("new dr wlc", service(.dr, scheduler: .wlc, servers: 16), 25),
        ("new nat maglev", service(.nat, servers: 16), nil),
        ("new snat maglev", service(.snat, servers: 16), nil),
        ("new tunnel maglev", service(.tunnel, servers: 16), nil),
    ]

    private func connections() throws -> [Figure] {
        let kinds = Self.beginnings.filter { isWanted($0.name) }
        guard !kinds.isEmpty else { return [] }
        let sheet = sheet("A new connection, one of 16 real servers: SYN and first ACK together")
        let (rounds, perRound) = (15, 16_384)
        return try kinds.flatMap { kind in
            try [IPAddress.Family.ipv4, .ipv6].map { family in
                let riptide = try BenchDataPlane(
                    [kind.service], flows: DataPathSettings().flows, interfaces: [Self.loopback])
                var clients = Traffic.clients(family, flows: 262_144, to: kind.service.address(family))
                clients.isWrapped = kind.service.mode == .tunnel
                let figure = Figure(
                    name: kind.name, family: family.label, flows: rounds * perRound,
                    cost: try ProgramCost(riptide, rounds: rounds).ofConnections(clients, perRound: perRound),
                    limit: kind.limit)
                show(figure, on: sheet)
                return figure
            }
        }
    }

    // MARK: Not a VIP's

    private func strangers() throws -> [Figure] {
        let modes = Self.modes.filter { isWanted("pass " + $0.name) && ["dr", "nat"].contains($0.name) }
        guard !modes.isEmpty else { return [] }
        let sheet = sheet("A TCP packet for no VIP, which neither program knows, beside services of a mode")
        return try modes.flatMap { mode in
            let riptide = try BenchDataPlane(
                [mode.service], flows: DataPathSettings().flows, interfaces: [Self.loopback])
            return try [IPAddress.Family.ipv4, .ipv6].map { family in
                let stranger = IPAddress.ip(family == .ipv4 ? "203.0.113.1" : "2001:db8:9::1")
                let figure = Figure(
                    name: "pass \(mode.name)", family: family.label, flows: 1,
                    cost: try ProgramCost(riptide, rounds: 15).ofPackets(
                        .clients(family, flows: 1, to: stranger), countedAs: "pass.not-vip", action: .pass,
                        repetitions: 500_000))
                show(figure, on: sheet)
                return figure
            }
        }
    }

    // MARK: The tables

    private func sheet(_ title: String) -> Sheet {
        Sheet(
            title,
            [("", 17), ("", 4), ("flows", 7), ("wrapper", 0), ("reference", 0), ("Riptide", 0), ("ratio", 5), ("limit", 0)])
    }

    private func show(_ figure: Figure, on sheet: Sheet) {
        let cost = figure.cost
        sheet.line([
            figure.name, figure.family, "\(figure.flows)", decimal(cost.wrapper, 0), decimal(cost.reference, 0),
            decimal(cost.riptide, 0), decimal(cost.ratio, 2), figure.limit.map { decimal($0, 1) } ?? "",
        ])
    }
}
