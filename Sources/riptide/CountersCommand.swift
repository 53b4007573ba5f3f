import ArgumentParser
package import ControlAPI
import Glibc

struct CountersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "counters", abstract: "Shows what became of packets, and why packets were dropped.")

    @Flag(help: "Show them again each second, with rates, until interrupted.") var watch = false
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await options.withDaemon { daemon, output in
            guard watch else {
                let counters = try await daemon.counters()
                return try output.show(CounterList(counters: counters)) { counterList(counters, $0) }
            }
            let clock = ContinuousClock()
            var last: (counters: [Counter], moment: ContinuousClock.Instant)?
            while true {
                let counters = try await daemon.counters()
                let moment = clock.now
                let before = last.map { ($0.counters, $0.moment.duration(to: moment)) }
                if output.format == .table, output.terminal.width != nil {
                    // Home, and clear to the end: no flicker, and what was on the screen before stays in its history.
                    print("\u{1B}[H\u{1B}[2J", terminator: "")
                }
                try output.show(CounterList(counters: counters)) { counterList(counters, before: before, $0) }
                // Nobody reads any more: as good as an interrupt.
                guard fflush(nil) == 0 else { return }
                last = (counters, moment)
                try await clock.sleep(until: moment + .seconds(1))
            }
        }
    }
}

/// The screen of `riptide counters`: groups in the order of a packet's luck, each with its texts.
///
/// - Parameter before: An earlier reading and how long ago it was; with it there is a column of rates.
package func counterList(
    _ counters: [Counter], before: (counters: [Counter], ago: Duration)? = nil, _ terminal: Terminal
) -> [String] {
    let groups = [
        ("Forwarded", "forward"), ("Replies by Riptide itself", "reply"), ("Left to the kernel", "pass"),
        ("Dropped", "drop"),
    ]
    let earlier = Dictionary(before?.counters.map { ($0.name, $0.value) } ?? [], uniquingKeysWith: { $1 })
    var columns = [Table.Column("PACKETS", isNumber: true)]
    if before != nil { columns.append(Table.Column("PER SECOND", isNumber: true)) }
    columns += [Table.Column("COUNTER"), Table.Column("MEANING", minimum: 20)]

    // One table for all groups, so that they share their columns; the titles of the groups go between its lines.
    var table = Table(columns)
    var titles: [Int: String] = [:]
    let known = Set(groups.map(\.1))
    for (title, kind) in groups + [("Other", "")] {
        let members = counters.filter { kind.isEmpty ? !known.contains($0.kind) : $0.kind == kind }
        if !members.isEmpty { titles[table.rows.count] = title }
        for counter in members {
            let alarming = counter.value > 0 && !counter.expected
            var row = [Table.Cell(Text.number(counter.value), alarming ? .yellow : .plain)]
            if let before {
                row.append(Table.Cell(rate(counter, earlier[counter.name], before.ago)))
            }
            row.append(Table.Cell(counter.name, counter.value == 0 ? .faint : .plain))
            let text = Table.Cell(counter.text, counter.value == 0 ? .faint : .plain)
            row.append(alarming ? Table.Cell("unexpected: ", .yellow) + text : text)
            table.rows.append(row)
        }
    }
    guard !table.rows.isEmpty else { return ["No counters."] }

    let lines = table.lines(terminal)
    var result = [lines[0]]
    for (index, line) in lines.dropFirst().enumerated() {
        if let title = titles[index] { result += ["", terminal.paint(title, .bold)] }
        result.append(line)
    }
    return result
}

private func rate(_ counter: Counter, _ earlier: Int?, _ ago: Duration) -> String {
    let seconds = ago / .seconds(1)
    // A smaller value means that the data path was attached anew.
    guard let earlier, counter.value >= earlier, seconds > 0 else { return "" }
    return Text.number(Int((Double(counter.value - earlier) / seconds).rounded()))
}
