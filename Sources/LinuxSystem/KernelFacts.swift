internal import CLinux
internal import Glibc

/// What this process may do and what this kernel is, for errors that tell the cause before anything fails obscurely.
package struct KernelFacts: Sendable, Equatable {
    /// Linux capabilities that the daemon needs, by their numbers in capability(7).
    package enum Capability: Int, CaseIterable, Sendable {
        case netBindService = 10
        case netAdmin = 12
        case netRaw = 13
        case perfmon = 38
        case bpf = 39

        /// The name that systemd and setcap take: "CAP_NET_ADMIN".
        package var name: String {
            switch self {
            case .netBindService: "CAP_NET_BIND_SERVICE"
            case .netAdmin: "CAP_NET_ADMIN"
            case .netRaw: "CAP_NET_RAW"
            case .perfmon: "CAP_PERFMON"
            case .bpf: "CAP_BPF"
            }
        }
    }

    /// Whether the effective user is root. Inside a container root may still lack capabilities.
    package let isRoot: Bool
    /// As `uname -r` prints it: "6.1.0-18-amd64".
    package let release: String
    package let architecture: String
    /// The effective capabilities among those of interest.
    package let capabilities: Set<Capability>
    /// Whether the kernel describes its types (/sys/kernel/btf/vmlinux), which `bpftool` and iterators need.
    package let hasBTF: Bool
    /// Whether bpf(2) let this process create a map: 0, or the errno.
    package let bpfErrno: Int32

    package init(
        isRoot: Bool, release: String, architecture: String, capabilities: Set<Capability>, hasBTF: Bool,
        bpfErrno: Int32
    ) {
        self.isRoot = isRoot
        self.release = release
        self.architecture = architecture
        self.capabilities = capabilities
        self.hasBTF = hasBTF
        self.bpfErrno = bpfErrno
    }

    package var isBPFAvailable: Bool { bpfErrno == 0 }

    /// The first two numbers of the release; `nil` if it does not begin with them.
    package var version: (major: Int, minor: Int)? {
        let parts = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        return parts.count == 2 ? (parts[0], parts[1]) : nil
    }

    /// The facts of this moment, for the calling thread.
    package static func current() -> KernelFacts {
        var system = utsname()
        uname(&system)
        return KernelFacts(
            isRoot: geteuid() == 0,
            release: text(of: system.release),
            architecture: text(of: system.machine),
            capabilities: effectiveCapabilities(),
            hasBTF: access("/sys/kernel/btf/vmlinux", R_OK) == 0,
            bpfErrno: -clinux_bpf_probe())
    }

    /// What keeps the daemon from working here, each as a sentence with its cure; empty if nothing does.
    package var obstacles: [String] {
        var found: [String] = []
        let missing = Capability.allCases.filter { !capabilities.contains($0) }.map(\.name)
        if !missing.isEmpty {
            found.append("this process lacks \(missing.joined(separator: ", ")): run as root, or grant them")
        }
        if !isBPFAvailable {
            let cure =
                switch bpfErrno {
                case ENOSYS: "this kernel is built without BPF (CONFIG_BPF_SYSCALL)"
                case EPERM, EACCES: "run as root outside a restricted container"
                default: "see the kernel's log"
                }
            found.append("BPF is not available: \(SystemError.words(bpfErrno)): \(cure)")
        }
        if !hasBTF {
            found.append("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF): use a distribution kernel of 6.1 or later")
        }
        if let version, (version.major, version.minor) < (6, 1) {
            found.append("kernel \(release) is too old: 6.1 or later is needed")
        }
        return found
    }

    private static func text<Field>(of field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func effectiveCapabilities() -> Set<Capability> {
        guard let file = fopen("/proc/thread-self/status", "re") else { return [] }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, Int32(line.count), file) != nil {
            let fields = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
                .split(whereSeparator: \.isWhitespace)
            if fields.count == 2, fields[0] == "CapEff:", let mask = UInt64(fields[1], radix: 16) {
                return Set(Capability.allCases.filter { mask >> UInt64($0.rawValue) & 1 == 1 })
            }
        }
        return []
    }
}
