import ArgumentParser
package import ControlAPI

struct ServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server", abstract: "Lists real servers, and takes them in and out of service.",
        subcommands: [List.self, Show.self, Drain.self, Halt.self, Online.self, Weight.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the real servers of a virtual service, or of all.")

        @Argument(help: "The virtual service's name.") var service: String?
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withDaemon { daemon, output in
                guard let service else {
                    let services = try await daemon.services()
                    return try output.show(ServiceList(services: services)) {
                        serverList(services, withService: true, $0)
                    }
                }
                let found = try await daemon.service(service)
                try output.show(ServerList(servers: found.servers)) { serverList([found], withService: false, $0) }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows one real server.")

        @Argument(help: "The virtual service's name.") var service: String
        @Argument(help: "The real server's name.") var server: String
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withDaemon { daemon, output in
                let server = try await daemon.server(server, of: service)
                try output.show(server) { serverSheet(server, of: service, $0) }
            }
        }
    }

    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives real servers no new clients; connections and remembered clients run out.")

        @OptionGroup var servers: ServerArguments
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await change(servers.service, servers.servers, ServerChange(state: "drain"), options)
        }
    }

    struct Halt: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives real servers no new connections, and cuts the existing ones.")

        @OptionGroup var servers: ServerArguments
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await change(servers.service, servers.servers, ServerChange(state: "halt"), options)
        }
    }

    struct Online: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Gives real servers new connections again.")

        @OptionGroup var servers: ServerArguments
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await change(servers.service, servers.servers, ServerChange(state: "online"), options)
        }
    }

    struct Weight: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes the share of new connections that real servers get.",
            usage: "riptide server weight <service> <server> ... <weight> [--socket <path>] [--format <table|json>]",
            discussion: "The weight comes last: 0 to 65535 (0 drains), or configured for what the configuration says.")

        @Argument(help: "The virtual service's name.") var service: String
        @Argument(help: ArgumentHelp("The real servers' names, then the weight.", valueName: "server ... weight"))
        var words: [String]
        @OptionGroup var options: GlobalOptions

        func validate() throws {
            guard words.count >= 2 else { throw ValidationError("Name a real server, and then its weight.") }
            _ = try Self.weight(words[words.count - 1])
        }

        func run() async throws {
            let weight = try Self.weight(words[words.count - 1])
            try await change(service, Array(words.dropLast()), ServerChange(weight: weight), options)
        }

        private static func weight(_ text: String) throws -> ServerChange.Weight {
            if text == "configured" { return .configured }
            guard let value = Int(text), ServerChange.weights.contains(value) else {
                throw ValidationError("The weight '\(text)' is neither a number from 0 to 65535 nor 'configured'.")
            }
            return .value(value)
        }
    }
}

/// A virtual service and some of its real servers.
struct ServerArguments: ParsableArguments {
    @Argument(help: "The virtual service's name.") var service: String
    @Argument(help: "The real servers' names.") var servers: [String]

    func validate() throws {
        guard !servers.isEmpty else { throw ValidationError("Name at least one real server of \(service).") }
    }
}

/// Changes all of the servers, or none when one of the names is wrong, and says what is then in force.
private func change(
    _ service: String, _ servers: [String], _ change: ServerChange, _ options: GlobalOptions
) async throws {
    try await options.withDaemon { daemon, output in
        for server in servers { _ = try await daemon.server(server, of: service) }
        var changed: [ServerStatus] = []
        for server in servers {
            let status = try await daemon.change(server, of: service, change)
            changed.append(status)
            // Said at once: a later one may fail.
            if output.format == .table { print(changeLine(status, of: service)) }
        }
        if output.format == .json { print(try Output.json(ServerList(servers: changed))) }
    }
}

/// What is in force after a change, in one line, with what remains.
package func changeLine(_ server: ServerStatus, of service: String) -> String {
    let connections = Text.count(server.connections, "connection")
    var parts = ["\(service)/\(server.name): \(server.state)"]
    switch server.state {
    case "drain": parts.append(server.connections == 0 ? "no connections remain" : "\(connections) to run out")
    case "halt": parts.append(server.connections == 0 ? "no connections remain" : "\(connections) being cut")
    default: parts += [server.health, "weight \(Text.number(server.weight))", connections]
    }
    if !server.reason.isEmpty, server.state == "online" { parts.append(server.reason) }
    return parts.joined(separator: ", ").printable
}

/// The table of `riptide server list`.
package func serverList(_ services: [ServiceStatus], withService: Bool, _ terminal: Terminal) -> [String] {
    guard services.contains(where: { !$0.servers.isEmpty }) else { return ["No real servers configured."] }
    var table = Table([
        Table.Column("SERVER", minimum: 12), Table.Column("ADDRESS"), Table.Column("WEIGHT", isNumber: true),
        Table.Column("CONNS", isNumber: true), Table.Column("NEW", isNumber: true, isOptional: true),
        Table.Column("PACKETS", isNumber: true, isOptional: true),
        Table.Column("BYTES", isNumber: true, isOptional: true), Table.Column("NEIGHBOUR", isOptional: true),
        Table.Column("STATUS", minimum: 16),
    ])
    if withService { table.columns.insert(Table.Column("SERVICE", minimum: 12), at: 0) }
    for service in services {
        for server in service.servers {
            let row: [Table.Cell] = [
                Table.Cell(server.name, .bold), Table.Cell(server.address), Table.Cell(weight(server)),
                Table.Cell(Text.number(server.connections)), Table.Cell(Text.number(server.newConnections)),
                Table.Cell(Text.number(server.packets)), Table.Cell(Text.size(bytes: server.bytes)),
                Table.Cell(server.neighbour), statusCell(server, terminal),
            ]
            table.rows.append(withService ? [Table.Cell(service.name)] + row : row)
        }
    }
    return table.lines(terminal)
}

private func weight(_ server: ServerStatus) -> String {
    let weight = Text.number(server.weight)
    return server.weight == server.configuredWeight ? weight : "\(weight) (\(Text.number(server.configuredWeight)))"
}

/// The screen of `riptide server show`.
package func serverSheet(_ server: ServerStatus, of service: String, _ terminal: Terminal) -> [String] {
    var sheet = Sheet(terminal)
    sheet.add("Server", Table.Cell(server.name, .bold))
    sheet.add("Service", Table.Cell(service))
    sheet.add("Status", statusCell(server, terminal))
    let asked = server.administrativeState.map { ", \($0) by an operator" } ?? ""
    sheet.add("State", Table.Cell("\(server.state) (configured \(server.configuredState)\(asked))"))
    sheet.add("Health", Table.Cell(server.health))
    sheet.add("Address", Table.Cell(server.address))
    let configured = Text.number(server.configuredWeight)
    sheet.add("Weight", Table.Cell("\(Text.number(server.weight)) (configured \(configured))"))
    sheet.add(
        "Connections",
        Table.Cell("\(Text.number(server.connections)) open, \(Text.number(server.newConnections)) so far"))
    sheet.add("Traffic", Table.Cell("\(Text.count(server.packets, "packet")), \(Text.size(bytes: server.bytes))"))
    let place = [server.neighbour, server.mac, server.interface.map { "by \($0)" }].compactMap(\.self)
    sheet.add("Neighbour", Table.Cell(place.joined(separator: ", ")))
    return sheet.lines
}
