package import NetworkTypes

/// Consistent hashing by Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016), §3.4, with
/// weights: every server fills the table in the order of a permutation of its own, and takes turns as its weight says.
///
/// The table depends on nothing but the servers' addresses and weights and its size, so nodes with the same configuration
/// make the same one.
package enum MaglevTable {
    /// One that shares in the table.
    package struct Entry: Hashable, Sendable {
        package let address: IPAddress
        /// Greater than 0.
        package let weight: Int

        package init(address: IPAddress, weight: Int) {
            self.address = address
            self.weight = weight
        }
    }

    /// The size for a service with so many configured servers: a prime of at least 400 for each of them, from a ladder, so that
    /// a server more or less nearly always leaves the size, and with it other servers' flows, alone.
    package static func size(servers: Int) -> Int {
        for prime in [4093, 16381] where servers * 400 <= prime + 3 { return prime }
        return 65521
    }

    /// The index of an entry for each place. Empty if there are no entries.
    package static func make(_ entries: [Entry], size: Int) -> [UInt16] {
        guard !entries.isEmpty else { return [] }
        precondition(entries.allSatisfy { $0.weight > 0 } && entries.count <= size)
        // The outcome must not depend on the order in which the configuration lists the servers.
        let order = entries.indices.sorted { entries[$0].address < entries[$1].address }
        let heaviest = entries.map(\.weight).max()!
        var (place, step, credit) = ([UInt32](), [UInt32](), [Int](repeating: 0, count: entries.count))
        for index in order {
            let hash = mixed(entries[index].address)
            place.append(UInt32(truncatingIfNeeded: hash >> 32) % UInt32(size))
            step.append(UInt32(truncatingIfNeeded: hash) % UInt32(size - 1) + 1)
        }
        var table = [UInt16](repeating: .max, count: size)
        var free = size
        let size = UInt32(size)
        return table.withUnsafeMutableBufferPointer { table in
            while true {
                for turn in order.indices {
                    credit[turn] += entries[order[turn]].weight
                    guard credit[turn] >= heaviest else { continue }
                    credit[turn] -= heaviest
                    var at = place[turn]
                    while table[Int(at)] != .max {
                        at += step[turn]
                        if at >= size { at -= size }
                    }
                    table[Int(at)] = UInt16(order[turn])
                    place[turn] = at
                    free -= 1
                    if free == 0 { return Array(table) }
                }
            }
        }
    }

    private static func mixed(_ address: IPAddress) -> UInt64 {
        func mix(_ value: UInt64) -> UInt64 {
            var value = value
            value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            return value ^ value >> 31
        }
        return mix(mix(address.high &+ 0x9e37_79b9_7f4a_7c15) ^ address.low)
    }
}
