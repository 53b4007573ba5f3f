/// Why the daemon gave no usable answer. What it answers itself is an `APIProblem`.
package struct ControlFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// No daemon answers at the socket.
        case unreachable
        /// The connection broke, or the answer took too long.
        case interrupted
        /// The answer is not of this API.
        case unreadable
    }

    package var kind: Kind
    /// The operation and the object.
    package var message: String
    package var cure: String
    /// Of the system call that failed, where one did.
    package var errno: Int32?

    package init(_ kind: Kind, message: String, cure: String, errno: Int32? = nil) {
        self.kind = kind
        self.message = message
        self.cure = cure
        self.errno = errno
    }

    package var description: String { "\(message) (\(cure))" }
}
