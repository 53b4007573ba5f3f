import CLibBPF
import Glibc

/// A loaded program.
package struct Program: ~Copyable {
    let descriptor: Descriptor
    package let name: String
    /// The kernel's number for it, as `bpftool prog` shows.
    package let id: UInt32

    init(_ descriptor: consuming Descriptor, name: String) throws(BPFError) {
        var information = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        let number = descriptor.number
        _ = try check("read the description of program \(name)") {
            bpf_obj_get_info_by_fd(number, &information, &size)
        }
        self.descriptor = descriptor
        self.name = name
        id = information.id
    }

    package var number: Int32 { descriptor.number }

    /// What became of a packet.
    package struct TestResult: Sendable {
        /// XDP_* of <linux/bpf.h>.
        package let action: UInt32
        package let packet: [UInt8]
        /// Nanoseconds for one run.
        package let duration: Int
    }

    /// Runs an XDP program on a packet that seems to come in by the loopback interface (index 1), without sending it anywhere.
    /// With `repetitions` the packet keeps what each run made of it.
    package func test(_ packet: [UInt8], repetitions: Int = 1) throws(BPFError) -> TestResult {
        var out = [UInt8](repeating: 0, count: packet.count + 512)
        var run = clibbpf_run()
        let number = descriptor.number
        let result = packet.withUnsafeBytes { input in
            out.withUnsafeMutableBytes { output in
                run.in = input.baseAddress
                run.in_size = UInt32(input.count)
                run.out = output.baseAddress
                run.out_size = UInt32(output.count)
                run.repeat = UInt32(repetitions)
                return clibbpf_run_xdp(number, &run)
            }
        }
        _ = try check("run program \(name) on a packet") { result }
        return TestResult(action: run.result, packet: Array(out[..<Int(run.out_size)]), duration: Int(run.duration))
    }

    /// Runs an XDP program on `count` frames that are really sent where it redirects them, as fast as this CPU can.
    package func send(_ packet: [UInt8], count: Int, from interface: UInt32) throws(BPFError) {
        let number = descriptor.number
        let result = packet.withUnsafeBytes {
            clibbpf_run_xdp_live(number, $0.baseAddress, UInt32($0.count), interface, UInt32(count))
        }
        _ = try check("send frames by program \(name)") { result }
    }

    /// Runs a program of the section "syscall" on a value that it may change.
    package func call<Context: BitwiseCopyable>(_ context: inout Context) throws(BPFError) {
        let number = descriptor.number
        let result = withUnsafeMutableBytes(of: &context) {
            clibbpf_run_syscall(number, $0.baseAddress, UInt32($0.count))
        }
        _ = try check("run program \(name)") { result }
    }
}
