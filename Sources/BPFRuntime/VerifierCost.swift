import CLibBPF
import Glibc

/// What a program costs the kernel's verifier, and what it comes to.
package struct VerifierCost: Codable, Hashable, Sendable {
    /// Instructions that the verifier walked, on all paths; the kernel refuses a million.
    package var processed: Int
    /// Of the program as it is translated for running, all of its functions together.
    package var instructions: Int
    /// Octets of stack of the function that takes most; a chain of calls may take 512.
    package var stack: Int

    package init(processed: Int, instructions: Int, stack: Int) {
        self.processed = processed
        self.instructions = instructions
        self.stack = stack
    }
}

/// Where the verifier writes its statistics of one program.
struct VerifierLog: ~Copyable {
    private let text: UnsafeMutablePointer<CChar>
    private static let size = 1 << 16
    /// BPF_LOG_STATS of the kernel: figures and no walk.
    private static let level: UInt32 = 4

    /// To be done before the program is loaded, and to be kept until it has been.
    init(of program: OpaquePointer) throws(BPFError) {
        text = .allocate(capacity: Self.size)
        text.initialize(repeating: 0, count: Self.size)
        let name = String(cString: bpf_program__name(program))
        let buffer = text
        _ = try check("give program \(name) a log") { bpf_program__set_log_buf(program, buffer, Self.size) }
        _ = try check("set the log level of program \(name)") { bpf_program__set_log_level(program, Self.level) }
    }

    deinit { text.deallocate() }

    /// The figures of the program, which has been loaded.
    func cost(of program: OpaquePointer) throws(BPFError) -> VerifierCost {
        var information = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        _ = try check("read the description of program \(String(cString: bpf_program__name(program)))") {
            bpf_obj_get_info_by_fd(bpf_program__fd(program), &information, &size)
        }
        return VerifierCost(
            processed: Int(information.verified_insns), instructions: Int(information.xlated_prog_len) / 8,
            stack: try deepestStack())
    }

    /// The line `stack depth 152+40+8` has a number for each function.
    private func deepestStack() throws(BPFError) -> Int {
        let mark = "stack depth "
        for line in String(cString: text).split(separator: "\n") where line.hasPrefix(mark) {
            if let deepest = line.dropFirst(mark.count).split(separator: "+").compactMap({ Int($0) }).max() { return deepest }
        }
        throw BPFError("read the verifier's statistics", detail: "this kernel's have no line '\(mark)…'")
    }
}
