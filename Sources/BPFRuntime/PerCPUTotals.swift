import CLibBPF
import Glibc

/// The sums over all CPUs of a per-CPU array of numbers, read whole by one system call: for who reads them after each packet.
package struct PerCPUTotals: ~Copyable {
    private let array: PerCPUArray<UInt64>
    private let keys: UnsafeMutablePointer<UInt32>
    private let values: UnsafeMutablePointer<UInt64>
    private let cpus: Int
    package let count: Int

    package init(_ array: consuming PerCPUArray<UInt64>) throws(BPFError) {
        cpus = Int(try check("count the CPUs") { libbpf_num_possible_cpus() })
        count = array.capacity
        keys = .allocate(capacity: count)
        values = .allocate(capacity: count * cpus)
        self.array = array
    }

    deinit {
        keys.deallocate()
        values.deallocate()
    }

    /// Stores the sum of each element, in order; `totals` must have room for `count`.
    package func read(into totals: UnsafeMutablePointer<UInt64>) throws(BPFError) {
        var (read, next) = (UInt32(count), UInt64(0))
        let number = array.raw.number
        let result = bpf_map_lookup_batch(number, nil, &next, keys, values, &read, nil)
        // The end of the map is told as an error, beside what was read up to there.
        if result < 0 && errno != ENOENT { _ = try check("read map \(array.name)") { result } }
        guard read == count else {
            throw BPFError("read map \(array.name)", code: EIO, detail: "\(read) of \(count) elements came")
        }
        for index in 0..<count {
            totals[index] = (0..<cpus).reduce(0) { $0 &+ values[index * cpus + $1] }
        }
    }
}
