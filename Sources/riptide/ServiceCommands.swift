import ArgumentParser
package import ControlAPI

struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service", abstract: "Lists virtual services, or shows one.", subcommands: [List.self, Show.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the virtual services.")

        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withDaemon { daemon, output in
                let services = try await daemon.services()
                try output.show(ServiceList(services: services)) { serviceList(services, $0) }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows one virtual service with its real servers.")

        @Argument(help: "The virtual service's name.") var service: String
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            try await options.withDaemon { daemon, output in
                let service = try await daemon.service(service)
                try output.show(service) { serviceSheet(service, $0) }
            }
        }
    }
}

/// The table of `riptide service list`.
package func serviceList(_ services: [ServiceStatus], _ terminal: Terminal) -> [String] {
    guard !services.isEmpty else { return ["No virtual services configured."] }
    var table = Table([
        Table.Column("SERVICE", minimum: 16), Table.Column("ADDRESS"),
        Table.Column("PORTS", minimum: 8, isList: true), Table.Column("PROTOCOL"), Table.Column("MODE"),
        Table.Column("SCHEDULER", isOptional: true), Table.Column("SERVERS", isNumber: true, isOptional: true),
        Table.Column("CONNS", isNumber: true), Table.Column("PACKETS", isNumber: true, isOptional: true),
        Table.Column("BYTES", isNumber: true, isOptional: true),
        Table.Column("STATUS", minimum: 12),
    ])
    table.rows = services.map { service in
        [
            Table.Cell(service.name, .bold), Table.Cell(service.address), Table.Cell(service.ports),
            Table.Cell(service.protocol), Table.Cell(service.mode), Table.Cell(service.scheduler),
            Table.Cell(Text.number(service.servers.count)), Table.Cell(Text.number(service.connections)),
            Table.Cell(Text.number(service.packets)), Table.Cell(Text.size(bytes: service.bytes)),
            statusCell(service, terminal),
        ]
    }
    return table.lines(terminal)
}

/// The screen of `riptide service show`.
package func serviceSheet(_ service: ServiceStatus, _ terminal: Terminal) -> [String] {
    var sheet = Sheet(terminal)
    sheet.add("Service", Table.Cell(service.name, .bold))
    sheet.add("Status", statusCell(service, terminal))
    sheet.add("Address", Table.Cell(service.address))
    sheet.add("Ports", Table.Cell(service.ports))
    sheet.add("Protocol", Table.Cell(service.protocol))
    sheet.add("Mode", Table.Cell(service.mode))
    sheet.add("Scheduler", Table.Cell(service.scheduler))
    let persistence =
        service.persistence.map {
            "source address, /\($0.prefix), for \(Text.duration(seconds: $0.timeoutSeconds))"
        } ?? "off"
    sheet.add("Persistence", Table.Cell(persistence))
    let connections = "\(Text.number(service.connections)) open, \(Text.number(service.newConnections)) so far"
    sheet.add("Connections", Table.Cell(connections))
    sheet.add("Refused", Table.Cell(Text.number(service.refused), service.refused > 0 ? .yellow : .plain))
    let traffic = "\(Text.count(service.packets, "packet")), \(Text.size(bytes: service.bytes))"
    sheet.add("Traffic", Table.Cell(traffic))
    if service.answerPackets > 0 {
        let answers = "\(Text.count(service.answerPackets, "packet")), \(Text.size(bytes: service.answerBytes))"
        sheet.add("Answers", Table.Cell(answers))
    }
    if let ports = service.sourcePorts {
        let use =
            "\(Text.number(ports.used)) of \(Text.number(ports.capacity)) towards one real server, at most"
            + (ports.exhausted > 0 ? "; \(Text.number(ports.exhausted)) connections found none" : "")
        let isShort = ports.exhausted > 0 || ports.used * 5 >= ports.capacity * 4
        sheet.add("Source ports", Table.Cell(use, isShort ? .yellow : .plain))
    }
    return sheet.lines + [""] + serverList([service], withService: false, terminal)
}
