import Glibc

/// A file descriptor of a BPF object, closed when it goes out of scope. The kernel keeps the object while a descriptor, a pin
/// or another object refers to it.
struct Descriptor: ~Copyable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    /// A second descriptor of the same object.
    init(duplicating number: Int32) throws(BPFError) {
        self.number = try check("duplicate a descriptor") { fcntl(number, F_DUPFD_CLOEXEC, 3) }
    }

    deinit { close(number) }
}
