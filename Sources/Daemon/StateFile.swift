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
        let temporary = path + ".new"
        var status = stat()
        let mode = stat(path, &status) == 0 ? status.st_mode & 0o7777 : mode
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure("create \(temporary)") }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { throw failure("write \(temporary)") }
            rest = rest.dropFirst(max(0, count))
        }
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw failure("replace \(path)") }
    }

    private func failure(_ operation: String) -> DaemonError {
        DaemonError("cannot \(operation): \(String(cString: strerror(errno)))")
    }

    /// Creates a folder and those above it.
    static func createFolder(_ path: String, mode: mode_t = 0o700) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw DaemonError("cannot create the folder \(path): \(String(cString: strerror(errno)))")
        }
        chmod(path, mode)
    }
}
