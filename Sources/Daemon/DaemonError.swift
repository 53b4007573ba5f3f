/// Why the daemon cannot start or go on, and what to do.
package struct DaemonError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
