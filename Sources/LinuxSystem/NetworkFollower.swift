internal import CLibNL
internal import Glibc

/// The loop of a ``NetworkMonitor``'s thread. Made by the thread that makes the monitor, then used by its own alone.
final class NetworkFollower {
    private let board: NetworkBoard
    private let wake: Int32
    /// Subscribed to every group; never asked anything, so that answers cannot mix with events.
    private var events: NetlinkSocket
    private var queries: NetlinkSocket

    private var tables = NetworkTables()
    private var change = NetworkChange()
    private var pace = Pace()
    private var routesAreOld = false
    /// When to read everything anew after that has failed.
    private var retryAt: ContinuousClock.Instant?

    /// Events are drained in portions, so that a flood of them cannot keep the state from being published.
    private static let portion = 256

    init(board: NetworkBoard, wake: Int32, receiveBuffer: Int) throws(SystemError) {
        self.board = board
        self.wake = wake
        var events = try NetlinkSocket(blocking: false, receiveBuffer: receiveBuffer)
        // Before the first reading: what changes meanwhile waits in the socket.
        let groups = [
            RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
            RTNLGRP_IPV6_ROUTE,
        ]
        for group in groups { try events.join(group.rawValue) }
        var queries = try NetlinkSocket(blocking: true)
        tables = try NetworkTables.read(from: &queries)
        self.events = events
        self.queries = queries
        board.publish(tables.state, NetworkChange())
    }

    /// Returns when the wake descriptor becomes readable.
    func run() {
        defer { board.finish() }
        while true {
            var polled = [
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
                pollfd(fd: events.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            poll(&polled, 2, timeout())
            if polled[0].revents != 0 { return }
            if polled[1].revents != 0 { drain() }
            if let due = retryAt, due <= .now { readEverything() }
            if routesAreOld, pace.isDue { readRoutes() }
            publish()
        }
    }

    /// Milliseconds for poll; -1 without end.
    private func timeout() -> Int32 {
        let due = [retryAt, routesAreOld ? pace.next : nil].compactMap { $0 }.min()
        guard let due else { return -1 }
        let left = ContinuousClock.now.duration(to: due) / Duration.milliseconds(1)
        return Int32(max(0, min(60_000, left.rounded(.up))))
    }

    private func drain() {
        for _ in 0..<Self.portion {
            switch receive() {
            case .messages: continue
            case .nothing: return
            case .failed:
                // Most often ENOBUFS: events were dropped. What is still queued is older than what is read next.
                while case .messages = events.receive({ _ in }) {}
                board.countResynchronisation()
                return readEverything()
            }
        }
    }

    private func receive() -> NetlinkSocket.Reception {
        events.receive { message in
            let effect = tables.apply(message)
            change.merge(effect.change)
            routesAreOld = routesAreOld || effect.touchesRoutes
        }
    }

    private func readEverything() {
        do {
            let old = tables
            tables = try NetworkTables.read(from: &queries)
            change.merge(tables.difference(from: old))
            retryAt = nil
            routesAreOld = false
        } catch {
            retryAt = .now + .milliseconds(100)
        }
    }

    private func readRoutes() {
        let start = ContinuousClock.now
        do {
            if try tables.readRoutes(from: &queries) { change.routes = true }
            routesAreOld = false
        } catch {
            retryAt = .now + .milliseconds(100)
        }
        pace.worked(since: start)
    }

    private func publish() {
        if change.isEmpty { return }
        board.publish(tables.state, change)
        change = NetworkChange()
    }
}

/// Keeps repeated work to a twentieth of the time.
private struct Pace {
    private(set) var next = ContinuousClock.now

    var isDue: Bool { next <= .now }

    mutating func worked(since start: ContinuousClock.Instant) {
        let end = ContinuousClock.now
        next = end + start.duration(to: end) * 19
    }
}
