internal import CLinux
internal import Glibc
internal import Synchronization

/// Follows the links, addresses, neighbours and routes of one network namespace: that of the thread that makes the
/// monitor, wherever it is used later.
///
/// ``snapshot`` is never behind the kernel by more than the time that a thread needs to wake up; routes alone are read at a
/// pace that costs at most a twentieth of a core. Nothing is missed: when the kernel had to drop events, everything is
/// read anew.
package final class NetworkMonitor: Sendable {
    package struct Options: Sendable {
        /// How many octets of unread events the kernel keeps before it drops them and the monitor has to start afresh.
        package var receiveBuffer: Int

        package init(receiveBuffer: Int = 1 << 20) { self.receiveBuffer = receiveBuffer }
    }

    private let board: NetworkBoard
    private let wake: OwnedDescriptor
    private let thread: Mutex<pthread_t?>
    /// For one consumer.
    package let changes: NetworkChanges

    /// Subscribes, reads everything once, and starts to follow. When it returns, ``snapshot`` is complete.
    package init(options: Options = Options()) throws(SystemError) {
        let (signals, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let wake = OwnedDescriptor(try check(clinux_event_open(), .netlink, "open", "an event descriptor"))
        let board = NetworkBoard(signal: continuation)
        let follower = try NetworkFollower(board: board, wake: wake.rawValue, receiveBuffer: options.receiveBuffer)
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(follower)
        let failure = pthread_create(&thread, nil, followNetwork, argument.toOpaque())
        if failure != 0 {
            argument.release()
            throw SystemError(.netlink, "start", "the network monitor's thread", errno: failure)
        }
        self.board = board
        self.wake = wake
        self.thread = Mutex(thread)
        changes = NetworkChanges(signals: signals, board: board)
    }

    deinit { close() }

    /// The latest state. Cheap: no system call, no copy.
    package var snapshot: NetworkState { board.state }

    /// How often the kernel dropped events and everything was read anew.
    package var resynchronisations: Int { board.resynchronisations }

    /// Ends the monitor and its ``changes``; ``snapshot`` stays as it is. Waits until the thread has ended. Idempotent.
    package func close() {
        thread.withLock { thread in
            guard let running = thread else { return }
            thread = nil
            clinux_event_signal(wake.rawValue)
            pthread_join(running, nil)
        }
    }
}

/// Where the monitor's thread writes and everybody reads.
final class NetworkBoard: Sendable {
    private struct Contents {
        var state = NetworkState()
        var pending = NetworkChange()
        var resynchronisations = 0
    }
    private let contents = Mutex(Contents())
    private let signal: AsyncStream<Void>.Continuation

    init(signal: AsyncStream<Void>.Continuation) { self.signal = signal }

    var state: NetworkState { contents.withLock { $0.state } }
    var resynchronisations: Int { contents.withLock { $0.resynchronisations } }

    func publish(_ state: NetworkState, _ change: NetworkChange) {
        contents.withLock {
            $0.state = state
            $0.pending.merge(change)
        }
        signal.yield()
    }

    func countResynchronisation() { contents.withLock { $0.resynchronisations += 1 } }

    /// What changed since the last call; `nil` if nothing did.
    func takeChange() -> NetworkChange? {
        contents.withLock { contents in
            defer { contents.pending = NetworkChange() }
            return contents.pending.isEmpty ? nil : contents.pending
        }
    }

    func finish() { signal.finish() }
}

// A free function: a closure would inherit the isolation of the code around it and trap on this thread.
private func followNetwork(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    clinux_name_thread("network-monitor")
    if let argument { Unmanaged<NetworkFollower>.fromOpaque(argument).takeRetainedValue().run() }
    return nil
}
