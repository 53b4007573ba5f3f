import Glibc
package import NIOCore

/// Who is at the other end of a Unix socket's connection, as the kernel says: credentials at the time of `connect`.
///
/// The corresponding socket option is `SO_PEERCRED`; see unix(7). The layout is that of `struct ucred`.
package struct PeerCredentials: Hashable, Sendable {
    package var pid: Int32
    package var uid: UInt32
    package var gid: UInt32

    package init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }

    /// `nil`: the channel is not of a socket.
    package static func of(_ channel: any Channel) async throws -> PeerCredentials? {
        guard let socket = channel as? any SocketOptionProvider else { return nil }
        return try await socket.unsafeGetSocketOption(level: .socket, name: .so_peercred).get()
    }
}

extension NIOBSDSocket.Option {
    fileprivate static var so_peercred: NIOBSDSocket.Option { NIOBSDSocket.Option(rawValue: SO_PEERCRED) }
}

/// Which users may use the control socket.
package struct PeerPolicy: Sendable {
    package var permits: @Sendable (PeerCredentials) -> Bool

    package init(permits: @escaping @Sendable (PeerCredentials) -> Bool) { self.permits = permits }

    /// Root, and the user that the daemon runs as.
    package static let rootAndSelf = PeerPolicy { $0.uid == 0 || $0.uid == getuid() }
}
