import BPFRuntime
import DataPlaneABI

/// The maps and programs of one load of the object, with their types.
final class LoadedObject {
    let flows: Map<UInt32, flow>
    let flowBuckets: Map<UInt32, flow_bucket>
    let translations: Map<UInt32, translation>
    let adopted: MappedArray<adopted>
    let persistence: Map<persistence_key, persistence>
    let vips: MappedArray<vip>
    let services: MappedArray<service>
    let interfaces: MappedArray<interface>
    let sourcePools: Map<UInt32, source_pool>
    let clientRules: Map<client_rule_key, UInt32>
    let portRanges: MappedArray<port_range>
    let slots: MappedArray<slots>
    let realServers: MappedArray<real_server>
    let serverLoads: MappedArray<server_load>
    let recount: MappedArray<server_load>
    let node: MappedArray<node>
    let serverTraffic: PerCPUArray<server_traffic>
    let serviceTraffic: PerCPUArray<service_traffic>
    let counters: PerCPUArray<UInt64>
    let program: Program
    let tableEvents: PerCPUArray<table_events>
    let sweep: Program
    let adopt: Program
    let clock: Program
    let capacity: Capacity

    init(_ object: borrowing BPFObject, capacity: Capacity) throws {
        func mapped<Element: BitwiseCopyable>(_ name: String, _: Element.Type) throws -> MappedArray<Element> {
            let map: Map<UInt32, Element> = try object.map(name)
            return try map.mapped()
        }
        flows = try object.map("flows")
        flowBuckets = try object.map("flow_buckets")
        translations = try object.map("translations")
        adopted = try mapped("adopted", DataPlaneABI.adopted.self)
        persistence = try object.map("persistence")
        vips = try mapped("vips", vip.self)
        services = try mapped("services", service.self)
        interfaces = try mapped("interfaces", interface.self)
        sourcePools = try object.map("source_pools")
        clientRules = try object.map("client_rules")
        portRanges = try mapped("port_ranges", port_range.self)
        slots = try mapped("slots", DataPlaneABI.slots.self)
        realServers = try mapped("real_servers", real_server.self)
        serverLoads = try mapped("server_loads", server_load.self)
        recount = try mapped("recount", server_load.self)
        node = try mapped("node", DataPlaneABI.node.self)
        serverTraffic = try PerCPUArray(object.anyMap("server_traffic"), name: "server_traffic")
        serviceTraffic = try PerCPUArray(object.anyMap("service_traffic"), name: "service_traffic")
        counters = try PerCPUArray(object.anyMap("counters"), name: "counters")
        program = try object.program("riptide")
        tableEvents = try PerCPUArray(object.anyMap("table_events"), name: "table_events")
        sweep = try object.program("sweep")
        adopt = try object.program("adopt")
        clock = try object.program("clock")
        self.capacity = capacity
    }
}

extension LoadedObject {
    /// Enters the first `count` flows of `adopted` into the table.
    func adoptFlows(_ count: Int) throws {
        guard count > 0 else { return }
        var adoption = adoption(count: UInt32(count), reserved: 0)
        try adopt.call(&adoption)
    }
}

extension MappedArray<service> {
    /// The numbers that services have.
    var numbers: [UInt32] { (1..<count).filter { self[$0].mode != 0 }.map(UInt32.init) }

    /// The service of this number; `nil` if there is none.
    func service(_ number: UInt32) -> service? {
        let entry = self[Int(number)]
        return entry.mode == 0 ? nil : entry
    }
}

extension MappedArray {
    /// Stores the words in which `value` differs from the element, each by one store that the data plane sees whole, the first
    /// last: what says that the rest is valid comes before it in the element. Answers whether there were any.
    func store(_ value: Element, at index: Int) -> Bool {
        precondition((0..<count).contains(index) && MemoryLayout<Element>.stride % 8 == 0)
        return withUnsafeBytes(of: value) { fresh in
            let element = UnsafeMutableRawPointer(base + index)
            var changed = false
            for offset in stride(from: 0, to: MemoryLayout<Element>.stride, by: 8).reversed() {
                let word = fresh.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                guard element.load(fromByteOffset: offset, as: UInt64.self) != word else { continue }
                element.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
                changed = true
            }
            return changed
        }
    }
}
