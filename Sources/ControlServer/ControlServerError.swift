/// Why the control socket cannot be served.
package struct ControlServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was tried, and on what.
    package var operation: String
    package var reason: String
    package var cure: String
    package var errno: Int32

    package var description: String { "\(operation): \(reason) (\(cure))" }
}
