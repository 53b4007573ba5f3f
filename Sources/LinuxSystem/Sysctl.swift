internal import CLinux
internal import Glibc

/// One kernel parameter under /proc/sys, in the network namespace of the thread that reads or writes it.
///
/// Given by its parts, because interface names may contain dots: `Sysctl("net", "ipv4", "conf", "eth0.100", "arp_ignore")`.
package struct Sysctl: Hashable, Sendable {
    package let parts: [String]

    package init(_ parts: String...) { self.parts = parts }

    package var path: String { "/proc/sys/" + parts.joined(separator: "/") }

    /// The value without its line end; `nil` if this kernel has no such parameter.
    package func read() throws(SystemError) -> String? {
        let opened = try open(O_RDONLY, "read")
        guard let file = opened else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(file.rawValue, &bytes, bytes.count)
        if count < 0 { throw SystemError(.sysctl, "read", name, errno: errno) }
        var text = Substring(decoding: bytes.prefix(count), as: UTF8.self)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// The value as a number; `nil` if there is no such parameter or it is not a number.
    package func readInteger() throws(SystemError) -> Int? { try read().flatMap { Int($0) } }

    /// Fails with ENOENT if this kernel has no such parameter.
    package func write(_ value: String) throws(SystemError) {
        guard let file = try open(O_WRONLY, "write \(value) to") else {
            throw SystemError(
                .sysctl, "write \(value) to", name, errno: ENOENT, cure: "this kernel has no such parameter")
        }
        // One write: the kernel parses each by itself.
        let bytes = Array(value.utf8)
        guard Glibc.write(file.rawValue, bytes, bytes.count) == bytes.count else {
            throw SystemError(.sysctl, "write \(value) to", name, errno: errno)
        }
    }

    package func write(_ value: Int) throws(SystemError) { try write(String(value)) }

    /// As `sysctl` shows it: "net.ipv4.ip_forward".
    package var name: String { parts.joined(separator: ".") }

    private func open(_ flags: Int32, _ operation: String) throws(SystemError) -> OwnedDescriptor? {
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("/") }) else {
            throw SystemError(.sysctl, operation, name, errno: EINVAL, cure: "a part must not be empty or contain '/'")
        }
        let descriptor = clinux_open(path, flags, 0)
        if descriptor == -ENOENT { return nil }
        return OwnedDescriptor(try check(descriptor, .sysctl, operation, name))
    }
}
