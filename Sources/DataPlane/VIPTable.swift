import BPFRuntime
import DataPlaneABI
import NetworkTypes

/// The addresses that are answered for, in the map `vips`, by open addressing. What packets read is never half written.
extension MappedArray<vip> {
    /// What stands for an address; `nil` if it is not there.
    func vip(of address: IPAddress) -> vip? { search(for: address).found.map { self[$0] } }

    /// Stores the port runs of an address. When this throws, nothing has changed.
    func set(_ entry: vip, of address: IPAddress) throws {
        let (found, free) = search(for: address)
        guard let place = found ?? free else {
            throw DataPlaneError("add the address \(address)", detail: "the table of addresses is full where it would stand; \(count / 2) addresses usually fit")
        }
        var entry = entry
        entry.address = address.abi
        _ = store(entry, at: place)
    }

    func remove(_ address: IPAddress) {
        guard let place = search(for: address).found else { return }
        var gone = DataPlaneABI.vip()
        // A search for others must go on past this place, unless it would end at the next.
        if !self[(place + 1) % count].isFree { gone.address = DataPlaneABI.vip.removed }
        _ = store(gone, at: place)
    }

    /// All addresses, in no order.
    var addresses: [IPAddress] {
        (0..<count).compactMap { index in
            let entry = self[index]
            return entry.isFree || entry.isRemoved ? nil : IPAddress(entry.address)
        }
    }

    private func search(for address: IPAddress) -> (found: Int?, free: Int?) {
        let words = address.abiWords
        let first = Int(riptide_vip_place(words.0, words.1))
        var free: Int?
        for step in 0..<Int(RIPTIDE_VIP_TRIES) {
            let place = (first + step) % count
            let entry = self[place]
            if entry.words == words { return (place, nil) }
            if entry.isFree { return (nil, free ?? place) }
            if entry.isRemoved, free == nil { free = place }
        }
        return (nil, free)
    }
}

extension vip {
    fileprivate var words: (UInt64, UInt64) { unsafeBitCast(address, to: (UInt64, UInt64).self) }
    fileprivate var isFree: Bool { words == (0, 0) }
    fileprivate var isRemoved: Bool { words == (.max, .max) }
    fileprivate static let removed = unsafeBitCast((UInt64.max, UInt64.max), to: Octets16.self)
}

extension IPAddress {
    fileprivate var abiWords: (UInt64, UInt64) { (high.bigEndian, low.bigEndian) }
}
