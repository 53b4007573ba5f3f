import ArgumentParser
package import ControlAPI

struct FlowsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flows", abstract: "Lists the connections in the flow table, or counts them.")

    @Option(help: "Only those of this virtual service.") var service: String?
    @Option(help: "Only those to this real server.") var server: String?
    @Option(help: ArgumentHelp("Only those of this client.", valueName: "address or prefix")) var client: String?
    @Flag(help: "Only say how many there are.") var count = false
    @Option(help: ArgumentHelp("List so many at most (default: \(FlowLimit.standard)).")) var limit: Int?
    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard let limit, !FlowLimit.range.contains(limit) else { return }
        throw ValidationError(
            "The limit \(limit) is not from \(FlowLimit.range.lowerBound) to \(FlowLimit.range.upperBound).")
    }

    func run() async throws {
        let filter = ClientFilter(service: service, server: server, client: client)
        try await options.withDaemon { daemon, output in
            if count {
                let total = try await daemon.flowCount(filter)
                try output.show(FlowCount(total: total)) { _ in [Text.number(total)] }
            } else {
                let page = try await daemon.flows(filter, limit: limit)
                try output.show(page) { flowList(page, $0) }
            }
        }
    }
}

/// The table of `riptide flows`.
package func flowList(_ page: FlowPage, _ terminal: Terminal) -> [String] {
    guard !page.flows.isEmpty else { return ["No flows."] }
    var table = Table([
        Table.Column("CLIENT"), Table.Column("TO"), Table.Column("PROTOCOL"), Table.Column("SERVICE", minimum: 8),
        Table.Column("SERVER", minimum: 8), Table.Column("STATE"),
        Table.Column("AGE", isNumber: true, isOptional: true), Table.Column("IDLE", isNumber: true, isOptional: true),
        Table.Column("PACKETS", isNumber: true, isOptional: true),
        Table.Column("BYTES", isNumber: true, isOptional: true),
    ])
    table.rows = page.flows.map { flow in
        [
            Table.Cell(endpoint(flow.client, flow.clientPort)), Table.Cell(endpoint(flow.address, flow.port)),
            Table.Cell(flow.protocol), Table.Cell(flow.service), Table.Cell(flow.server), Table.Cell(flow.state),
            Table.Cell(Text.duration(seconds: flow.ageSeconds)), Table.Cell(Text.duration(seconds: flow.idleSeconds)),
            Table.Cell(Text.number(flow.packets)), Table.Cell(Text.size(bytes: flow.bytes)),
        ]
    }
    var lines = table.lines(terminal)
    if page.truncated {
        lines.append("")
        lines.append(
            "\(Text.number(page.flows.count)) of \(Text.number(page.total)) flows; --limit lists more, and --service, "
                + "--server and --client choose.")
    }
    return lines
}

/// RFC 3986 has brackets around an IPv6 address.
private func endpoint(_ address: String, _ port: Int) -> String {
    address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
}
