import NetworkTypes
import Synchronization
import TestSupport

/// SYNs of random addresses, ports and sequence numbers to one service, as fast as one thread can; their checksums are right.
final class SYNFlood: Sendable {
    private struct State {
        var isEnded = false
        var sent = 0
        var failure: String?
    }
    private let tap: PacketTap
    private let state = Mutex(State())
    private let thread: WorkerThread

    /// Begins to send.
    ///
    /// - Parameter mac: of the balancer.
    init(_ client: Host, to service: Endpoint, mac: MACAddress) throws {
        tap = try PacketTap(client.namespace, interface: "eth0")
        thread = try WorkerThread(name: "flood")
        thread.submit { [self] in run(SYNFrame(from: client.mac, to: mac, service)) }
    }

    var sent: Int { state.withLock { $0.sent } }

    /// Waits until so many have been sent in all; then it goes on.
    func pass(_ count: Int) throws {
        try eventually(within: .seconds(60), every: .milliseconds(5), "\(count) SYNs are sent") {
            try state.withLock {
                if let failure = $0.failure { throw TestFailure(failure) }
                return $0.sent >= count
            }
        }
    }

    /// Ends it and tells how many there were.
    func end() throws -> Int {
        state.withLock { $0.isEnded = true }
        try thread.perform {}
        thread.close()
        return sent
    }

    private func run(_ first: SYNFrame) {
        var frame = first
        var random = SystemRandomNumberGenerator()
        while !state.withLock({ $0.isEnded }) {
            do {
                for _ in 0..<100 {
                    frame.vary(by: random.next())
                    try tap.send(frame.octets)
                }
                state.withLock { $0.sent += 100 }
            } catch {
                state.withLock { ($0.failure, $0.isEnded) = ("\(error)", true) }
            }
        }
    }
}

/// A TCP segment with SYN and no options in IPv4.
private struct SYNFrame {
    private(set) var octets: [UInt8]

    init(from source: MACAddress, to destination: MACAddress, _ service: Endpoint) {
        octets = destination.octets + source.octets + [0x08, 0x00]
        octets += [0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0] + [0, 0, 0, 0] + service.address.octets.suffix(4)
        octets += [0, 0, UInt8(service.port >> 8), UInt8(service.port & 0xff)] + [0, 0, 0, 0, 0, 0, 0, 0]
        octets += [0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]
    }

    /// Another address of 16.0.0.0 to 79.255.255.255, another port from 1024 on and another sequence number.
    mutating func vary(by random: UInt64) {
        let source = 0x1000_0000 + UInt32(truncatingIfNeeded: random) & 0x3fff_ffff
        let port = 1_024 + UInt16(truncatingIfNeeded: random >> 32) % 64_000
        put(UInt16(source >> 16), at: 26)
        put(UInt16(source & 0xffff), at: 28)
        put(port, at: 34)
        put(UInt16(truncatingIfNeeded: random >> 48), at: 38)
        put(0, at: 24)
        put(checksum(14..<34, 0), at: 24)
        put(0, at: 50)
        // The pseudo-header: both addresses, the protocol and the segment's length.
        put(checksum(26..<54, 6 + 20), at: 50)
    }

    private mutating func put(_ value: UInt16, at offset: Int) {
        octets[offset] = UInt8(value >> 8)
        octets[offset + 1] = UInt8(value & 0xff)
    }

    /// RFC 1071.
    private func checksum(_ range: Range<Int>, _ start: UInt32) -> UInt16 {
        var sum = start
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
            sum += UInt32(octets[offset]) << 8 | UInt32(octets[offset + 1])
        }
        sum = sum & 0xffff + sum >> 16
        return UInt16(~(sum & 0xffff + sum >> 16) & 0xffff)
    }
}
