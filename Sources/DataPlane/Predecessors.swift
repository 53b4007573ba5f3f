import BPFRuntime
import DataPlaneABI

/// The maps that an earlier load left. Those of the program that runs come before those that are pinned: a daemon that died
/// between the change of the program and the pinning leaves pins that nothing writes to any more.
struct Predecessors {
    private let ids: [String: UInt32]

    /// Where the values of the tables that the data plane fills have their time.
    static let times = [
        "flows": MemoryLayout<flow>.offset(of: \.seen)!, "persistence": MemoryLayout<persistence>.offset(of: \.seen)!,
    ]

    init(pins: PinDirectory) throws {
        var ids: [String: UInt32] = [:]
        for name in pins.names(in: pins.maps) {
            if let map = try AnyMap.pinned(at: pins.map(name)) { ids[name] = map.information.id }
        }
        // A layout of another version has other pins and is left alone, whatever program runs.
        if !ids.isEmpty {
            for name in pins.names(in: pins.links) {
                guard let link = try XDPLink.pinned(at: "\(pins.links)/\(name)"), link.interface != 0 else { continue }
                for (map, id) in try maps(ofProgram: link.programID) where ids[map] != nil { ids[map] = id }
                break
            }
        }
        self.ids = ids
    }

    func map(_ name: String) throws -> AnyMap? {
        guard let id = ids[name] else { return nil }
        return try AnyMap.numbered(id)
    }

    func capacity(of name: String) throws -> Int? {
        guard let existing = try map(name) else { return nil }
        return existing.information.capacity
    }

    func copy(_ name: String, into fresh: borrowing AnyMap) throws {
        guard let existing = try map(name) else { return }
        try existing.copy(into: fresh, time: Self.times[name])
    }
}
