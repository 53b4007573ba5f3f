/// Where the daemon listens unless told otherwise.
package enum ControlSocket {
    package static let defaultPath = "/run/riptide/admin.sock"
    /// The longest path that a Unix socket's address holds, in bytes, without the final zero.
    package static let longestPath = 107
    /// The largest body that the daemon takes, and the largest answer that the client takes.
    package static let largestRequest = 16 << 20
    package static let largestAnswer = 1 << 30
}

/// Riptide's version, the same for the daemon and the command line.
package enum Release {
    package static let version = "0.1.0"
}
