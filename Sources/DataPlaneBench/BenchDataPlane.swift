import BPFRuntime
import DataPlane
import Glibc
import LoadBalancing
import NetworkTypes
import PacketKit

/// The data plane with one service, as the benchmarks use it: what it forwards leaves by the interface it came in by.
final class BenchDataPlane {
    static let ownMAC = MACAddress.mac("02:00:00:00:00:01")
    static let clientMAC = MACAddress.mac("02:00:00:00:00:02")
    static let serverMAC = MACAddress.mac("02:00:00:00:00:09")

    let dataPlane: DataPlane
    private let pins: PinDirectory

    init(interface: UInt32, flows: Int = 524_288) throws {
        pins = PinDirectory(root: "/sys/fs/bpf/riptide-bench-\(getpid())")
        var settings = DataPathSettings()
        settings.flows = flows
        let services = [Self.service("ipv4", "192.0.2.1", "192.0.2.11"), Self.service("ipv6", "2001:db8::1", "2001:db8::11")]
        dataPlane = try DataPlane(pins: pins, settings: settings, services: services)
        try dataPlane.setInterface(interface, mac: Self.ownMAC)
        let hop = NextHop(interface: interface, mac: Self.serverMAC, sourceMAC: Self.ownMAC)
        _ = try dataPlane.apply(services, settings: settings) { _ in hop }
    }

    deinit { dataPlane.removePins() }

    private static func service(_ name: String, _ vip: String, _ server: String) -> VirtualService {
        VirtualService(
            name: name, address: .ip(vip), ports: PortSet([80...80]), scheduler: .maglev, persistence: nil,
            servers: [RealServer(name: "server", address: .ip(server))])
    }

    /// A TCP segment of a client; 98 octets, so that every header the wrapper writes fits.
    static func packet(_ family: IPAddress.Family, flags: TCPFlags) -> [UInt8] {
        let network: Layer =
            family == .ipv4
            ? .ipv4(source: .ip("10.0.0.0"), destination: .ip("192.0.2.1"))
            : .ipv6(source: .ip("2001:db8:1::"), destination: .ip("2001:db8::1"))
        return Packet(
            .ethernet(destination: ownMAC, source: clientMAC), network,
            .tcp(source: 40000, destination: 80, flags: flags), .payload([UInt8](repeating: 0x2e, count: 44))
        ).bytes
    }
}
