import ArgumentParser
package import ControlAPI

struct DatapathCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "datapath", abstract: "Shows the data path in the kernel, or takes it off.",
        subcommands: [ShowStatus.self, Detach.self])

    struct ShowStatus: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "Shows interfaces, tables and time-outs.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withDaemon { daemon, output in
                let dataPath = try await daemon.dataPath()
                try output.show(dataPath) { dataPathSheet(dataPath, $0) }
            }
        }
    }

    struct Detach: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes the data path off all interfaces: no service is balanced any more.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withDaemon { daemon, output in
                let dataPath = try await daemon.detachDataPath()
                try output.show(dataPath) { _ in
                    let left = dataPath.attached.filter { $0.mode != "none" }.map(\.interface)
                    return [
                        left.isEmpty
                            ? "Detached: no service is balanced any more."
                            : "Still attached: \(left.joined(separator: ", ").printable)"
                    ]
                }
            }
        }
    }
}

/// The screen of `riptide datapath status`.
package func dataPathSheet(_ dataPath: DataPathStatus, _ terminal: Terminal) -> [String] {
    var table = Table([
        Table.Column("INTERFACE"), Table.Column("XDP"), Table.Column("WANTED"),
        Table.Column("PROGRAM", isNumber: true), Table.Column("NOTE", minimum: 20),
    ])
    table.rows = dataPath.attached.map { attachment in
        let tint: Tint = attachment.mode == "none" ? .red : attachment.mode == "native" ? .green : .plain
        return [
            Table.Cell(attachment.interface, .bold), Table.Cell(attachment.mode, tint), Table.Cell(attachment.wanted),
            Table.Cell(attachment.programID.map(String.init) ?? ""), Table.Cell(attachment.note),
        ]
    }
    var sheet = Sheet(terminal)
    sheet.add("Maps", Table.Cell("\(dataPath.bpffs), layout \(dataPath.layoutVersion)"))
    for (name, use) in [("Flows", dataPath.flows), ("Remembered clients", dataPath.persistence)] {
        let fill = "\(Text.number(use.used)) of \(Text.number(use.capacity))"
        let percent = Text.percent(use.used, of: use.capacity)
        sheet.add(name, Table.Cell("\(fill) (\(percent)), \(Text.size(bytes: use.memoryBytes))"))
    }
    let timeouts = [
        ("TCP established", dataPath.timeouts.tcpEstablishedSeconds), ("TCP closing", dataPath.timeouts.tcpFinSeconds),
        ("TCP opening", dataPath.timeouts.tcpSynSeconds), ("UDP", dataPath.timeouts.udpSeconds),
    ]
    let words = timeouts.map { "\($0.0) \(Text.duration(seconds: $0.1))" }
    sheet.add("Time-outs", Table.Cell(words.joined(separator: ", ")))
    return (dataPath.attached.isEmpty ? ["No interface."] : table.lines(terminal)) + [""] + sheet.lines
}
