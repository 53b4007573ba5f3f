internal import Glibc

/// What a command that has ended leaves.
package struct CommandResult: Sendable {
    package let end: ProcessEnd
    package let standardOutput: [UInt8]
    package let standardError: [UInt8]

    /// The exit status; 128 and the signal's number if it was killed, as in a shell.
    package var status: Int32 {
        switch end {
        case .exited(let status): status
        case .killed(let signal): 128 + signal
        }
    }
    package var stdout: String { String(decoding: standardOutput, as: UTF8.self) }
    package var stderr: String { String(decoding: standardError, as: UTF8.self) }
}

/// Commands that are run to their end.
package enum Command {
    /// Runs a command in a process group of its own and waits for it. Whatever its exit status, that is a result.
    ///
    /// - Parameter namespace: the network namespace; mounts stay the caller's, so /sys/fs/bpf is visible.
    /// - Parameter environment: added to this process's own.
    /// - Throws: if it cannot be started, or has not ended in time: then its process group is killed.
    package static func run(
        _ arguments: [String], in namespace: TestNamespace? = nil, input: [UInt8]? = nil,
        environment: [String: String] = [:], timeout: Duration = .seconds(30)
    ) throws -> CommandResult {
        let deadline = ContinuousClock.now + timeout
        let input = try MemoryFile(holding: input ?? [])
        let output = try MemoryFile()
        let errors = try MemoryFile()
        let pid = try spawn(
            arguments, environment: environment, namespace: namespace?.descriptor, input: input.number,
            output: output.number, errors: errors.number)
        try awaitEnd(of: pid, until: deadline)
        if let end = try reap(pid) {
            return CommandResult(end: end, standardOutput: output.contents, standardError: errors.contents)
        }
        kill(-pid, SIGKILL)
        try awaitEnd(of: pid, until: nil)
        _ = try reap(pid)
        throw TestFailure(
            "\(arguments.joined(separator: " ")): not done within \(timeout); it said: "
                + String(decoding: output.contents + errors.contents, as: UTF8.self))
    }

    /// As ``run(_:in:input:environment:timeout:)``, but an exit status other than 0 is an error. Returns the standard output.
    @discardableResult
    package static func check(
        _ arguments: [String], in namespace: TestNamespace? = nil, input: [UInt8]? = nil,
        environment: [String: String] = [:], timeout: Duration = .seconds(30)
    ) throws -> String {
        let result = try run(arguments, in: namespace, input: input, environment: environment, timeout: timeout)
        guard result.end == .exited(0) else {
            throw TestFailure("\(arguments.joined(separator: " ")): \(result.end): \(result.stderr)\(result.stdout)")
        }
        return result.stdout
    }
}
