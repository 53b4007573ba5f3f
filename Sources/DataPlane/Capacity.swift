import DataPlaneABI
import LoadBalancing

/// How large the maps are whose size follows the configuration.
struct Capacity: Equatable {
    /// Places for flows: whole buckets.
    var flows: Int
    var persistence: Int
    /// Real servers, number 0 included.
    var servers: Int
    /// Elements of the map `slots`.
    var slotElements: Int

    /// What the services need, with room to change them without making the maps anew.
    init(settings: DataPathSettings, services: [VirtualService]) {
        let ways = Int(RIPTIDE_WAYS)
        flows = (settings.flows + ways - 1) / ways * ways
        persistence = settings.persistence
        let servers = services.reduce(1) { $0 + $1.servers.count }
        self.servers = min(Self.powerOfTwo(atLeast: max(256, servers * 2)), Int(RIPTIDE_MAX_SERVERS) + 1)
        let slots = services.reduce(0) { sum, service in
            sum + ServiceRuns.largestSize(of: service)
        }
        slotElements = max(16384, slots / Int(RIPTIDE_SLOTS_PER_ELEMENT) * 3 / 2)
    }

    /// Whether maps of this size serve where `needed` is asked for. Tables that hold flows must have just the size that is
    /// configured; the others may be larger.
    func suffices(for needed: Capacity) -> Bool {
        flows == needed.flows && persistence == needed.persistence && servers >= needed.servers
            && slotElements >= needed.slotElements
    }

    /// The larger of both where larger does no harm.
    func grown(to needed: Capacity) -> Capacity {
        var result = needed
        result.servers = max(servers, needed.servers)
        result.slotElements = max(slotElements, needed.slotElements)
        return result
    }

    /// A place for each second flow that may begin at once: a power of two, for the mask.
    var halfOpen: Int { min(1 << 20, Self.powerOfTwo(atLeast: max(1024, flows / 2))) }

    var flowBuckets: Int { flows / Int(RIPTIDE_WAYS) }

    /// The sizes by map; maps that are not named keep the object's own.
    var sizes: [String: Int] {
        [
            "flows": flows, "flow_buckets": flowBuckets, "persistence": persistence, "half_open": halfOpen, "real_servers": servers,
            "server_loads": servers, "recount": servers, "server_traffic": servers, "slots": slotElements,
        ]
    }

    static func powerOfTwo(atLeast number: Int) -> Int {
        var power = 1
        while power < number { power *= 2 }
        return power
    }
}
