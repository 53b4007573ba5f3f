import Glibc

/// The file of a Unix socket: made ready before binding, private afterwards.
struct SocketFile: Sendable {
    let path: String

    /// Makes the folder (0700) if it is missing and removes the socket of a dead daemon.
    ///
    /// Throws when the path cannot be used, in particular when a daemon listens there.
    func prepare(longestPath: Int) throws(ControlServerError) {
        guard path.utf8.count <= longestPath else {
            throw ControlServerError(
                operation: "listen on \(path)", reason: "the path is longer than a socket's may be",
                cure: "use a path of at most \(longestPath) bytes", errno: ENAMETOOLONG)
        }
        try makeFolder()
        var file = stat()
        guard lstat(path, &file) == 0 else {
            guard errno == ENOENT else { throw failure("look at", cure: "see that the path is right") }
            return
        }
        guard file.st_mode & S_IFMT == S_IFSOCK else {
            throw ControlServerError(
                operation: "listen on \(path)", reason: "there is something else than a socket",
                cure: "move it away, or choose another path with --socket", errno: EEXIST)
        }
        guard try !isListening() else {
            throw ControlServerError(
                operation: "listen on \(path)", reason: "another daemon listens there",
                cure: "stop it first, or choose another path with --socket", errno: EADDRINUSE)
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw failure("remove the stale socket", cure: "remove it by hand")
        }
    }

    /// Nobody but the owner, and root, may connect.
    func restrict() throws(ControlServerError) {
        guard chmod(path, 0o600) == 0 else { throw failure("restrict", cure: "see that the file system has modes") }
    }

    private func makeFolder() throws(ControlServerError) {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
        let folder = String(path[..<slash])
        guard mkdir(folder, 0o700) != 0, errno != EEXIST else { return }
        throw failure("make the folder \(folder) of", cure: "make it, with mode 0700")
    }

    private func isListening() throws(ControlServerError) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw failure("ask whether a daemon listens at", cure: "see ulimit -n") }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // EAGAIN: somebody listens, with a full queue.
        return result == 0 || errno == EAGAIN || errno == EINPROGRESS
    }

    private func failure(_ operation: String, cure: String) -> ControlServerError {
        ControlServerError(
            operation: "\(operation) \(path)", reason: String(cString: strerror(errno)), cure: cure, errno: errno)
    }
}
