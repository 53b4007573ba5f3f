import BPFRuntime
import DataPlane
import Glibc
import LoadBalancing
import NetworkTypes
import PacketKit
import TestSupport
import Testing

/// All kernel tests, one at a time: loading is not done by two at once.
@Suite(.serialized, .requiresKernel) enum DataPlaneKernelTests {}

/// What shall become of a packet.
struct Outcome {
    let action: UInt32
    /// `nil`: the packet as it was.
    let packet: Packet?
    /// The one counter that rises by one.
    let counter: String

    /// Left to the kernel, with not a bit changed.
    static func passed(_ counter: String) -> Outcome { Outcome(action: 2, packet: nil, counter: counter) }
    static func dropped(_ counter: String) -> Outcome { Outcome(action: 1, packet: nil, counter: counter) }
    /// Sent out by the interface that it came in by.
    static func sent(_ packet: Packet, _ counter: String) -> Outcome {
        Outcome(action: 3, packet: packet, counter: counter)
    }
    /// Sent out by another interface.
    static func redirected(_ packet: Packet, _ counter: String) -> Outcome {
        Outcome(action: 4, packet: packet, counter: counter)
    }

    static let actionNames = ["aborted", "drop", "pass", "tx", "redirect"]
}

/// A BPF file system that nobody else sees, for as long as it is held.
private final class PrivateBPFFileSystem {
    let path: String

    init() throws {
        var template = Array("/tmp/riptide-kernel-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("cannot make a folder: errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard mount("bpf", path, "bpf", 0, nil) == 0 else {
            throw TestFailure("cannot mount a BPF file system at \(path): errno \(errno)")
        }
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        rmdir(path)
    }
}

/// The shipped object under the real `DataPlane` module, on pins of its own that go when the rig goes.
final class Rig {
    private let fileSystem: PrivateBPFFileSystem
    private(set) var plane: DataPlane
    private(set) var settings: DataPathSettings

    /// Small tables, so that a rig costs little.
    static let small = DataPathSettings(flows: 16384, persistence: 16384)

    init(
        _ services: [VirtualService], settings: DataPathSettings = Rig.small,
        nextHop: (IPAddress) -> NextHop? = Link.nextHop
    ) throws {
        fileSystem = try PrivateBPFFileSystem()
        self.settings = settings
        plane = try DataPlane(
            pins: PinDirectory(root: "\(fileSystem.path)/riptide"), settings: settings, services: services)
        try plane.setInterface(1, mac: Link.balancer)
        plane.setActive(true)
        try apply(services, nextHop: nextHop)
    }

    deinit { plane.removePins() }

    @discardableResult
    func apply(
        _ services: [VirtualService], settings: DataPathSettings? = nil,
        nextHop: (IPAddress) -> NextHop? = Link.nextHop
    ) throws -> MapWrites {
        if let settings { self.settings = settings }
        return try plane.apply(services, settings: self.settings, nextHop: nextHop)
    }

    /// A second daemon takes over what the first has pinned; the first is gone.
    func restart(_ services: [VirtualService]) throws {
        plane = try DataPlane(pins: plane.pins, settings: settings, services: services)
    }

    // MARK: One packet, looked at closely

    /// Runs the packet and compares the whole frame, the action and every counter.
    func expect(
        _ description: String, _ input: Packet, _ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try expect(
            description, input.bytes, outcome, expected: (outcome.packet ?? input).bytes, sourceLocation: sourceLocation)
    }

    /// The same for octets that may be no packet.
    func expect(
        _ description: String, octets: [UInt8], _ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try expect(description, octets, outcome, expected: octets, sourceLocation: sourceLocation)
    }

    /// The same for a packet of which a part follows from what nobody outside the data plane knows: it is taken from the frame
    /// that came out. Answers that frame.
    @discardableResult
    func expect(
        _ description: String, _ input: Packet, _ counter: String, sourceLocation: SourceLocation = #_sourceLocation,
        becomes expected: ([UInt8]) -> Packet
    ) throws -> [UInt8] {
        let outcome = Outcome(action: 3, packet: nil, counter: counter)
        return try expect(description, input.bytes, outcome, sourceLocation: sourceLocation) { expected($0).bytes }
    }

    private func expect(
        _ description: String, _ input: [UInt8], _ outcome: Outcome, expected: [UInt8], sourceLocation: SourceLocation
    ) throws {
        try expect(description, input, outcome, sourceLocation: sourceLocation) { _ in expected }
    }

    @discardableResult
    private func expect(
        _ description: String, _ input: [UInt8], _ outcome: Outcome, sourceLocation: SourceLocation,
        expected: ([UInt8]) -> [UInt8]
    ) throws -> [UInt8] {
        let before = try counts()
        let result = try plane.test(input)
        let delta = try counts().compactMapValues(minus: before)
        #expect(
            result.action == outcome.action,
            "\(description): expected \(Self.name(outcome.action)), got \(Self.name(result.action))",
            sourceLocation: sourceLocation)
        let difference = Packet.difference(expected(result.packet), result.packet)
        #expect(difference == [], "\(description)", sourceLocation: sourceLocation)
        #expect(delta == [outcome.counter: 1], "\(description)", sourceLocation: sourceLocation)
        return result.packet
    }

    private static func name(_ action: UInt32) -> String {
        Int(action) < Outcome.actionNames.count ? Outcome.actionNames[Int(action)] : "action \(action)"
    }

    func counts() throws -> [String: Int] {
        Dictionary(uniqueKeysWithValues: try plane.counters().map { ($0.name, Int($0.packets)) })
    }

    /// How the counters rise while the body runs; counters that stay are left out.
    func rises(_ body: () throws -> Void) throws -> [String: Int] {
        let before = try counts()
        try body()
        return try counts().compactMapValues(minus: before)
    }

    // MARK: Many packets

    /// The server that the packet is sent to; `nil` if it is not sent.
    func server(_ packet: Packet) throws -> Int? { try server(packet.bytes) }

    func server(_ frame: [UInt8]) throws -> Int? {
        let result = try plane.test(frame)
        return result.action == 3 ? Link.server(of: result.packet) : nil
    }

    /// Opens a connection: the SYN and the ACK of the client, which must go to one server.
    @discardableResult
    func open(_ client: Client, sourceLocation: SourceLocation = #_sourceLocation) throws -> Int {
        let first = try server(client.syn)
        let second = try server(client.ack)
        #expect(first == second, "SYN and ACK of one connection", sourceLocation: sourceLocation)
        return try #require(first, "the SYN was not forwarded", sourceLocation: sourceLocation)
    }

    /// Runs a frame for each of `ports` and counts the servers that get them.
    func spread(_ stamp: FrameStamp, ports: some Sequence<Int>) throws -> [Int: Int] {
        var (stamp, shares) = (stamp, [Int: Int]())
        for port in ports {
            stamp.stamp(port: UInt16(port))
            shares[try server(stamp.frame) ?? 0, default: 0] += 1
        }
        return shares
    }

    // MARK: What the data plane knows

    var flowCount: Int { get throws { try plane.flows(limit: 0).total } }

    func flows(_ filter: FlowFilter = FlowFilter()) throws -> [FlowRecord] {
        try plane.flows(filter, limit: .max).records
    }

    /// Open flows by server name.
    func established(_ service: String = "web") throws -> [String: Int] {
        try plane.statistics(service: service)[service]?.servers.mapValues(\.established) ?? [:]
    }

    func halfOpen(_ service: String = "web") throws -> [String: Int] {
        try plane.statistics(service: service)[service]?.servers.mapValues(\.halfOpen) ?? [:]
    }
}

extension [String: Int] {
    fileprivate func compactMapValues(minus before: [String: Int]) -> [String: Int] {
        var result: [String: Int] = [:]
        for (name, count) in self where count != before[name, default: 0] { result[name] = count - before[name, default: 0] }
        return result
    }
}
