import CLibBPF
import Glibc

/// An array map that holds one value for each possible CPU.
package struct PerCPUArray<Value: BitwiseCopyable>: ~Copyable {
    package let raw: AnyMap
    package let name: String
    private let cpus: Int

    package init(_ raw: consuming AnyMap, name: String) throws(BPFError) {
        guard raw.information.isPerCPU, raw.information.valueSize == MemoryLayout<Value>.size else {
            throw BPFError("use map \(name)", code: EINVAL, detail: "it is not a per-CPU array of \(Value.self)")
        }
        cpus = Int(try check("count the CPUs") { libbpf_num_possible_cpus() })
        self.raw = raw
        self.name = name
    }

    package var capacity: Int { raw.information.capacity }

    private var stride: Int { (MemoryLayout<Value>.size + 7) & ~7 }

    /// The values of all CPUs.
    package func values(at index: Int) throws(BPFError) -> [Value] {
        var bytes = [UInt8](repeating: 0, count: stride * cpus)
        var key = UInt32(index)
        _ = try check("read map \(name)") { bpf_map_lookup_elem(raw.number, &key, &bytes) }
        return bytes.withUnsafeBytes { buffer in
            (0..<cpus).map { buffer.loadUnaligned(fromByteOffset: $0 * stride, as: Value.self) }
        }
    }

    /// Sets the value of every CPU.
    package func set(_ value: Value, at index: Int) throws(BPFError) {
        var bytes = [UInt8](repeating: 0, count: stride * cpus)
        bytes.withUnsafeMutableBytes { buffer in
            for cpu in 0..<cpus { buffer.storeBytes(of: value, toByteOffset: cpu * stride, as: Value.self) }
        }
        var key = UInt32(index)
        _ = try check("write map \(name)") { bpf_map_update_elem(raw.number, &key, &bytes, 0) }
    }
}
