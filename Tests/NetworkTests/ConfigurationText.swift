import NetworkTypes

/// A virtual service as it stands in a configuration.
struct ServiceText {
    var name: String
    var address: IPAddress
    var ports = "80"
    var protocols = "tcp"
    var scheduler = "rr"
    var persistence = "off"
    /// Further keys as they stand in the file: `mode: nat`.
    var keys: [String] = []
    var servers: [ServerText]

    /// A service with the lab's servers.
    ///
    /// - Parameter family: of the servers' addresses; the VIP's by default.
    /// - Parameter serverKeys: further keys of each server.
    init(
        _ name: String, _ address: IPAddress, ports: String = "80", protocols: String = "tcp", scheduler: String = "rr",
        persistence: String = "off", keys: [String] = [], servers: [Host], family: IPAddress.Family? = nil,
        serverKeys: [String] = [], weights: [Int] = []
    ) {
        self.name = name
        self.address = address
        self.ports = ports
        self.protocols = protocols
        self.scheduler = scheduler
        self.persistence = persistence
        self.keys = keys
        self.servers = servers.enumerated().map { index, server in
            ServerText(
                name: server.name, address: server.address(family ?? address.family),
                weight: index < weights.count ? weights[index] : 100, keys: serverKeys)
        }
    }
}

struct ServerText {
    var name: String
    var address: IPAddress
    var weight = 100
    /// Further keys: `port: 8080`.
    var keys: [String] = []
}

/// The text of a configuration. Its flow table is smaller than the default, so that labs come up quickly.
///
/// - Parameter keys: further keys at the top: `auto-nat: eth1`.
func configuration(
    _ services: [ServiceText], interfaces: [String] = ["eth0"], xdp: String = "auto", flows: Int = 65_536,
    timeouts: String = "{}", keys: [String] = []
) -> String {
    var lines = [
        "version: 1", "node: { name: lab }", "datapath: { flows: \(flows), timeouts: \(timeouts) }", "interfaces:",
    ]
    lines += interfaces.map { "  - { name: \($0), xdp: \(xdp) }" }
    lines += keys
    lines.append(services.isEmpty ? "services: []" : "services:")
    for service in services {
        lines += [
            "  - name: \(service.name)", "    address: \"\(service.address)\"", "    ports: \(service.ports)",
            "    protocol: \(service.protocols)", "    scheduler: \(service.scheduler)",
            "    persistence: \(service.persistence)",
        ]
        lines += service.keys.map { "    \($0)" }
        lines.append(
            service.servers.isEmpty ? "    servers: []" : "    servers:")
        lines += service.servers.map {
            let keys = ["name: \($0.name)", "address: \"\($0.address)\"", "weight: \($0.weight)"] + $0.keys
            return "      - { \(keys.joined(separator: ", ")) }"
        }
    }
    return lines.joined(separator: "\n") + "\n"
}
