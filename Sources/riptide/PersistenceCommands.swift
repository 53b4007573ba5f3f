import ArgumentParser
package import ControlAPI

struct PersistenceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "persistence", abstract: "Lists which clients keep which real servers, or forgets them.",
        subcommands: [List.self, Clear.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the remembered clients.")

        @OptionGroup var filter: PersistenceFilter
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withDaemon { daemon, output in
                let entries = try await daemon.persistence(filter.filter)
                try output.show(PersistenceList(entries: entries)) { persistenceList(entries, $0) }
            }
        }
    }

    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forgets remembered clients; their next new connections are scheduled anew.",
            discussion: "Without --service and --client all are forgotten.")

        @OptionGroup var filter: PersistenceFilter
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withDaemon { daemon, output in
                let removed = try await daemon.clearPersistence(filter.filter)
                try output.show(Removal(removed: removed)) { _ in ["\(Text.count(removed, "client")) forgotten"] }
            }
        }
    }
}

/// Which remembered clients.
struct PersistenceFilter: ParsableArguments {
    @Option(help: "Only those of this virtual service.") var service: String?
    @Option(help: ArgumentHelp("Only this client.", valueName: "address or prefix")) var client: String?

    var filter: ClientFilter { ClientFilter(service: service, client: client) }
}

/// The table of `riptide persistence list`.
package func persistenceList(_ entries: [PersistenceEntry], _ terminal: Terminal) -> [String] {
    guard !entries.isEmpty else { return ["No remembered clients."] }
    var table = Table([
        Table.Column("CLIENT"), Table.Column("SERVICE", minimum: 8), Table.Column("SERVER", minimum: 8),
        Table.Column("TIME LEFT", isNumber: true),
    ])
    table.rows = entries.map { entry in
        [
            Table.Cell(entry.client), Table.Cell(entry.service), Table.Cell(entry.server),
            Table.Cell(Text.duration(seconds: entry.secondsLeft)),
        ]
    }
    return table.lines(terminal)
}
