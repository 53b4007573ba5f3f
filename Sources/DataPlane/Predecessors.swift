import BPFRuntime
import DataPlaneABI

/// The maps that an earlier load left. Those of the program that runs come before those that are pinned: a daemon that died
/// between the change of the program and the pinning leaves pins that nothing writes to any more.
struct Predecessors {
    private let ids: [String: UInt32]

    /// Whether entries may have come into the old map while it was copied.
    static func isFilledByPackets(_ name: String) -> Bool { ["flows", "persistence"].contains(name) }

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

    /// Takes what the old map holds into the new one of another size. What the new one has already and is younger stays.
    func copy(_ name: String, of object: borrowing BPFObject, into loaded: LoadedObject) throws {
        switch name {
        // Where a flow lies follows from the table's size.
        case "flows": try adoptFlows(into: loaded)
        case "flow_buckets", "translations": break
        case "persistence":
            guard let existing = try map(name) else { return }
            try existing.copy(into: object.anyMap(name), time: MemoryLayout<persistence>.offset(of: \.seen)!)
        default:
            guard let existing = try map(name) else { return }
            try existing.copy(into: object.anyMap(name), time: nil)
        }
    }

    /// Flows that are in both keep what the new table says of them.
    private func adoptFlows(into loaded: LoadedObject) throws {
        guard let existing = try map("flows"), let others = try map("translations") else { return }
        let flows = try Map<UInt32, flow>(existing, name: "flows")
        let translations = try Map<UInt32, translation>(others, name: "translations")
        var count = 0
        try flows.forEach { place, flow in
            guard flow.state != RIPTIDE_FLOW_FREE.rawValue else { return true }
            let translation = flow.isTranslated ? try translations.value(for: place) : nil
            loaded.adopted[count] = adopted(flow: flow, translation: translation ?? DataPlaneABI.translation())
            count += 1
            if count == loaded.adopted.count {
                try loaded.adoptFlows(count)
                count = 0
            }
            return true
        }
        try loaded.adoptFlows(count)
    }
}
