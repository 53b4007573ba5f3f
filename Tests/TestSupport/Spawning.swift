internal import CLinux
internal import Glibc
internal import LinuxSystem

/// How a process ended.
package enum ProcessEnd: Sendable, Equatable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    package var description: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .killed(let signal): "killed by signal \(signal)"
        }
    }
}

/// A file in memory that a child writes or reads, and that this process can read at any time. Unlike a pipe it never fills
/// up, so nobody has to drain it.
struct MemoryFile: ~Copyable, Sendable {
    let descriptor: OwnedDescriptor

    init(holding bytes: [UInt8] = []) throws {
        let raw = clinux_memory_file("riptide-test")
        guard raw >= 0 else { throw TestFailure("make a memory file: \(SystemError.words(-raw))") }
        let file = OwnedDescriptor(raw)
        guard pwrite(file.rawValue, bytes, bytes.count, 0) == bytes.count else {
            throw TestFailure("fill a memory file: \(SystemError.words(errno))")
        }
        descriptor = file
    }

    var number: Int32 { descriptor.rawValue }

    /// All that is in it now.
    var contents: [UInt8] {
        var facts = stat()
        fstat(descriptor.rawValue, &facts)
        let size = Int(facts.st_size)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = max(0, pread(descriptor.rawValue, buffer.baseAddress, size, 0))
        }
    }
}

/// Starts a program in a process group of its own. It is killed when the calling thread ends, so the caller stays with it.
func spawn(
    _ arguments: [String], environment: [String: String], namespace: Int32?, input: Int32, output: Int32, errors: Int32
) throws -> Int32 {
    guard let program = arguments.first else { throw TestFailure("an empty command") }
    guard let path = findProgram(program) else { throw TestFailure("\(program) is not installed") }
    var variables: [String] = []
    var next = environ
    while let variable = next.pointee {
        let text = String(cString: variable)
        if !environment.keys.contains(where: { text.hasPrefix($0 + "=") }) { variables.append(text) }
        next += 1
    }
    variables += environment.map { "\($0.key)=\($0.value)" }

    let argumentList = CStringList(arguments)
    let variableList = CStringList(variables)
    var pid: Int32 = 0
    let result = path.withCString { path in
        var request = clinux_spawn()
        request.path = path
        request.arguments = argumentList.pointer
        request.environment = variableList.pointer
        request.input = input
        request.output = output
        request.errors = errors
        request.network_namespace = namespace ?? -1
        request.own_process_group = 1
        request.parent_death_signal = SIGKILL
        return clinux_spawn(&request, &pid)
    }
    guard result == 0 else {
        throw TestFailure("start \(arguments.joined(separator: " ")): \(SystemError.words(-result))")
    }
    return pid
}

/// The end of a child, if it has ended.
func reap(_ pid: Int32) throws -> ProcessEnd? {
    var status: Int32 = 0
    var signal: Int32 = 0
    let result = clinux_reap(pid, &status, &signal)
    if result < 0 { throw TestFailure("wait for process \(pid): \(SystemError.words(-result))") }
    if result == 0 { return nil }
    return signal != 0 ? .killed(signal: signal) : .exited(status)
}

/// Waits until the child ends or the deadline has come; no deadline waits for ever. Does not reap.
func awaitEnd(of pid: Int32, until deadline: ContinuousClock.Instant?) throws {
    let raw = clinux_process_descriptor(pid)
    guard raw >= 0 else { throw TestFailure("watch process \(pid): \(SystemError.words(-raw))") }
    let descriptor = OwnedDescriptor(raw)
    var polled = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    var timeout: Int32 = -1
    repeat {
        if let deadline {
            let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
            timeout = Int32(max(0, min(left.rounded(.up), 1_000_000)))
        }
    } while poll(&polled, 1, timeout) < 0 && errno == EINTR
}

private func findProgram(_ name: String) -> String? {
    if name.contains("/") { return name }
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    let directories = path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    return directories.lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
}

/// A NULL-terminated list of C strings, freed with its owner.
private struct CStringList: ~Copyable {
    private let strings: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>

    init(_ strings: [String]) {
        self.strings = .allocate(capacity: strings.count + 1)
        _ = self.strings.initialize(from: strings.map { strdup($0) } + [nil])
    }

    var pointer: UnsafePointer<UnsafeMutablePointer<CChar>?>? { UnsafePointer(strings.baseAddress) }

    deinit {
        for string in strings { free(string) }
        strings.deallocate()
    }
}
