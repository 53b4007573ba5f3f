import DataPlane
import Glibc
import LoadBalancing
import NetworkTypes
import PacketKit

/// The data plane with services as the benchmarks use them.
final class BenchDataPlane {
    /// A service of each family, alike.
    struct Service {
        var mode: ForwardingMode
        var encapsulation = Encapsulation.ipip
        var scheduler = Scheduler.maglev
        var servers = 1
        /// A part of its addresses and its servers', which tells it from others.
        var number = 1
        /// By which its packets leave.
        var interface: UInt32

        func address(_ family: IPAddress.Family) -> IPAddress {
            .ip(family == .ipv4 ? "192.0.2.\(number)" : "2001:db8::\(number)")
        }

        func name(_ family: IPAddress.Family) -> String { "\(mode) \(family)" }

        /// Of the first real server.
        func server(_ family: IPAddress.Family) -> IPAddress { .ip(servers(family) + "1") }

        private func servers(_ family: IPAddress.Family) -> String {
            family == .ipv4 ? "198.51.\(number)." : "2001:db8:ff:\(number)::"
        }

        fileprivate func service(_ family: IPAddress.Family) -> VirtualService {
            let servers = (1...servers).map {
                RealServer(name: "server\($0)", address: .ip(self.servers(family) + "\($0)"))
            }
            var service = VirtualService(
                name: name(family), mode: mode, address: address(family),
                ports: PortSet([Traffic.servicePorts]), scheduler: scheduler, persistence: nil, servers: servers)
            service.encapsulation = encapsulation
            return service
        }
    }

    let dataPlane: DataPlane
    private let pins: PinDirectory

    /// Handles what comes in by these interfaces.
    init(_ services: [Service], flows: Int, interfaces: [UInt32]) throws {
        pins = PinDirectory(root: "/sys/fs/bpf/riptide-bench-\(getpid())")
        var settings = DataPathSettings()
        settings.flows = flows
        var wanted: [VirtualService] = []
        var hops: [IPAddress: NextHop] = [:]
        for each in services {
            for family in [IPAddress.Family.ipv4, .ipv6] {
                let service = each.service(family)
                wanted.append(service)
                for server in service.servers { hops[server.address] = Self.hop(each.interface, family) }
            }
        }
        dataPlane = try DataPlane(pins: pins, settings: settings, services: wanted)
        for interface in interfaces { try dataPlane.setInterface(interface, mac: Traffic.ownMAC) }
        _ = try dataPlane.apply(wanted, settings: settings) { hops[$0] }
    }

    deinit { dataPlane.removePins() }

    private static func hop(_ interface: UInt32, _ family: IPAddress.Family) -> NextHop {
        NextHop(
            interface: interface, mac: Traffic.serverMAC, sourceMAC: Traffic.ownMAC,
            source: .ip(family == .ipv4 ? "192.0.2.254" : "2001:db8::fe"))
    }

    /// Runs `body` and fails unless the packets meanwhile fell under just these counters, as often.
    func counting<Result>(_ expected: [String: Int], _ body: () throws -> Result) throws -> Result {
        let before = try dataPlane.counters()
        let result = try body()
        for (before, after) in zip(before, try dataPlane.counters()) {
            let count = after.packets - before.packets
            guard count == expected[after.name] ?? 0 else {
                throw BenchFailure(
                    "\(count) packets fell under \(after.name) where \(expected[after.name] ?? 0) were expected: the figures mean nothing")
            }
        }
        return result
    }
}
