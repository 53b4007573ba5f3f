import Glibc
import NetworkTypes
import Synchronization
import TestSupport

/// Numbered UDP datagrams of one flow at a steady rate, from a thread of its own.
final class PacketStream: Sendable {
    private struct State {
        var isEnded = false
        var sent = 0
        var failures: [String] = []
        var longestPause = Duration.zero
    }
    private let socket: TestSocket
    private let perMillisecond: Int
    private let state = Mutex(State())
    private let thread: WorkerThread
    private let began = ContinuousClock.now

    /// Begins to send.
    init(_ client: Host, to endpoint: Endpoint, perMillisecond: Int) throws {
        socket = try TestSocket(.udp, in: client.namespace)
        try socket.connect(to: endpoint)
        self.perMillisecond = perMillisecond
        thread = try WorkerThread(name: "stream")
        thread.submit { [self] in run() }
    }

    var sent: Int { state.withLock { $0.sent } }

    /// Waits until so many more have been sent.
    func pass(_ count: Int) throws {
        let goal = sent + count
        try eventually(within: .seconds(30), every: .milliseconds(5), "\(count) datagrams are sent") { sent >= goal }
    }

    struct Report {
        let sent: Int
        let failures: [String]
        /// Per second.
        let rate: Int
        /// Between two bursts, by the sender's own clock.
        let longestPause: Duration
    }

    /// Ends it.
    func end() throws -> Report {
        state.withLock { $0.isEnded = true }
        try thread.perform {}
        thread.close()
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        return state.withLock {
            Report(
                sent: $0.sent, failures: $0.failures, rate: Int(Double($0.sent) / seconds),
                longestPause: $0.longestPause)
        }
    }

    private func run() {
        var number: UInt32 = 0
        var due = ContinuousClock.now
        var last = due
        while !state.withLock({ $0.isEnded }) {
            let now = ContinuousClock.now
            guard now >= due else {
                usleep(UInt32(max(1, (due - now) / .microseconds(1))))
                continue
            }
            var failure: String?
            for _ in 0..<perMillisecond {
                do {
                    try socket.send(withUnsafeBytes(of: number.bigEndian) { Array($0) })
                    number += 1
                } catch {
                    failure = "\(error)"
                }
            }
            state.withLock {
                $0.sent = Int(number)
                $0.longestPause = max($0.longestPause, now - last)
                if let failure { $0.failures.append(failure) }
            }
            last = now
            due += .milliseconds(1)
            // After a pause of this thread the missed bursts are made good a few at a time, not as one that fills every queue.
            if now - due > .milliseconds(20) { due = now }
        }
    }
}

/// Takes the datagrams of a ``PacketStream`` at a real server and notes their numbers.
final class PacketSink: Sendable {
    private struct State {
        var isClosed = false
        var seen: [Bool] = []
        var count = 0
        var twice = 0
        var last: ContinuousClock.Instant?
        var longestGap = Duration.zero
    }
    private let socket: TestSocket
    private let state = Mutex(State())
    private let thread: WorkerThread

    init(_ host: Host, at endpoint: Endpoint) throws {
        socket = try TestSocket(.udp, in: host.namespace, local: endpoint, receiveBuffer: 32 << 20)
        thread = try WorkerThread(name: "sink")
        thread.submit { [self] in run() }
    }

    func close() {
        state.withLock { $0.isClosed = true }
        try? thread.perform {}
        thread.close()
    }

    /// How many different ones have come, and how many came again.
    var count: Int { state.withLock { $0.count } }
    var twice: Int { state.withLock { $0.twice } }
    /// The longest time between two that came, since this was last asked.
    func takeLongestGap() -> Duration {
        state.withLock { state in
            defer { state.longestGap = .zero }
            return state.longestGap
        }
    }

    /// The numbers that did not come, of the first `count`.
    func missing(of count: Int) -> [Int] {
        state.withLock { state in (0..<count).filter { $0 >= state.seen.count || !state.seen[$0] } }
    }

    private func run() {
        while !state.withLock({ $0.isClosed }) {
            guard !TestSocket.readable(among: [socket], within: .milliseconds(20)).isEmpty else { continue }
            while let bytes = try? socket.receive(within: .zero, capacity: 64) {
                let number = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
                let now = ContinuousClock.now
                state.withLock { state in
                    if number >= state.seen.count {
                        state.seen += [Bool](repeating: false, count: number + 1 - state.seen.count)
                    }
                    if state.seen[number] { state.twice += 1 } else { state.count += 1 }
                    state.seen[number] = true
                    if let last = state.last { state.longestGap = max(state.longestGap, now - last) }
                    state.last = now
                }
            }
        }
    }
}
