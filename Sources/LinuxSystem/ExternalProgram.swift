internal import CLinux
internal import Glibc

/// A program of the system that is run to its end. It runs in the network namespace of the calling thread, which waits; and
/// with a plain environment, so that its messages are in English.
package struct ExternalProgram: Sendable, Equatable {
    package struct Outcome: Sendable, Equatable {
        /// The exit status; 128 and the signal's number if it was killed, as in a shell.
        package let status: Int32
        package let output: String
        package let errors: String
    }

    /// A name that is looked for in PATH and the system's folders, or a path.
    package let name: String
    /// What to install if it is missing.
    package let package: String
    /// After which it is killed.
    package let timeout: Duration

    package init(_ name: String, package: String, timeout: Duration = .seconds(10)) {
        self.name = name
        self.package = package
        self.timeout = timeout
    }

    /// Runs it and waits. Whatever its exit status, that is a result.
    ///
    /// - Throws: code ``SystemError/Code/program`` if it is not installed, cannot be started, or does not end in time.
    package func run(_ arguments: [String], input: String = "") throws(SystemError) -> Outcome {
        guard let path else {
            throw failed(ENOENT, cure: "install it: apt-get install \(package), or your system's counterpart")
        }
        let input = try memoryFile(input)
        let output = try memoryFile()
        let errors = try memoryFile()
        let pid = try start(path, arguments, input, output, errors)
        let status = try wait(for: pid)
        return Outcome(status: status, output: contents(of: output), errors: contents(of: errors))
    }

    private var path: String? {
        if name.contains("/") { return access(name, X_OK) == 0 ? name : nil }
        return Self.folders.lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    private static var folders: [String] {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        return path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    }

    private func start(
        _ path: String, _ arguments: [String], _ input: borrowing OwnedDescriptor,
        _ output: borrowing OwnedDescriptor, _ errors: borrowing OwnedDescriptor
    ) throws(SystemError) -> Int32 {
        var pid: Int32 = 0
        let (input, output, errors) = (input.rawValue, output.rawValue, errors.rawValue)
        let environment = ["LC_ALL=C", "PATH=\(Self.folders.joined(separator: ":"))"]
        let result = withCStrings([path]) { paths in
            withCStrings([name] + arguments) { arguments in
                withCStrings(environment) { environment in
                    var request = clinux_spawn()
                    request.path = UnsafePointer(paths[0])
                    request.arguments = arguments
                    request.environment = environment
                    request.input = input
                    request.output = output
                    request.errors = errors
                    request.network_namespace = -1
                    request.own_process_group = 1
                    request.parent_death_signal = SIGKILL
                    return clinux_spawn(&request, &pid)
                }
            }
        }
        if result < 0 { throw failed(-result) }
        return pid
    }

    /// Reaps it and returns its status; kills it, with what it has started, when its time is over.
    private func wait(for pid: Int32) throws(SystemError) -> Int32 {
        let descriptor = clinux_process_descriptor(pid)
        guard descriptor >= 0 else {
            kill(-pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw failed(-descriptor)
        }
        let end = OwnedDescriptor(descriptor)
        if let status = try reap(pid, after: end, until: .now + timeout) { return status }
        kill(-pid, SIGKILL)
        _ = try reap(pid, after: end, until: .now + .seconds(10))
        throw failed(ETIMEDOUT, cure: "it had not ended after \(timeout) and was killed; try again")
    }

    private func reap(
        _ pid: Int32, after end: borrowing OwnedDescriptor, until deadline: ContinuousClock.Instant
    ) throws(SystemError) -> Int32? {
        var polled = pollfd(fd: end.rawValue, events: Int16(POLLIN), revents: 0)
        var left: Double
        repeat {
            left = max(0, ContinuousClock.now.duration(to: deadline) / .milliseconds(1))
        } while poll(&polled, 1, Int32(left.rounded(.up))) < 0 && errno == EINTR && left > 0
        var (status, signal): (Int32, Int32) = (0, 0)
        let result = clinux_reap(pid, &status, &signal)
        if result < 0 { throw failed(-result) }
        return result == 0 ? nil : signal == 0 ? status : 128 + signal
    }

    private func failed(_ errno: Int32, cure: String? = nil) -> SystemError {
        SystemError(.program, "run", name, errno: errno, cure: cure)
    }

    // A file in memory, unlike a pipe, never fills up, so nobody has to drain it.
    private func memoryFile(_ text: String = "") throws(SystemError) -> OwnedDescriptor {
        let descriptor = clinux_memory_file("riptide")
        if descriptor < 0 { throw failed(-descriptor) }
        let file = OwnedDescriptor(descriptor)
        let bytes = Array(text.utf8)
        if pwrite(file.rawValue, bytes, bytes.count, 0) != bytes.count { throw failed(errno) }
        return file
    }

    private func contents(of file: borrowing OwnedDescriptor) -> String {
        var facts = stat()
        fstat(file.rawValue, &facts)
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(facts.st_size)) { buffer, count in
            count = max(0, pread(file.rawValue, buffer.baseAddress, buffer.count, 0))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Calls `body` with the strings as C takes a list of them, ended by NULL.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let copies = strings.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return copies.withUnsafeBufferPointer { body($0.baseAddress!) }
}
