import Glibc

/// Why the data plane could not be set up or changed, and what to do.
package struct DataPlaneError: Error, CustomStringConvertible {
    package let operation: String
    /// A positive errno; 0 if the kernel did not refuse.
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
