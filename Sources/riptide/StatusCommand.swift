import ArgumentParser
package import ControlAPI

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Shows the node, its services and their real servers.")

    @OptionGroup var options: GlobalOptions

    func run() async throws {
        try await options.withDaemon { daemon, output in
            let status = try await daemon.status()
            try output.show(status) { overview(of: status, $0) }
        }
    }
}

/// The screen of `riptide status`.
package func overview(of status: Status, _ terminal: Terminal) -> [String] {
    let node = status.node
    let role = "\(node.role), \(node.active ? "active" : "passive")"
    let header = [
        terminal.paint(node.name.printable, .bold), terminal.paint(role, node.active ? .green : .blue),
        "up \(Text.duration(seconds: node.uptimeSeconds))", "Riptide \(node.version)",
    ].joined(separator: terminal.separator)
    var lines = [header, "", dataPathLine(status.dataPath, terminal), tablesLine(status.dataPath, terminal)]
    for attachment in status.dataPath.attached where !attachment.note.isEmpty {
        lines.append("               \(attachment.interface): \(attachment.note)".printable)
    }
    let configuration = status.configuration
    lines.append("Configuration  \(configuration.file), revision \(configuration.revision)".printable)
    for warning in status.warnings {
        lines.append("\(terminal.paint("Warning", .yellow))        \(warning.printable)")
    }
    lines.append("")
    lines += serviceTree(status.services, terminal)
    return lines
}

private func dataPathLine(_ dataPath: DataPathStatus, _ terminal: Terminal) -> String {
    guard !dataPath.attached.isEmpty else { return "Data path      \(terminal.paint("no interface", .red))" }
    let interfaces = dataPath.attached.map { attachment in
        let name = attachment.interface.printable
        switch attachment.mode {
        case "native": return "\(name) \(terminal.paint("native XDP", .green))"
        case "generic":
            // Generic mode is slower; wanted as such it is no cause for alarm.
            let tint: Tint = attachment.wanted == "generic" ? .green : .yellow
            return "\(name) \(terminal.paint("generic XDP", tint))"
        default: return "\(name) \(terminal.paint("not attached", .red))"
        }
    }
    return "Data path      " + interfaces.joined(separator: terminal.separator)
}

private func tablesLine(_ dataPath: DataPathStatus, _ terminal: Terminal) -> String {
    let tables = [("flows", dataPath.flows), ("remembered clients", dataPath.persistence)]
    let parts = tables.map { name, use in
        let fill = "\(Text.number(use.used)) of \(Text.number(use.capacity)) \(name)"
        // A table that is nearly full evicts what is still in use.
        let tint: Tint = use.used * 10 >= use.capacity * 9 && use.capacity > 0 ? .yellow : .plain
        return terminal.paint("\(fill) (\(Text.percent(use.used, of: use.capacity)))", tint)
    }
    return "Tables         " + parts.joined(separator: terminal.separator)
}

/// One row for each service, with its real servers indented below.
package func serviceTree(_ services: [ServiceStatus], _ terminal: Terminal) -> [String] {
    guard !services.isEmpty else { return ["No virtual services configured."] }
    var table = Table([
        Table.Column("SERVICE / SERVER", minimum: 16), Table.Column("ADDRESS"),
        Table.Column("PORTS", minimum: 8, isList: true), Table.Column("PROTOCOL", isOptional: true),
        Table.Column("MODE", isOptional: true),
        Table.Column("WEIGHT", isNumber: true), Table.Column("CONNS", isNumber: true),
        Table.Column("STATUS", minimum: 16),
    ])
    for service in services {
        table.rows.append([
            Table.Cell(service.name, .bold), Table.Cell(service.address), Table.Cell(service.ports),
            Table.Cell(service.protocol), Table.Cell(service.mode), "",
            Table.Cell(Text.number(service.connections)), statusCell(service, terminal),
        ])
        for server in service.servers {
            table.rows.append([
                Table.Cell("  \(server.name)"), Table.Cell(server.address), "", "", "",
                Table.Cell(Text.number(server.weight)), Table.Cell(Text.number(server.connections)),
                statusCell(server, terminal),
            ])
        }
    }
    return table.lines(terminal)
}

/// A dot and words in the service's colour.
package func statusCell(_ service: ServiceStatus, _ terminal: Terminal) -> Table.Cell {
    let down = service.servers.filter { $0.colour == "red" }.count
    let words =
        switch service.colour {
        case "green": "all up"
        case "yellow": down > 0 ? "\(down) of \(service.servers.count) down" : "some down"
        case "red": "all down"
        case "blue": service.servers.isEmpty ? "no real servers" : "offline"
        default: service.colour
        }
    return Table.Cell("\(terminal.dot) \(words)", Tint(colour: service.colour))
}

/// A dot and a word in the real server's colour, and the reason when it is not green.
package func statusCell(_ server: ServerStatus, _ terminal: Terminal) -> Table.Cell {
    let word =
        switch server.colour {
        case "green": server.health == "unchecked" ? "unchecked" : "up"
        case "red": "down"
        case "blue": server.state == "online" ? "drain" : server.state
        default: server.health
        }
    let cell = Table.Cell("\(terminal.dot) \(word)", Tint(colour: server.colour))
    return server.reason.isEmpty ? cell : cell + Table.Cell(": \(server.reason)")
}
