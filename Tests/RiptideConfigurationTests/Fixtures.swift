import NetworkTypes
import RiptideConfiguration
import Testing

/// Reads a text under the file name `f`.
func read(_ text: String, facts: SystemFacts? = nil) -> ConfigurationResult {
    ConfigurationReader.read(text, file: "f", facts: facts)
}

/// The diagnostics of a text, as they are printed, without the file's name.
func complaints(_ text: String, facts: SystemFacts? = nil) -> [String] {
    read(text, facts: facts).diagnostics.map { String($0.description.dropFirst(2)) }
}

/// A whole configuration around one service `A` with one real server `a`. Each part can be replaced by other lines.
func document(
    top: String = "", service: String = "", address: String = "10.0.0.1", ports: String = "80",
    server: String = "", serverAddress: String = "10.0.0.2"
) -> String {
    """
    version: 1
    node: { name: lb1 }
    interfaces: [{ name: eth0 }]
    services:
      - name: A
        address: \(address)
        ports: \(ports)
        servers:
          - name: a
            address: \(serverAddress)
            \(server)
        \(service)
    \(top)
    """
}

/// A machine with eth0 in 10.0.0.0/24 and 2001:db8::/64, eth1 in 10.1.0.0/24, and loopback.
func machine() throws -> SystemFacts {
    func address(_ text: String, _ prefix: String) throws -> SystemFacts.InterfaceAddress {
        SystemFacts.InterfaceAddress(
            address: try #require(IPAddress(text)), prefix: try #require(Prefix(prefix)))
    }
    return SystemFacts(interfaces: [
        SystemFacts.Interface(
            name: "lo", isEthernet: false, isLoopback: true,
            addresses: [try address("127.0.0.1", "127.0.0.0/8"), try address("10.0.0.1", "10.0.0.1/32")]),
        SystemFacts.Interface(
            name: "eth0",
            addresses: [
                try address("10.0.0.250", "10.0.0.0/24"), try address("2001:db8::250", "2001:db8::/64"),
                try address("fe80::1", "fe80::/64"),
            ]),
        SystemFacts.Interface(name: "eth1", addresses: [try address("10.1.0.250", "10.1.0.0/24")]),
        SystemFacts.Interface(name: "tun0", isEthernet: false),
    ])
}
