import CLibBPF
import Glibc

/// An object file: maps and programs, first only opened, so that it can still be configured, then loaded.
package struct BPFObject: ~Copyable {
    private let object: OpaquePointer
    private let name: String

    /// Opens the object; nothing is created in the kernel yet.
    package init(bytes: [UInt8], name: String) throws(BPFError) {
        clibbpf_log_begin()
        guard let object = bytes.withUnsafeBytes({ clibbpf_object_open($0.baseAddress, $0.count, name) }) else {
            throw BPFError("open BPF object \(name)", code: errno, detail: Self.log())
        }
        self.object = object
        self.name = name
    }

    deinit { bpf_object__close(object) }

    private static func log() -> String {
        guard let text = clibbpf_log_take() else { return "" }
        defer { free(text) }
        // The end of a verifier log tells what is wrong; the rest is how it got there.
        return String(cString: text).split(separator: "\n").suffix(12).joined(separator: "\n")
    }

    private func rawMap(_ map: String) throws(BPFError) -> OpaquePointer {
        guard let pointer = bpf_object__find_map_by_name(object, map) else {
            throw BPFError("find map \(map) in BPF object \(name)", code: ENOENT)
        }
        return pointer
    }

    /// The names of the maps that the object declares; those of its read-only data are left out.
    package var mapNames: [String] {
        var names: [String] = []
        var map: OpaquePointer? = bpf_object__next_map(object, nil)
        while let current = map {
            if !bpf_map__is_internal(current) { names.append(String(cString: bpf_map__name(current))) }
            map = bpf_object__next_map(object, current)
        }
        return names
    }

    /// How many entries the map will have, or has.
    package func capacity(of map: String) throws(BPFError) -> Int {
        Int(bpf_map__max_entries(try rawMap(map)))
    }

    /// Whether a map that exists has keys and values of the size that the object declares.
    package func hasLayout(of existing: borrowing AnyMap, map: String) throws(BPFError) -> Bool {
        let pointer = try rawMap(map)
        return existing.information.keySize == Int(bpf_map__key_size(pointer))
            && existing.information.valueSize == Int(bpf_map__value_size(pointer))
    }

    /// Sets the number of entries. Before `load` only.
    package func setCapacity(_ entries: Int, of map: String) throws(BPFError) {
        let pointer = try rawMap(map)
        _ = try check("set the size of map \(map)") { bpf_map__set_max_entries(pointer, UInt32(entries)) }
    }

    /// Makes the object use a map that exists instead of creating its own. Before `load` only.
    package func reuse(_ existing: borrowing AnyMap, as map: String) throws(BPFError) {
        let pointer = try rawMap(map)
        let number = existing.number
        _ = try check("reuse the pinned map \(map)") { bpf_map__reuse_fd(pointer, number) }
    }

    /// Writes a variable that is alone in a section `.rodata.NAME`. Before `load` only.
    package func setConstant<Value: BitwiseCopyable>(_ value: Value, section: String) throws(BPFError) {
        var map: OpaquePointer? = bpf_object__next_map(object, nil)
        while let current = map {
            // libbpf cuts and prefixes the names of such maps; the end of the section's name remains.
            if bpf_map__is_internal(current), String(cString: bpf_map__name(current)).hasSuffix(section) {
                let result = withUnsafeBytes(of: value) {
                    bpf_map__set_initial_value(current, $0.baseAddress, $0.count)
                }
                _ = try check("set \(section) of BPF object \(name)") { result }
                return
            }
            map = bpf_object__next_map(object, current)
        }
        throw BPFError("find section \(section) in BPF object \(name)", code: ENOENT)
    }

    /// Creates the maps and has the kernel verify the programs, or the one program that is named.
    package func load(only wanted: String? = nil) throws(BPFError) {
        var program: OpaquePointer? = bpf_object__next_program(object, nil)
        while let current = program {
            let isWanted = wanted == nil || String(cString: bpf_program__name(current)) == wanted
            bpf_program__set_autoload(current, isWanted)
            program = bpf_object__next_program(object, current)
        }
        clibbpf_log_begin()
        let result = bpf_object__load(object)
        let log = Self.log()
        guard result == 0 else {
            throw BPFError(
                "load BPF object \(name)", code: -result, detail: log,
                cure: -result == EPERM ? "run as root, or with CAP_BPF and CAP_NET_ADMIN" : "")
        }
    }

    /// As ``load(only:)``; answers what each program cost. (Where it fails, it does not tell why: `load` does.)
    package func loadMeasured() throws(BPFError) -> [String: VerifierCost] {
        var costs: [String: VerifierCost] = [:]
        try measure(bpf_object__next_program(object, nil), &costs)
        return costs
    }

    /// Gives the program and those behind it a log, loads, and reads the logs on its way back.
    private func measure(_ program: OpaquePointer?, _ costs: inout [String: VerifierCost]) throws(BPFError) {
        guard let program else { return try load() }
        let log = try VerifierLog(of: program)
        try measure(bpf_object__next_program(object, program), &costs)
        costs[String(cString: bpf_program__name(program))] = try log.cost(of: program)
    }

    /// A loaded map. Its key and value types are the caller's word for it; their sizes are checked.
    package func map<Key, Value>(
        _ map: String, key: Key.Type = Key.self, value: Value.Type = Value.self
    ) throws(BPFError) -> Map<Key, Value> {
        try Map(AnyMap(Descriptor(duplicating: bpf_map__fd(try rawMap(map)))), name: map)
    }

    package func anyMap(_ map: String) throws(BPFError) -> AnyMap {
        try AnyMap(Descriptor(duplicating: bpf_map__fd(try rawMap(map))))
    }

    package func program(_ program: String) throws(BPFError) -> Program {
        guard let pointer = bpf_object__find_program_by_name(object, program) else {
            throw BPFError("find program \(program) in BPF object \(name)", code: ENOENT)
        }
        return try Program(Descriptor(duplicating: bpf_program__fd(pointer)), name: program)
    }
}
