import BPFRuntime
import DataPlane
import Glibc
import LoadBalancing
import NetworkTypes
import PacketKit

/// Packets per second from a generator over veth pairs to a sink, all on one CPU. What counts is what arrives at the sink.
///
/// `tools/bench.d/forwarding` makes the interfaces: `client` and `server` are the far ends of the balancer's `front` and
/// `back`; `kernel-client` and `kernel-server` lead to a namespace that forwards, `nft-client` and `nft-server` to one that
/// also translates.
final class Forwarding {
    enum Path: String, CaseIterable, Codable, CodingKeyRepresentable {
        case reflect = "XDP_TX alone"
        case redirect = "redirect alone"
        case dr = "Riptide DR, one-arm"
        case nat = "Riptide NAT, two-arm"
        case natAnswer = "Riptide NAT, answers"
        case kernel = "kernel forwarding"
        case nftables = "nftables DNAT"

        /// Enough for about a fifth of a second.
        fileprivate var packets: Int { self == .kernel || self == .nftables ? 250_000 : 1_000_000 }
    }

    /// Million packets a second, by round.
    typealias Rates = [Path: [Double]]

    private static let dr = BenchDataPlane.Service(mode: .dr, number: 2, interface: 0)
    private static let nat = BenchDataPlane.Service(mode: .nat, number: 1, interface: 0)

    private let bench: BenchObject
    private let riptide: BenchDataPlane
    private let client: UInt32
    private let back: UInt32
    private let server: UInt32
    private let frontLink: XDPLink
    private let backLink: XDPLink
    private let sinks: [Sink]

    /// At the far end of a path.
    private final class Sink {
        private let link: XDPLink

        init(_ program: borrowing Program, on interface: String) throws {
            link = try XDPLink(program, interface: index(of: interface), mode: .native)
        }
    }

    init() throws {
        bench = try BenchObject()
        client = try index(of: "client")
        back = try index(of: "back")
        server = try index(of: "server")
        let front = try index(of: "front")
        var (dr, nat) = (Self.dr, Self.nat)
        (dr.interface, nat.interface) = (front, back)
        riptide = try BenchDataPlane([dr, nat], flows: DataPathSettings().flows, interfaces: [front, back])
        let bench = bench
        sinks = try ["client", "server", "kernel-server", "nft-server"].map { try Sink(bench.sink, on: $0) }
        frontLink = try XDPLink(bench.reflect, interface: front, mode: .native)
        backLink = try XDPLink(bench.reflect, interface: back, mode: .native)
        try riptide.dataPlane.withProgram { try backLink.replaceProgram(with: $0) }
    }

    /// All paths in alternating rounds.
    func measure(_ family: IPAddress.Family, flows: Int, rounds: Int) throws -> Rates {
        let traffic = try traffic(family, flows: flows)
        var rates: Rates = [:]
        for round in 0..<rounds {
            for path in round % 2 == 0 ? Path.allCases : Path.allCases.reversed() {
                try attach(path)
                rates[path, default: []].append(try rate(path, traffic[path]!))
            }
        }
        return rates
    }

    /// What the generator sends on each path. Its flows are established wherever flows are known.
    private func traffic(_ family: IPAddress.Family, flows: Int) throws -> [Path: Traffic] {
        func clients(_ address: IPAddress) -> Traffic { .clients(family, flows: flows, to: address) }
        let (toDR, toNAT) = (clients(Self.dr.address(family)), clients(Self.nat.address(family)))
        try establish(toDR, of: Self.dr, by: .dr)
        let answers = Traffic.answers(family, in: try establish(toNAT, of: Self.nat, by: .nat))
        try send(toNAT, count: 2 * flows, on: .nftables)
        return [
            .reflect: toDR, .redirect: toNAT, .dr: toDR, .nat: toNAT, .natAnswer: answers,
            .kernel: clients(Self.nat.server(family)), .nftables: toNAT,
        ]
    }

    /// Sends beginnings until all flows are there, and tells them.
    @discardableResult
    private func establish(
        _ clients: Traffic, of service: BenchDataPlane.Service, by path: Path
    ) throws -> [FlowRecord] {
        let (flows, name) = (clients.words.count, service.name(clients.family))
        try attach(path)
        for _ in 0..<5 {
            try send(clients.beginning, count: 2 * flows, on: path)
            let (total, records) = try riptide.dataPlane.flows(FlowFilter(service: name), limit: flows)
            if total == flows { return records }
        }
        throw BenchFailure("\(path.rawValue): not all of \(flows) flows could be established")
    }

    private func attach(_ path: Path) throws {
        switch path {
        case .reflect: try frontLink.replaceProgram(with: bench.reflect)
        case .redirect: try frontLink.replaceProgram(with: bench.redirect)
        case .dr, .nat, .natAnswer: try riptide.dataPlane.withProgram { try frontLink.replaceProgram(with: $0) }
        case .kernel, .nftables: break
        }
    }

    private func send(_ traffic: Traffic, count: Int, on path: Path) throws {
        bench.use(traffic)
        try bench.send(by: try entry(of: path), beside: back, to: destination(of: path))
        try bench.generator.send(traffic.packet, count: count, from: client)
    }

    /// The interface by which the generator sends.
    private func entry(of path: Path) throws -> UInt32 {
        switch path {
        case .reflect, .redirect, .dr, .nat: client
        case .natAnswer: server
        case .kernel: try index(of: "kernel-client")
        case .nftables: try index(of: "nft-client")
        }
    }

    /// The MAC address that frames have at the end of the path.
    private func destination(of path: Path) -> MACAddress {
        switch path {
        case .reflect, .redirect: Traffic.ownMAC
        case .dr, .nat, .kernel, .nftables: Traffic.serverMAC
        case .natAnswer: Traffic.clientMAC
        }
    }

    private func rate(_ path: Path, _ traffic: Traffic) throws -> Double {
        try send(traffic, count: path.packets, on: path)
        let counts = try bench.counts()
        guard counts.arrived * 10 > UInt64(path.packets) * 9 else {
            throw BenchFailure(
                "\(path.rawValue): \(counts.arrived) of \(path.packets) packets arrived (\(counts.strayed) others): the figures mean nothing")
        }
        return counts.rate
    }
}

private func index(of interface: String) throws -> UInt32 {
    let index = if_nametoindex(interface)
    guard index != 0 else { throw BenchFailure("there is no interface \(interface): this is run by ./tools/bench forwarding") }
    return index
}
