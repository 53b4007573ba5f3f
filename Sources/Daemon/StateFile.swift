import FoundationEssentials
import Glibc

/// A file that is replaced whole or not at all, also when the machine stops in the middle.
struct StateFile: Sendable {
    let path: String

    /// `nil` if there is none.
    func read() throws -> String? {
        guard let data = FileManager.default.contents(atPath: path) else {
            if access(path, F_OK) != 0 && errno == ENOENT { return nil }
            throw DaemonError("cannot read \(path): \(String(cString: strerror(errno)))")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// - Parameter mode: Of a file that was not there before.
    func write(_ text: String, mode: mode_t = 0o600) throws {
        try stage(text, mode: mode).commit()
    }

    /// A new content that is safe on the disk beside the file, and not yet in its place.
    struct Staged {
        fileprivate let temporary: String
        fileprivate let target: String

        /// Puts it in the file's place.
        func commit() throws {
            guard rename(temporary, target) == 0 else { throw StateFile.failure("replace \(target)") }
        }

        /// Throws it away.
        func discard() { unlink(temporary) }
    }

    /// Writes everything that can fail. A link is followed, and the file's owner and mode are kept.
    func stage(_ text: String, mode: mode_t = 0o600) throws -> Staged {
        let resolved = realpath(path, nil)
        defer { free(resolved) }
        let target = resolved.map { String(cString: $0) } ?? path
        let temporary = target + ".new"
        var status = stat()
        let isThere = stat(target, &status) == 0
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, isThere ? status.st_mode & 0o7777 : mode)
        guard descriptor >= 0 else { throw Self.failure("create \(temporary)") }
        defer { close(descriptor) }
        if isThere { _ = fchown(descriptor, status.st_uid, status.st_gid) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { throw Self.failure("write \(temporary)") }
            rest = rest.dropFirst(max(0, count))
        }
        guard fsync(descriptor) == 0 else { throw Self.failure("write \(temporary)") }
        return Staged(temporary: temporary, target: target)
    }

    private static func failure(_ operation: String) -> DaemonError {
        DaemonError("cannot \(operation): \(String(cString: strerror(errno)))")
    }

    /// Creates a folder that only its owner may enter, and those above it; one that is there is left as it is.
    static func createFolder(_ path: String) throws {
        if access(path, F_OK) == 0 { return }
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw DaemonError("cannot create the folder \(path): \(String(cString: strerror(errno)))")
        }
        chmod(path, 0o700)
    }
}
