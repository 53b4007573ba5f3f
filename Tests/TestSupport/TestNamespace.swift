internal import Glibc
package import LinuxSystem
internal import Synchronization

/// A network namespace of one test, with its loopback interface up, and a thread that lives in it. Removed with this object,
/// or by the next test run should this one be killed.
package final class TestNamespace: Sendable {
    /// As `ip netns` knows it.
    package let name: String
    private let file: OwnedDescriptor
    private let thread: WorkerThread
    private let isClosed = Mutex(false)

    private static let prefix = "rtt"
    private static let counter = Mutex(0)
    private static let sweeping = Mutex(false)

    /// - Parameter label: shows in the name, beside this process's number.
    package init(_ label: String = "ns") throws {
        try Self.sweepOnce()
        let number = Self.counter.withLock {
            $0 += 1
            return $0
        }
        let name = "\(Self.prefix)-\(getpid())-\(number)-\(label)"
        try Command.check(["ip", "netns", "add", name])
        do {
            let file = try NetworkNamespace.open(named: name)
            let thread = try WorkerThread(name: label)
            // The thread leaves the namespace only by ending.
            let descriptor = file.rawValue
            try thread.perform {
                let copy = OwnedDescriptor(dup(descriptor))
                try NetworkNamespace.enter(copy)
                // Addresses are usable at once, the link-local ones too.
                for scope in ["all", "default"] { try Sysctl("net", "ipv6", "conf", scope, "accept_dad").write(0) }
            }
            try Command.check(["ip", "-n", name, "link", "set", "lo", "up"])
            self.name = name
            self.file = file
            self.thread = thread
        } catch {
            _ = try? Command.run(["ip", "netns", "del", name])
            throw error
        }
    }

    deinit { close() }

    /// Removes the namespace. What still runs in it keeps it alive unseen. Idempotent.
    package func close() {
        let first = isClosed.withLock { closed in
            defer { closed = true }
            return !closed
        }
        guard first else { return }
        thread.close()
        _ = try? Command.run(["ip", "netns", "del", name])
    }

    /// Valid as long as this object.
    var descriptor: Int32 { file.rawValue }

    /// Runs synchronous code on the namespace's thread and waits for it. What it opens there (sockets, a
    /// ``NetworkMonitor``, an ``Announcer``) belongs to the namespace and may be used from anywhere.
    package func perform<Value: ~Copyable & Sendable>(_ job: @escaping @Sendable () throws -> Value) throws -> Value {
        try thread.perform(job)
    }

    /// `ip -n NAME …`; the arguments are separated by spaces. Returns what it prints.
    @discardableResult
    package func ip(_ arguments: String) throws -> String {
        try Command.check(["ip", "-n", name] + arguments.split(separator: " ").map(String.init))
    }

    /// Many `ip` commands in one process, one a line.
    package func ip(batch lines: [String]) throws {
        try Command.check(["ip", "-n", name, "-batch", "-"], input: Array((lines.joined(separator: "\n") + "\n").utf8))
    }

    /// The state of the namespace's network at this moment.
    package var state: NetworkState {
        get throws { try perform { try NetworkState.current() } }
    }

    package func link(_ name: String) throws -> Link {
        guard let link = try state.link(named: name) else { throw TestFailure("\(self.name) has no interface \(name)") }
        return link
    }

    package func sysctl(_ parts: String..., value: Int) throws {
        try Command.check(["sysctl", "-q", "-w", "\(parts.joined(separator: "/"))=\(value)"], in: self)
    }

    /// Removes what killed runs have left.
    private static func sweepOnce() throws {
        let names: [String] = try sweeping.withLock { isDone in
            if isDone { return [] }
            isDone = true
            return try Command.check(["ip", "netns", "list"]).split(separator: "\n").compactMap {
                $0.split(separator: " ").first.map(String.init)
            }
        }
        for name in names {
            let parts = name.split(separator: "-")
            guard parts.count >= 3, parts[0] == prefix, let pid = Int32(parts[1]) else { continue }
            if kill(pid, 0) != 0, errno == ESRCH { _ = try Command.run(["ip", "netns", "del", name]) }
        }
    }
}
