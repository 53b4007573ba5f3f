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
        /// Million packets a second that arrive: of XDP_TX alone, the most that one interface can do; of the reference program,
        /// the least that a flow table takes; and of Riptide.
        var reflect: Double
        var reference: Double
        var riptide: Double
        /// Of XDP_TX alone.
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
        try bench.use(ack, flows: flows, program: Self.learnSlot)
        try bench.register(bench.referenceLearn, as: Self.learnSlot)
        _ = try bench.wrapper.test(ack, repetitions: max(2, flows))
        var rates: [Candidate: [Double]] = [:]
        for round in 0..<rounds {
            for candidate in round % 2 == 0 ? Candidate.allCases : Candidate.allCases.reversed() {
                try attach(candidate)
                let target = candidate == .reflect ? BenchDataPlane.ownMAC : BenchDataPlane.serverMAC
                rates[candidate, default: []].append(try rate(ack, flows: flows, packets: packets, at: target))
            }
        }
        return Result(
            family: family == .ipv4 ? "IPv4" : "IPv6", flows: flows, reflect: median(rates[.reflect]!),
            reference: median(rates[.reference]!), riptide: median(rates[.riptide]!),
            ratio: median(zip(rates[.riptide]!, rates[.reflect]!).map { $0 / $1 }))
    }

    private enum Candidate: CaseIterable {
        case reflect, reference, riptide
    }

    private static let learnSlot: UInt32 = 3

    private func attach(_ candidate: Candidate) throws {
        switch candidate {
        case .reflect: try link.replaceProgram(with: bench.reflect)
        case .reference: try link.replaceProgram(with: bench.reference)
        case .riptide: try attachRiptide()
        }
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
