import Glibc
import LinuxSystem

/// The sole use of a folder among daemons, for as long as this lives: two that wrote the same state or the same pins would undo
/// each other's work. A daemon that dies gives it up by dying.
struct ExclusiveUse: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// - Parameter option: How another folder is chosen.
    init(of folder: String, option: String) throws {
        let number = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else {
            throw DaemonError("cannot open the folder \(folder): \(String(cString: strerror(errno)))")
        }
        let folderDescriptor = OwnedDescriptor(number)
        guard flock(number, LOCK_EX | LOCK_NB) == 0 else {
            throw DaemonError(
                "another riptided uses \(folder); end it, or start this one with another \(option) (docs/operations.md tells how "
                    + "several daemons run side by side)")
        }
        descriptor = folderDescriptor
    }
}
