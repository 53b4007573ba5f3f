import NetworkTypes

/// A virtual service as it stands in a configuration.
struct ServiceText {
    var name: String
    var address: IPAddress
    var ports = "80"
    var protocols = "tcp"
    var scheduler = "rr"
    var persistence = "off"
    var servers: [ServerText]

    /// A service with the lab's servers.
    init(
        _ name: String, _ address: IPAddress, ports: String = "80", protocols: String = "tcp", scheduler: String = "rr",
        persistence: String = "off", servers: [Host], weights: [Int] = []
    ) {
        self.name = name
        self.address = address
        self.ports = ports
        self.protocols = protocols
        self.scheduler = scheduler
        self.persistence = persistence
        self.servers = servers.enumerated().map { index, server in
            ServerText(
                name: server.name, address: server.address(address.family),
                weight: index < weights.count ? weights[index] : 100)
        }
    }
}

struct ServerText {
    var name: String
    var address: IPAddress
    var weight = 100
}

/// The text of a configuration. Its flow table is smaller than the default, so that labs come up quickly.
func configuration(
    _ services: [ServiceText], interfaces: [String] = ["eth0"], xdp: String = "auto", flows: Int = 65_536,
    timeouts: String = "{}"
) -> String {
    var lines = [
        "version: 1", "node: { name: lab }", "datapath: { flows: \(flows), timeouts: \(timeouts) }", "interfaces:",
    ]
    lines += interfaces.map { "  - { name: \($0), xdp: \(xdp) }" }
    lines.append(services.isEmpty ? "services: []" : "services:")
    for service in services {
        lines += [
            "  - name: \(service.name)", "    address: \"\(service.address)\"", "    ports: \(service.ports)",
            "    protocol: \(service.protocols)", "    scheduler: \(service.scheduler)",
            "    persistence: \(service.persistence)",
            service.servers.isEmpty ? "    servers: []" : "    servers:",
        ]
        lines += service.servers.map {
            "      - { name: \($0.name), address: \"\($0.address)\", weight: \($0.weight) }"
        }
    }
    return lines.joined(separator: "\n") + "\n"
}
