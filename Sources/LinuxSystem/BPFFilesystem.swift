internal import CLinux
internal import Glibc

private let systemMountPoint = "/sys/fs/bpf"

/// Makes `directory` a place where BPF objects can be pinned: creates it (0700) and, unless it already lies on a BPF
/// filesystem, mounts one: at /sys/fs/bpf for a directory below that, else at the directory itself.
///
/// Idempotent, and safe against a second process doing the same. The corresponding C function is `mount`.
package func mountBPFFilesystem(at directory: String) throws(SystemError) {
    guard directory.hasPrefix("/") else {
        throw SystemError(
            .bpfFilesystem, "mount a BPF filesystem at", directory, errno: EINVAL,
            cure: "give an absolute path")
    }
    if directory == systemMountPoint || directory.hasPrefix(systemMountPoint + "/") {
        try mountUnlessMounted(systemMountPoint)
        try makeDirectories(directory)
    } else {
        try makeDirectories(directory)
        try mountUnlessMounted(directory)
    }
}

/// Whether the file or directory lies on a BPF filesystem.
package func isOnBPFFilesystem(_ path: String) throws(SystemError) -> Bool {
    var magic: UInt64 = 0
    try check(clinux_filesystem_magic(path, &magic), .bpfFilesystem, "look at", path)
    return magic == CLINUX_BPF_FILESYSTEM_MAGIC
}

private func mountUnlessMounted(_ path: String) throws(SystemError) {
    if try isOnBPFFilesystem(path) { return }
    // Two mounts would stack and hide each other's pins: the directory itself is the lock, and is looked at again.
    let directory = OwnedDescriptor(
        try check(clinux_open(path, O_RDONLY | O_DIRECTORY, 0), .bpfFilesystem, "open", path))
    guard flock(directory.rawValue, LOCK_EX) == 0 else {
        throw SystemError(.bpfFilesystem, "lock", path, errno: errno)
    }
    if try !isOnBPFFilesystem(path) {
        try check(
            clinux_mount("bpf", path, "bpf", UInt(CLINUX_MOUNT_RESTRICTED), "mode=0700"),
            .bpfFilesystem, "mount a BPF filesystem at", path,
            cure: "run as root, or mount it beforehand: mount -t bpf bpf \(path)")
    }
    withExtendedLifetime(directory) {}  // the lock holds until here
}

private func makeDirectories(_ path: String) throws(SystemError) {
    var made = ""
    for part in path.split(separator: "/") {
        made += "/" + part
        if mkdir(made, 0o700) != 0, errno != EEXIST {
            throw SystemError(.bpfFilesystem, "create directory", made, errno: errno)
        }
    }
}
