/// Why a helper could not do its part, in words that a test's report shows as they are.
package struct TestFailure: Error, CustomStringConvertible, Sendable {
    package let description: String
    package init(_ description: String) { self.description = description }
}
