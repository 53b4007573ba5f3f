import CLibBPF
import Glibc

/// A map of which only the kernel knows the types.
package struct AnyMap: ~Copyable {
    let descriptor: Descriptor
    package let information: MapInformation

    init(_ descriptor: consuming Descriptor) throws(BPFError) {
        var raw = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        let number = descriptor.number
        _ = try check("read the description of a map") { bpf_obj_get_info_by_fd(number, &raw, &size) }
        self.descriptor = descriptor
        self.information = MapInformation(raw)
    }

    /// The map pinned at `path`; `nil` if nothing is.
    package static func pinned(at path: String) throws(BPFError) -> AnyMap? {
        let number = bpf_obj_get(path)
        if number < 0 && errno == ENOENT { return nil }
        return try AnyMap(Descriptor(try check("open the pinned map \(path)") { number }))
    }

    /// The map with the kernel's number for it; `nil` if it is gone.
    package static func numbered(_ id: UInt32) throws(BPFError) -> AnyMap? {
        let number = bpf_map_get_fd_by_id(id)
        if number < 0 && errno == ENOENT { return nil }
        return try AnyMap(Descriptor(try check("open map \(id)") { number }))
    }

    package var number: Int32 { descriptor.number }

    /// Pins the map, in place of what may be pinned there.
    package func pin(at path: String) throws(BPFError) {
        let fresh = path + "-new"
        unlink(fresh)
        let number = descriptor.number
        _ = try check("pin a map at \(path)", cure: "is the folder on a BPF file system?") { bpf_obj_pin(number, fresh) }
        guard rename(fresh, path) == 0 else { throw BPFError("pin a map at \(path)", code: errno) }
    }

    /// Kernel memory that the map is charged with, in bytes.
    package func memory() -> Int {
        guard let text = readFile("/proc/self/fdinfo/\(descriptor.number)") else { return 0 }
        for line in text.split(separator: "\n") where line.hasPrefix("memlock:") {
            return Int(line.dropFirst("memlock:".count).filter(\.isNumber)) ?? 0
        }
        return 0
    }

    /// Copies what this map holds into another of the same types, which may have another size. Where the other has an entry
    /// already, the one with the later time is kept; without `time`, this map's. Of an array that is longer, the end is left
    /// out; a full LRU hash forgets what it has not seen for longest.
    ///
    /// - Parameter time: the offset of a 64-bit time in a hash's values.
    package func copy(into other: borrowing AnyMap, time: Int? = nil) throws(BPFError) {
        let (from, to) = (information, other.information)
        guard from.keySize == to.keySize, from.valueSize == to.valueSize, from.type == to.type else {
            throw BPFError("copy map \(from.name)", code: EINVAL, detail: "the layouts differ")
        }
        let stride = from.valueStride
        var (key, value) = ([UInt8](repeating: 0, count: from.keySize), [UInt8](repeating: 0, count: stride))
        if from.isArray {
            for index in 0..<UInt32(min(from.capacity, to.capacity)) {
                var index = index
                _ = try check("read map \(from.name)") { bpf_map_lookup_elem(number, &index, &value) }
                _ = try check("write map \(to.name)") { bpf_map_update_elem(other.number, &index, &value, 0) }
            }
            return
        }
        var (next, there) = (key, value)
        var hasKey = bpf_map_get_next_key(number, nil, &next) == 0
        while hasKey {
            key = next
            if bpf_map_lookup_elem(number, &key, &value) == 0 {
                let isKnown = time != nil && bpf_map_lookup_elem(other.number, &key, &there) == 0
                if !isKnown || Self.time(in: value, at: time!) > Self.time(in: there, at: time!) {
                    _ = bpf_map_update_elem(other.number, &key, &value, UInt64(BPF_ANY))
                }
            }
            hasKey = bpf_map_get_next_key(number, &key, &next) == 0
        }
    }
}

extension AnyMap {
    private static func time(in value: [UInt8], at offset: Int) -> UInt64 {
        value.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
    }
}

/// What the kernel says of a map.
package struct MapInformation: Sendable {
    package let id: UInt32
    package let name: String
    package let capacity: Int
    package let keySize: Int
    package let valueSize: Int
    let type: UInt32

    init(_ raw: bpf_map_info) {
        id = raw.id
        name = withUnsafeBytes(of: raw.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        capacity = Int(raw.max_entries)
        keySize = Int(raw.key_size)
        valueSize = Int(raw.value_size)
        type = raw.type
    }

    var isPerCPU: Bool {
        type == BPF_MAP_TYPE_PERCPU_ARRAY.rawValue || type == BPF_MAP_TYPE_PERCPU_HASH.rawValue
            || type == BPF_MAP_TYPE_LRU_PERCPU_HASH.rawValue
    }

    var isArray: Bool { type == BPF_MAP_TYPE_ARRAY.rawValue || type == BPF_MAP_TYPE_PERCPU_ARRAY.rawValue }

    /// What one value takes in user space.
    var valueStride: Int {
        isPerCPU ? ((valueSize + 7) & ~7) * Int(libbpf_num_possible_cpus()) : valueSize
    }
}

func readFile(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = fread(&chunk, 1, chunk.count, file)
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += chunk[..<count]
    }
}

/// How many CPUs this machine can have: so many values an element of a per-CPU map has.
package var possibleCPUs: Int { max(1, Int(libbpf_num_possible_cpus())) }
