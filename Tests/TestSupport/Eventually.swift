internal import Glibc

/// Polls until the condition holds; throws with the description once the time is over. The condition is tried at least
/// once, and once more at the deadline. Blocks the thread.
package func eventually(
    within limit: Duration = .seconds(5), every interval: Duration = .milliseconds(10), _ description: String,
    _ condition: () throws -> Bool
) throws {
    let deadline = ContinuousClock.now + limit
    while true {
        let isOver = ContinuousClock.now >= deadline
        if try condition() { return }
        if isOver { throw TestFailure("not within \(limit): \(description)") }
        usleep(UInt32(interval / .microseconds(1)))
    }
}

/// ``eventually(within:every:_:_:)`` for async code: the thread is free between polls. A name of its own, because the compiler
/// takes the blocking one where the condition awaits nothing.
package func eventuallyAsync(
    within limit: Duration = .seconds(5), every interval: Duration = .milliseconds(10), _ description: String,
    isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while true {
        let isOver = ContinuousClock.now >= deadline
        if try await condition() { return }
        if isOver { throw TestFailure("not within \(limit): \(description)") }
        try await Task.sleep(for: interval)
    }
}
