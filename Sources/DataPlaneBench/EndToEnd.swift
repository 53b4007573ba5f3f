import BPFRuntime
import DataPlane
import Glibc
import NetworkTypes
import PacketKit

/// Packets per second through a real interface: generator, veth pair, program, veth pair, sink, all on one CPU. What counts is
/// what arrives at the sink.
final class EndToEnd {
    struct Result: Codable {
        var family: String
        var flows: Int
        /// Million packets a second that arrive: of XDP_TX alone, the most that one interface can do, and of Riptide.
        var reflect: Double
        var riptide: Double
        var ratio: Double
    }

    let bench: BenchObject
    let riptide: BenchDataPlane
    /// The generator's end, with the sink on it; and the balancer's.
    let near: UInt32
    let far: UInt32
    private let sinkLink: XDPLink
    private let link: XDPLink

    init(_ bench: BenchObject, near: UInt32, far: UInt32) throws {
        self.bench = bench
        self.near = near
        self.far = far
        riptide = try BenchDataPlane(interface: far)
        sinkLink = try XDPLink(bench.sink, interface: near, mode: .native)
        link = try XDPLink(bench.reflect, interface: far, mode: .native)
    }

    func measure(_ family: IPAddress.Family, flows: Int, rounds: Int, packets: Int) throws -> Result {
        let (syn, ack) = (BenchDataPlane.packet(family, flags: [.syn]), BenchDataPlane.packet(family, flags: [.ack]))
        try attachRiptide()
        _ = try rate(syn, flows: flows, packets: flows, at: BenchDataPlane.serverMAC)
        _ = try rate(ack, flows: flows, packets: flows, at: BenchDataPlane.serverMAC)
        var (reflected, forwarded): ([Double], [Double]) = ([], [])
        for round in 0..<rounds {
            for isReflect in round % 2 == 0 ? [true, false] : [false, true] {
                if isReflect {
                    try link.replaceProgram(with: bench.reflect)
                    reflected.append(try rate(ack, flows: flows, packets: packets, at: BenchDataPlane.ownMAC))
                } else {
                    try attachRiptide()
                    forwarded.append(try rate(ack, flows: flows, packets: packets, at: BenchDataPlane.serverMAC))
                }
            }
        }
        return Result(
            family: family == .ipv4 ? "IPv4" : "IPv6", flows: flows, reflect: median(reflected),
            riptide: median(forwarded), ratio: median(zip(forwarded, reflected).map { $0 / $1 }))
    }

    private func attachRiptide() throws {
        try riptide.dataPlane.withProgram { try link.replaceProgram(with: $0) }
    }

    private func rate(_ packet: [UInt8], flows: Int, packets: Int, at mac: MACAddress) throws -> Double {
        try bench.use(packet, flows: flows, interface: near, sink: mac)
        try bench.generator.send(packet, count: packets, from: near)
        let counts = try bench.counts()
        guard counts.arrived * 10 > UInt64(packets) * 9 else {
            throw BenchFailure(
                "\(counts.arrived) of \(packets) packets arrived at \(mac) (\(counts.strayed) went elsewhere): the figures mean nothing")
        }
        return counts.rate
    }
}
