import CLibBPF
import Glibc

/// The sums over all CPUs of a per-CPU array of numbers, many read by one system call: for who reads them after each packet.
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

    /// Calls `body` with each element of `range` and its sum.
    package func read(_ range: Range<Int>, _ body: (Int, UInt64) -> Void) throws(BPFError) {
        precondition(!range.isEmpty && range.lowerBound >= 0 && range.upperBound <= count)
        // The kernel begins behind the key that it is given.
        var (before, next, read) = (UInt32(truncatingIfNeeded: range.lowerBound - 1), UInt64(0), UInt32(range.count))
        let number = array.raw.number
        let result = withUnsafeMutablePointer(to: &before) {
            bpf_map_lookup_batch(number, range.lowerBound == 0 ? nil : $0, &next, keys, values, &read, nil)
        }
        // The end of the map is told as an error, beside what was read up to there.
        if result < 0 && errno != ENOENT { _ = try check("read map \(array.name)") { result } }
        guard read == range.count else {
            throw BPFError("read map \(array.name)", code: EIO, detail: "\(read) of \(range.count) elements came")
        }
        for index in 0..<range.count {
            body(range.lowerBound + index, (0..<cpus).reduce(0) { $0 &+ values[index * cpus + $1] })
        }
    }
}
