import BPFRuntime
import DataPlaneABI
import FoundationEssentials
import Glibc
import LoadBalancing

/// Loads the object over what is pinned: maps that are there are used on, maps of another size are copied, and the program
/// takes the place of the one that runs, so that nothing is forgotten and no packet meets an empty table.
struct Loader {
    let pins: PinDirectory

    /// Loads, puts the program in place on every pinned link, and pins.
    func load(capacity: Capacity, settings: DataPathSettings, hz: Int) throws -> LoadedObject {
        try pins.create()
        let object = try Self.open()
        try object.setConstant(Self.settings(settings, capacity: capacity, hz: hz), section: ".rodata.settings")

        let predecessors = try Predecessors(pins: pins)
        var replaced: [String] = []
        for name in object.mapNames {
            let size = try capacity.sizes[name] ?? object.capacity(of: name)
            try object.setCapacity(size, of: name)
            guard let existing = try predecessors.map(name) else { continue }
            guard try object.hasLayout(of: existing, map: name) else {
                throw DataPlaneError(
                    "take over the map \(name)", detail: "another build of Riptide made it with another layout",
                    cure: "to forget flows and remembered clients and begin anew: rm -r \(pins.root)")
            }
            if existing.information.capacity == size {
                try object.reuse(existing, as: name)
            } else {
                replaced.append(name)
            }
        }
        try object.load()
        let loaded = try LoadedObject(object, capacity: capacity)
        for name in replaced { try predecessors.copy(name, of: object, into: loaded) }
        try replaceProgram(with: loaded.program)
        for name in object.mapNames { try object.anyMap(name).pin(at: pins.map(name)) }
        // What came into the old tables while the first copy ran.
        for name in replaced where Predecessors.isFilledByPackets(name) {
            try predecessors.copy(name, of: object, into: loaded)
        }
        return loaded
    }

    private func replaceProgram(with program: borrowing Program) throws {
        for name in pins.names(in: pins.links) {
            let path = "\(pins.links)/\(name)"
            // The link of a device that is gone can only be removed.
            if try !replaceProgram(ofLinkAt: path, with: program) { unlink(path) }
        }
    }

    /// Whether the link has a device still.
    private func replaceProgram(ofLinkAt path: String, with program: borrowing Program) throws -> Bool {
        guard let link = try XDPLink.pinned(at: path), link.interface != 0 else { return false }
        do {
            try link.replaceProgram(with: program)
            return true
        } catch {
            // It may have gone in this very moment.
            if error.code == ENOLINK { return false }
            throw error
        }
    }

    /// What the maps that are in use now are sized for; `nil` if there are none.
    func presentCapacity(default fallback: Capacity) throws -> Capacity? {
        let predecessors = try Predecessors(pins: pins)
        guard let servers = try predecessors.capacity(of: "real_servers"),
            let slots = try predecessors.capacity(of: "slots"),
            let translations = try predecessors.capacity(of: "translations")
        else { return nil }
        var capacity = fallback
        capacity.isTranslating = translations > 1
        capacity.servers = servers
        capacity.slotElements = slots
        return capacity
    }

    static func open() throws -> BPFObject { try BPFObject(bytes: objectBytes(), name: "riptide") }

    /// The object that this program was built with.
    static func objectBytes() throws -> [UInt8] {
        let text = embeddedObject.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
        guard let bytes = Data(base64Encoded: text) else {
            throw DataPlaneError("read the embedded BPF object", detail: "it is damaged; build again")
        }
        return Array(bytes)
    }

    static func settings(_ settings: DataPathSettings, capacity: Capacity, hz: Int) -> DataPlaneABI.settings {
        func jiffies(_ duration: Duration) -> UInt64 {
            let (seconds, attoseconds) = duration.components
            return UInt64(seconds) * UInt64(hz) + UInt64(attoseconds) / (1_000_000_000_000_000_000 / UInt64(hz))
        }
        // About a second: a power of two of jiffies.
        let second = UInt32(Int.bitWidth - 1 - hz.leadingZeroBitCount)
        func notes(_ duration: Duration) -> UInt32 {
            UInt32(max(1, min(0x7fff, jiffies(duration) >> UInt64(second))))
        }
        return DataPlaneABI.settings(
            established_timeout: jiffies(settings.timeouts.tcpEstablished),
            closing_timeout: jiffies(settings.timeouts.tcpFin),
            udp_timeout: jiffies(settings.timeouts.udp),
            syn_timeout: jiffies(settings.timeouts.tcpSyn),
            schedule_seed: 0x5249_5054_4944_4501,
            secret: BootSeed.value,
            hz: UInt32(hz),
            half_open_mask: UInt32(capacity.halfOpen - 1),
            half_open_shift: second,
            half_open_lifetime: notes(settings.timeouts.tcpSyn),
            half_open_hold: notes(min(.seconds(3), settings.timeouts.tcpSyn)),
            refresh_shift: second,
            flow_buckets: UInt32(capacity.flowBuckets),
            beginning_buckets: UInt32(capacity.beginningBuckets),
            cpus: UInt32(possibleCPUs),
            reserved: 0)
    }
}

/// A number that outsiders do not know and that stays the same until the machine starts again, so that a new program reads the
/// notes of the old one.
enum BootSeed {
    static let value: UInt64 = {
        guard let file = fopen("/proc/sys/kernel/random/boot_id", "r") else { return 0x9e37_79b9_7f4a_7c15 }
        defer { fclose(file) }
        var text = [UInt8](repeating: 0, count: 64)
        let count = fread(&text, 1, text.count, file)
        return text[..<count].reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }()
}
