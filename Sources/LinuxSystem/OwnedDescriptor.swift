internal import Glibc

/// A file descriptor with one owner, closed when the owner goes.
///
/// The corresponding C function is `close`.
package struct OwnedDescriptor: ~Copyable, Sendable {
    /// Valid for as long as this value lives.
    package let rawValue: Int32

    /// Takes the descriptor over: nobody else may close it.
    package init(_ rawValue: Int32) {
        precondition(rawValue >= 0, "not a descriptor")
        self.rawValue = rawValue
    }

    /// Gives the descriptor away, unclosed.
    package consuming func release() -> Int32 {
        let descriptor = rawValue
        discard self
        return descriptor
    }

    // On Linux the descriptor is gone even if close fails, so there is nothing to retry and nobody to tell.
    deinit { _ = Glibc.close(rawValue) }
}
