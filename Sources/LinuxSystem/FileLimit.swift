internal import Glibc

/// How many files this process may have open.
package struct FileLimit: Sendable, Equatable {
    package let before: UInt64
    package let now: UInt64

    package init(before: UInt64, now: UInt64) {
        self.before = before
        self.now = now
    }
}

/// Raises the limit of open files to the hard limit, which may itself be low (under some supervisors 20 000): the caller
/// should say what it got and size its tables by it.
///
/// The corresponding C function is `setrlimit`.
package func raiseFileLimit() throws(SystemError) -> FileLimit {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
        throw SystemError(.limit, "read", "the limit of open files", errno: errno)
    }
    let before = UInt64(limit.rlim_cur)
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw SystemError(.limit, "raise to \(limit.rlim_max)", "the limit of open files", errno: errno)
        }
    }
    return FileLimit(before: before, now: UInt64(limit.rlim_cur))
}
