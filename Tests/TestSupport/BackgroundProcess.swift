internal import Glibc
internal import Synchronization

/// A program that runs beside the test: a server, a capture, the daemon. It leads a process group, which ends with
/// the program; the program is killed with this object and, by the kernel, with the test process.
package final class BackgroundProcess: Sendable {
    private enum State {
        case running
        case ended(ProcessEnd)
    }

    package let pid: Int32
    private let command: String
    private let output: MemoryFile
    private let errors: MemoryFile
    /// Held while the child is reaped or signalled, so that a signal can never reach a stranger with the same number.
    private let state: StateBox
    private let thread: WorkerThread

    private final class StateBox: Sendable {
        let state = Mutex(State.running)
    }

    /// - Parameter namespace: the network namespace; mounts stay the caller's, so /sys/fs/bpf is visible.
    /// - Parameter environment: added to this process's own.
    package init(
        _ arguments: [String], in namespace: TestNamespace? = nil, input: [UInt8]? = nil,
        environment: [String: String] = [:]
    ) throws {
        let input = try MemoryFile(holding: input ?? [])
        let output = try MemoryFile()
        let errors = try MemoryFile()
        let descriptors = (input.number, output.number, errors.number)
        let namespaceDescriptor = namespace?.descriptor
        // The kernel kills the child when the thread that started it ends, so that thread lives as long as the child.
        let thread = try WorkerThread(name: "background")
        let pid: Int32
        do {
            pid = try thread.perform {
                try spawn(
                    arguments, environment: environment, namespace: namespaceDescriptor, input: descriptors.0,
                    output: descriptors.1, errors: descriptors.2)
            }
        } catch {
            thread.close()
            throw error
        }
        withExtendedLifetime(input) {}  // the descriptor had to stay open until the child had it
        let state = StateBox()
        thread.submit {
            try? awaitEnd(of: pid, until: nil)
            state.state.withLock {
                // The rest of the group, while the leader's entry still keeps the group's number from being given away.
                _ = Glibc.kill(-pid, SIGKILL)
                $0 = .ended((try? reap(pid)) ?? .exited(-1))
            }
        }
        thread.close()
        self.pid = pid
        self.command = arguments.joined(separator: " ")
        self.output = output
        self.errors = errors
        self.state = state
        self.thread = thread
    }

    deinit { try? kill() }

    /// What it has written so far.
    package var stdout: String { String(decoding: output.contents, as: UTF8.self) }
    package var stderr: String { String(decoding: errors.contents, as: UTF8.self) }
    package var standardOutput: [UInt8] { output.contents }

    /// How it ended; `nil` while it runs.
    package var end: ProcessEnd? {
        state.state.withLock {
            if case .ended(let end) = $0 { end } else { nil }
        }
    }

    package var isRunning: Bool { end == nil }

    /// Sends a signal to the program alone; none if it has ended.
    package func signal(_ number: Int32) {
        state.state.withLock { state in
            if case .running = state { _ = Glibc.kill(pid, number) }
        }
    }

    /// Waits for its end.
    @discardableResult
    package func wait(timeout: Duration = .seconds(10)) throws -> ProcessEnd {
        try eventually(within: timeout, every: .milliseconds(2), "\(command) ends; it said: \(stderr)\(stdout)") {
            end != nil
        }
        return end ?? .exited(-1)
    }

    /// Asks it to end (SIGTERM) and waits; kills it if it does not.
    @discardableResult
    package func stop(timeout: Duration = .seconds(5)) throws -> ProcessEnd {
        signal(SIGTERM)
        do {
            return try wait(timeout: timeout)
        } catch {
            try kill()
            throw error
        }
    }

    /// Kills it and its process group, and waits. Idempotent.
    package func kill() throws {
        state.state.withLock { state in
            if case .running = state { _ = Glibc.kill(-pid, SIGKILL) }
        }
        try wait()
    }
}
