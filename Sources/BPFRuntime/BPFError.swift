import Glibc

/// What the kernel or libbpf refused, in words: the operation and its object, the error, the end of the verifier's log where
/// there is one, and what to do about it.
package struct BPFError: Error, CustomStringConvertible {
    package let operation: String
    /// The positive errno; 0 if the kernel was not asked.
    package let code: Int32
    package let detail: String
    package let cure: String

    package init(_ operation: String, code: Int32 = 0, detail: String = "", cure: String = "") {
        self.operation = operation
        self.code = code
        self.detail = detail
        self.cure = cure
    }

    package var description: String {
        var text = operation
        if code != 0 { text += ": \(String(cString: strerror(code))) (errno \(code))" }
        if !detail.isEmpty { text += ": \(detail)" }
        if !cure.isEmpty { text += "; \(cure)" }
        return text
    }
}

/// Runs a call that answers as libbpf does: 0 or more, or a negative errno (or -1 with errno set).
func check(_ operation: @autoclosure () -> String, cure: String = "", _ body: () -> Int32) throws(BPFError) -> Int32 {
    errno = 0
    let result = body()
    if result >= 0 { return result }
    throw BPFError(operation(), code: result == -1 && errno != 0 ? errno : -result, cure: cure)
}
