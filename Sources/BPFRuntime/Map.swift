import CLibBPF
import Glibc

/// A hash or array map with the types of its keys and values. Padding must be named in them: Swift does not copy it.
package struct Map<Key: BitwiseCopyable, Value: BitwiseCopyable>: ~Copyable {
    package let raw: AnyMap
    package let name: String

    package init(_ raw: consuming AnyMap, name: String) throws(BPFError) {
        let information = raw.information
        guard information.keySize == MemoryLayout<Key>.size, information.valueSize == MemoryLayout<Value>.stride else {
            throw BPFError(
                "use map \(name)", code: EINVAL,
                detail: "keys of \(information.keySize) and values of \(information.valueSize) bytes are not \(Key.self) and "
                    + "\(Value.self)")
        }
        self.raw = raw
        self.name = name
    }

    package var capacity: Int { raw.information.capacity }

    package func value(for key: Key) throws(BPFError) -> Value? {
        try withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { buffer throws(BPFError) -> Value? in
            var key = key
            let result = bpf_map_lookup_elem(raw.number, &key, buffer.baseAddress)
            if result < 0 && errno == ENOENT { return nil }
            _ = try check("read map \(name)") { result }
            return buffer[0]
        }
    }

    package func set(_ value: Value, for key: Key) throws(BPFError) {
        var (key, value) = (key, value)
        _ = try check("write map \(name)", cure: "the map may be full (\(capacity) entries)") {
            bpf_map_update_elem(raw.number, &key, &value, UInt64(BPF_ANY))
        }
    }

    /// Whether there was such a key.
    @discardableResult
    package func remove(_ key: Key) throws(BPFError) -> Bool {
        var key = key
        let result = bpf_map_delete_elem(raw.number, &key)
        if result < 0 && errno == ENOENT { return false }
        _ = try check("delete from map \(name)") { result }
        return true
    }

    /// Every entry once, in no order, thousands with one system call. Entries that come or go meanwhile may be missed.
    /// The body may delete the entry that it is given; it ends the walk by answering `false`.
    package func forEach<Failure: Error>(_ body: (Key, Value) throws(Failure) -> Bool) throws {
        let batch = min(capacity, 4096)
        let keys = UnsafeMutablePointer<Key>.allocate(capacity: batch)
        let values = UnsafeMutablePointer<Value>.allocate(capacity: batch)
        defer {
            keys.deallocate()
            values.deallocate()
        }
        // The position is a bucket's number for hashes and a key for arrays: four bytes either way, but never more than a key.
        var position = [UInt8](repeating: 0, count: max(8, MemoryLayout<Key>.size))
        var next = position
        var started = false
        while true {
            var count = UInt32(batch)
            let result = position.withUnsafeMutableBytes { from in
                next.withUnsafeMutableBytes { to in
                    bpf_map_lookup_batch(
                        raw.number, started ? from.baseAddress : nil, to.baseAddress, keys, values, &count, nil)
                }
            }
            let ended = result < 0 && errno == ENOENT
            if result < 0 && !ended { _ = try check("read map \(name)") { result } }
            for index in 0..<Int(count) where try !body(keys[index], values[index]) { return }
            if ended { return }
            (position, started) = (next, true)
        }
    }
}

extension Map where Key == UInt32 {
    /// The array's memory, shared with the kernel. The map must be of the mmapable kind.
    package func mapped() throws(BPFError) -> MappedArray<Value> {
        try MappedArray(number: raw.number, count: capacity, name: name)
    }
}

/// An array map's elements as memory: a store is seen by the data plane at once, without a system call.
package struct MappedArray<Element: BitwiseCopyable>: ~Copyable {
    package let base: UnsafeMutablePointer<Element>
    package let count: Int
    private let length: Int

    init(number: Int32, count: Int, name: String) throws(BPFError) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        length = (count * MemoryLayout<Element>.stride + page - 1) / page * page
        let memory = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED, number, 0)
        guard let memory, memory != MAP_FAILED else {
            throw BPFError("map the memory of \(name)", code: errno)
        }
        base = memory.bindMemory(to: Element.self, capacity: count)
        self.count = count
    }

    deinit { munmap(base, length) }

    package subscript(index: Int) -> Element {
        get {
            precondition((0..<count).contains(index))
            return base[index]
        }
        nonmutating set {
            precondition((0..<count).contains(index))
            base[index] = newValue
        }
    }
}
