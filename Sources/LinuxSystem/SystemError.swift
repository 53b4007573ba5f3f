internal import CLinux
internal import Glibc

/// Why the system refused something: what was tried, on what, the errno, and what to do about it.
package struct SystemError: Error, Equatable, Sendable {
    /// The kind of operation, as docs/errors.md lists it. Open: later versions may add codes.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }

        package static let netlink = Code(rawValue: "system.netlink")
        package static let interface = Code(rawValue: "system.interface")
        package static let address = Code(rawValue: "system.address")
        package static let announcement = Code(rawValue: "system.announcement")
        package static let namespace = Code(rawValue: "system.namespace")
        package static let sysctl = Code(rawValue: "system.sysctl")
        package static let bpfFilesystem = Code(rawValue: "system.bpf-filesystem")
        package static let limit = Code(rawValue: "system.limit")
        package static let descriptor = Code(rawValue: "system.descriptor")
        package static let program = Code(rawValue: "system.program")
        package static let firewall = Code(rawValue: "system.firewall")

        /// Every code that this version uses.
        package static let all: [Code] = [
            netlink, interface, address, announcement, namespace, sysctl, bpfFilesystem, limit, descriptor, program,
            firewall,
        ]
    }

    package let code: Code
    /// A verb phrase that reads on with the object: "add address 192.0.2.1/32 to".
    package let operation: String
    package let object: String
    /// Positive; 0 if the failure is not the kernel's.
    package let errno: Int32
    /// What the operator should do, if that is known.
    package let cure: String?

    /// `cure` defaults to the one that the errno suggests.
    package init(_ code: Code, _ operation: String, _ object: String, errno: Int32, cure: String? = nil) {
        self.code = code
        self.operation = operation
        self.object = object
        self.errno = errno
        self.cure = cure ?? Self.usualCure(errno)
    }

    private static func usualCure(_ errno: Int32) -> String? {
        switch errno {
        case EPERM, EACCES: "run as root, or grant CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF"
        case ENODEV, ENXIO: "check the interface's name with `ip link`"
        case EMFILE, ENFILE: "raise the limit of open files (LimitNOFILE= under systemd)"
        case ENOBUFS, ENOMEM: "the kernel is short of memory for it; try again"
        default: nil
        }
    }
}

extension SystemError: CustomStringConvertible {
    /// `add address 192.0.2.1/32 to lo: Operation not permitted (EPERM): run as root, …`
    package var description: String {
        var text = "\(operation) \(object)"
        if errno != 0 { text += ": \(Self.words(errno))" }
        if let cure { text += ": \(cure)" }
        return text
    }

    /// The errno in words and by name: "No such device (ENODEV)".
    package static func words(_ errno: Int32) -> String {
        guard let text = clinux_errno_text(errno), let name = clinux_errno_name(errno) else { return "errno \(errno)" }
        return "\(String(cString: text)) (\(String(cString: name)))"
    }
}

/// The result of a `clinux_` call, which is a negated errno on failure.
@discardableResult
func check(
    _ result: Int32, _ code: SystemError.Code, _ operation: String, _ object: String, cure: String? = nil
) throws(SystemError) -> Int32 {
    if result < 0 { throw SystemError(code, operation, object, errno: -result, cure: cure) }
    return result
}
