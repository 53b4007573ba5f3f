import DataPlaneABI
import LoadBalancing

/// How large the maps are whose size follows the configuration.
struct Capacity: Equatable {
    /// Places for flows: whole groups of buckets.
    var flows: Int
    /// Whether flows are translated: in the modes nat and snat.
    var isTranslating: Bool
    var persistence: Int
    /// Real servers, number 0 included.
    var servers: Int
    /// Elements of the map `slots`.
    var slotElements: Int

    /// What the services need, with room to change them without making the maps anew.
    init(settings: DataPathSettings, services: [VirtualService]) {
        let group = Int(RIPTIDE_WAYS * RIPTIDE_BUCKET_GROUP)
        flows = (settings.flows + group - 1) / group * group
        persistence = settings.persistence
        isTranslating = services.contains(where: \.mode.isTranslating)
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
        flows == needed.flows && (isTranslating || !needed.isTranslating) && persistence == needed.persistence && servers >= needed.servers
            && slotElements >= needed.slotElements
    }

    /// The larger of both where larger does no harm.
    func grown(to needed: Capacity) -> Capacity {
        var result = needed
        result.isTranslating = isTranslating || needed.isTranslating
        result.servers = max(servers, needed.servers)
        result.slotElements = max(slotElements, needed.slotElements)
        return result
    }

    /// A place for each second flow that may begin at once: a power of two, for the mask.
    var halfOpen: Int { min(1 << 20, Self.powerOfTwo(atLeast: max(1024, flows / 2))) }

    var flowBuckets: Int { flows / Int(RIPTIDE_WAYS) }

    /// Places for beginnings of translated flows, behind the others: a quarter as many, up to 262 144.
    var beginnings: Int {
        guard isTranslating else { return 0 }
        let ways = Int(RIPTIDE_WAYS)
        return min(262_144, max(1024, flows / 4)) / ways * ways
    }
    var beginningBuckets: Int { beginnings / Int(RIPTIDE_WAYS) }

    /// The sizes by map; maps that are not named keep the object's own.
    var sizes: [String: Int] {
        [
            "flows": flows + beginnings, "flow_buckets": flowBuckets + beginningBuckets,
            "translations": isTranslating ? flows + beginnings : 1, "persistence": persistence, "half_open": halfOpen, "real_servers": servers,
            "server_loads": servers, "recount": servers, "server_traffic": servers, "slots": slotElements,
        ]
    }

    static func powerOfTwo(atLeast number: Int) -> Int {
        var power = 1
        while power < number { power *= 2 }
        return power
    }
}
