import BPFRuntime
import DataPlaneABI
import LoadBalancing
package import NetworkTypes

/// Where a real server is reached: what the frame's addresses become and where it leaves.
package struct NextHop: Hashable, Sendable {
    package let interface: UInt32
    package let mac: MACAddress
    /// Of the interface.
    package let sourceMAC: MACAddress
    /// The VLAN of the server's link, whose frames have a tag on the interface; 0: none.
    package let vlan: UInt16

    package init(interface: UInt32, mac: MACAddress, sourceMAC: MACAddress, vlan: UInt16 = 0) {
        self.interface = interface
        self.mac = mac
        self.sourceMAC = sourceMAC
        self.vlan = vlan
    }
}

/// How many entries of each map an operation has written; entries that were right already do not count.
package struct MapWrites: Hashable, Sendable {
    package private(set) var byMap: [String: Int] = [:]
    package var total: Int { byMap.values.reduce(0, +) }

    mutating func count(_ map: String, _ entries: Int = 1) {
        if entries > 0 { byMap[map, default: 0] += entries }
    }
}

/// The services in the maps: compares what shall be with what is, and writes the difference. What packets read is never half
/// written: runs are written where nothing refers to them, and one update then refers to them.
struct ServiceTables {
    private(set) var identities: Identities
    private var slotRuns: RunAllocator
    private var portRuns: RunAllocator
    /// What the runs in the maps were made from, as far as this process made or compared them.
    private var madeFrom: [UInt32: ServiceRuns.Input] = [:]
    /// The numbers of the servers with an address: for news of neighbours.
    private var numbersByAddress: [IPAddress: [UInt32]] = [:]

    init(_ maps: LoadedObject) throws {
        identities = try Identities(maps)
        slotRuns = RunAllocator(capacity: maps.slots.count)
        portRuns = RunAllocator(capacity: maps.portRanges.count)
        var intact = true
        try maps.services.forEach { _, service in
            for run in Self.slotElements(service) where !slotRuns.take(run) { intact = false }
            return true
        }
        try maps.vips.forEach { _, vip in
            for run in Self.portRuns(vip) where !portRuns.take(run) { intact = false }
            return true
        }
        for (key, number) in identities.servers { numbersByAddress[key.address, default: []].append(number) }
        guard intact else {
            throw DataPlaneError(
                "read the pinned maps", detail: "two services claim the same part of a table",
                cure: "to forget flows and remembered clients and begin anew: remove the folder of the pinned maps")
        }
    }

    /// The same tables in maps that have become larger.
    mutating func moved(to maps: LoadedObject) {
        slotRuns.grow(to: maps.slots.count)
        portRuns.grow(to: maps.portRanges.count)
    }

    // MARK: Services

    mutating func apply(
        _ services: [VirtualService], to maps: LoadedObject, nextHop: (IPAddress) -> NextHop?
    ) throws -> MapWrites {
        slotRuns.settle()
        portRuns.settle()
        var writes = MapWrites()
        var (wantedServices, wantedServers) = (Set<UInt32>(), Set<UInt32>())
        for service in services {
            guard let number = identities.number(service: service.name, capacity: maps.services.capacity) else {
                throw DataPlaneError(
                    "add service \(service.name)", detail: "there are \(maps.services.capacity - 1) services already")
            }
            wantedServices.insert(number)
            let servers = try apply(service.servers, of: number, to: maps, nextHop: nextHop, &writes)
            wantedServers.formUnion(servers.lazy.map(UInt32.init))
            try apply(service, number: number, servers: servers, to: maps, &writes)
            halt(service.servers, numbers: servers, in: maps, &writes)
        }
        try applyPorts(services, to: maps, &writes)
        try removeServices(except: wantedServices, from: maps, &writes)
        removeServers(except: wantedServers, from: maps, &writes)
        return writes
    }

    private mutating func apply(
        _ servers: [RealServer], of service: UInt32, to maps: LoadedObject, nextHop: (IPAddress) -> NextHop?,
        _ writes: inout MapWrites
    ) throws -> [UInt16] {
        try servers.map { server in
            let key = Identities.ServerKey(service: service, name: server.name, address: server.address)
            guard let (number, fresh) = identities.number(server: key, capacity: maps.realServers.count) else {
                throw DataPlaneError("add real server \(server.name)", detail: "there are no numbers left")
            }
            let index = Int(number)
            var entry = maps.realServers[index]
            if let fresh {
                do {
                    try maps.serverTraffic.set(server_traffic(), at: index)
                } catch {
                    identities.remove(server: number)
                    throw error
                }
                // Notes of beginnings bear the number alone: those of the predecessor count on until they are gone.
                maps.serverLoads.base[index].established = 0
                numbersByAddress[server.address, default: []].append(number)
                // Flows outlive their server: a generation must never come again, not even after a restart.
                var last = real_server()
                last.generation = fresh
                _ = maps.realServers.store(last, at: Int(RIPTIDE_NO_SERVER))
                entry = real_server()
                entry.generation = fresh
                entry.service = service
                entry.address = server.address.abi
                storeName(server.name, in: &entry.name)
            }
            entry.weight = UInt16(server.weight)
            if server.state != .halt || fresh != nil { entry.state = server.abiState }
            entry.set(nextHop(server.address))
            if maps.realServers.store(entry, at: index) { writes.count("real_servers") }
            return UInt16(number)
        }
    }

    /// Halts servers only when no new connection is sent to them any more.
    private func halt(_ servers: [RealServer], numbers: [UInt16], in maps: LoadedObject, _ writes: inout MapWrites) {
        for (server, number) in zip(servers, numbers) where server.state == .halt {
            var entry = maps.realServers[Int(number)]
            entry.state = server.abiState
            if maps.realServers.store(entry, at: Int(number)) { writes.count("real_servers") }
        }
    }

    private mutating func apply(
        _ service: VirtualService, number: UInt32, servers: [UInt16], to maps: LoadedObject, _ writes: inout MapWrites
    ) throws {
        let current = try maps.services.value(for: number)
        let input = ServiceRuns.Input(service, numbers: servers)
        let isMade = current != nil && madeFrom[number] == input
        madeFrom[number] = nil

        var entry = current ?? DataPlaneABI.service()
        entry.address = service.address.abi
        entry.mode = UInt8(RIPTIDE_MODE_DR.rawValue)
        entry.scheduler = service.scheduler.abi
        if let persistence = service.persistence {
            entry.persistence_timeout = UInt32(max(1, persistence.timeout / .seconds(1)))
            entry.persistence_prefix = persistence.abiPrefix(for: service.address)
        } else {
            entry.persistence_timeout = 0
            entry.persistence_prefix = 128
        }
        storeName(service.name, in: &entry.name)
        var exchange = RunExchange()
        do {
            if !isMade {
                let runs = ServiceRuns(input)
                (entry.table_first, entry.table_size) = try place(
                    runs.table, instead: current.map { ($0.table_first, $0.table_size) }, &exchange, in: maps, &writes)
                (entry.sequence_first, entry.sequence_size) = try place(
                    runs.sequence, instead: current.map { ($0.sequence_first, $0.sequence_size) }, &exchange, in: maps, &writes)
                (entry.members_first, entry.members_count) = try place(
                    runs.members, instead: current.map { ($0.members_first, $0.members_count) }, &exchange, in: maps, &writes)
            }
            if let current, sameBytes(current, entry) {
                madeFrom[number] = input
                return
            }
            try maps.services.set(entry, for: number)
        } catch {
            slotRuns.undo(exchange)
            throw error
        }
        slotRuns.finish(exchange)
        madeFrom[number] = input
        writes.count("services")
    }

    /// Puts a run of slots into place: the one that is there if it is equal, else a new one.
    private mutating func place(
        _ run: [UInt16], instead current: (first: UInt32, size: UInt32)?, _ exchange: inout RunExchange,
        in maps: LoadedObject, _ writes: inout MapWrites
    ) throws -> (UInt32, UInt32) {
        let perElement = Int(RIPTIDE_SLOTS_PER_ELEMENT)
        let memory = UnsafeMutableRawPointer(maps.slots.base).assumingMemoryBound(to: UInt16.self)
        if let current {
            let there = UnsafeBufferPointer(start: memory + Int(current.first), count: Int(current.size))
            if there.elementsEqual(run) { return (current.first, current.size) }
            exchange.replaced.append(Self.elements(current.first, current.size))
        }
        guard !run.isEmpty else { return (0, 0) }
        let elements = (run.count + perElement - 1) / perElement
        guard let place = slotRuns.allocate(elements) else { throw OutOfRoom(map: "slots") }
        exchange.fresh.append(place)
        let first = place.lowerBound * perElement
        run.withUnsafeBufferPointer { (memory + first).update(from: $0.baseAddress!, count: run.count) }
        writes.count("slots", elements)
        return (UInt32(first), UInt32(run.count))
    }

    /// A table is too small, or its room too scattered: to be made larger, and the configuration applied again.
    struct OutOfRoom: Error {
        let map: String
    }

    // MARK: Ports

    private mutating func applyPorts(
        _ services: [VirtualService], to maps: LoadedObject, _ writes: inout MapWrites
    ) throws {
        var wanted: [IPAddress: [TransportProtocol: [port_range]]] = [:]
        for service in services {
            let number = identities.services[service.name]!
            for transport in service.protocols {
                wanted[service.address, default: [:]][transport, default: []] += service.ports.ranges.map {
                    port_range(first: $0.lowerBound, last: $0.upperBound, service: number)
                }
            }
        }
        for (address, ports) in wanted.sorted(by: { $0.key < $1.key }) {
            let current = try maps.vips.value(for: vip_key(address))
            func sorted(_ transport: TransportProtocol) -> [port_range] {
                (ports[transport] ?? []).sorted { $0.first < $1.first }
            }
            var entry = vip()
            var exchange = RunExchange()
            do {
                (entry.tcp_first, entry.tcp_count) = try place(
                    sorted(.tcp), instead: current.map { ($0.tcp_first, $0.tcp_count) }, &exchange, in: maps, &writes)
                (entry.udp_first, entry.udp_count) = try place(
                    sorted(.udp), instead: current.map { ($0.udp_first, $0.udp_count) }, &exchange, in: maps, &writes)
                if let current, sameBytes(current, entry) { continue }
                try maps.vips.set(entry, for: vip_key(address))
            } catch {
                portRuns.undo(exchange)
                throw error
            }
            portRuns.finish(exchange)
            writes.count("vips")
        }
        var obsolete: [(vip_key, vip)] = []
        try maps.vips.forEach { key, vip in
            if wanted[IPAddress(key.address)] == nil { obsolete.append((key, vip)) }
            return true
        }
        for (key, vip) in obsolete {
            try maps.vips.remove(key)
            writes.count("vips")
            for run in Self.portRuns(vip) { portRuns.giveBack(run) }
        }
    }

    private mutating func place(
        _ run: [port_range], instead current: (first: UInt32, count: UInt32)?, _ exchange: inout RunExchange,
        in maps: LoadedObject, _ writes: inout MapWrites
    ) throws -> (UInt32, UInt32) {
        if let current {
            let there = UnsafeBufferPointer(start: maps.portRanges.base + Int(current.first), count: Int(current.count))
            if there.elementsEqual(run, by: sameBytes) { return (current.first, current.count) }
            exchange.replaced.append(Int(current.first)..<Int(current.first + current.count))
        }
        guard !run.isEmpty else { return (0, 0) }
        guard let place = portRuns.allocate(run.count) else {
            throw DataPlaneError(
                "store port ranges", detail: "all \(maps.portRanges.count) are in use", cure: "join adjacent ports to ranges")
        }
        exchange.fresh.append(place)
        for (index, range) in zip(place, run) { maps.portRanges[index] = range }
        writes.count("port_ranges", run.count)
        return (UInt32(place.lowerBound), UInt32(run.count))
    }

    // MARK: Removal

    private mutating func removeServices(
        except wanted: Set<UInt32>, from maps: LoadedObject, _ writes: inout MapWrites
    ) throws {
        for number in identities.serviceNames.keys.filter({ !wanted.contains($0) }) {
            if let entry = try maps.services.value(for: number) {
                try maps.services.remove(number)
                writes.count("services")
                for run in Self.slotElements(entry) { slotRuns.giveBack(run) }
            }
            try maps.serviceTraffic.set(service_traffic(), at: Int(number))
            madeFrom[number] = nil
            identities.remove(service: number)
        }
    }

    private mutating func removeServers(
        except wanted: Set<UInt32>, from maps: LoadedObject, _ writes: inout MapWrites
    ) {
        for (number, key) in identities.serverKeys.filter({ !wanted.contains($0.key) }) {
            // First it is no server any more, then the rest goes.
            var gone = maps.realServers[Int(number)]
            (gone.generation, gone.service) = (0, 0)
            if maps.realServers.store(gone, at: Int(number)) { writes.count("real_servers") }
            _ = maps.realServers.store(real_server(), at: Int(number))
            numbersByAddress[key.address]?.removeAll { $0 == number }
            identities.remove(server: number)
        }
    }

    // MARK: Neighbours

    /// Brings the next hops of servers up to date; of those with one of the addresses, if any are given.
    func refreshNextHops(
        of addresses: Set<IPAddress>?, in maps: LoadedObject, nextHop: (IPAddress) -> NextHop?
    ) -> MapWrites {
        var writes = MapWrites()
        for address in addresses ?? Set(numbersByAddress.keys) {
            guard let numbers = numbersByAddress[address] else { continue }
            let hop = nextHop(address)
            for number in numbers {
                var entry = maps.realServers[Int(number)]
                entry.set(hop)
                if maps.realServers.store(entry, at: Int(number)) { writes.count("real_servers") }
            }
        }
        return writes
    }

    // MARK: Runs

    private static func elements(_ first: UInt32, _ count: UInt32) -> Range<Int> {
        let perElement = Int(RIPTIDE_SLOTS_PER_ELEMENT)
        let start = Int(first) / perElement
        return start..<start + (Int(count) + perElement - 1) / perElement
    }

    private static func slotElements(_ service: service) -> [Range<Int>] {
        [
            elements(service.table_first, service.table_size), elements(service.sequence_first, service.sequence_size),
            elements(service.members_first, service.members_count),
        ]
    }

    private static func portRuns(_ vip: vip) -> [Range<Int>] {
        [
            Int(vip.tcp_first)..<Int(vip.tcp_first + vip.tcp_count),
            Int(vip.udp_first)..<Int(vip.udp_first + vip.udp_count),
        ]
    }
}

extension real_server {
    mutating func set(_ hop: NextHop?) {
        interface = hop?.interface ?? 0
        // The addresses stay when the neighbour is lost: interface 0 alone tells the data plane.
        guard let hop else { return }
        mac = hop.mac.abi
        vlan = hop.vlan
        source_mac = hop.sourceMAC.abi
    }
}

private func sameBytes<Value: BitwiseCopyable>(_ a: Value, _ b: Value) -> Bool {
    withUnsafeBytes(of: a) { a in withUnsafeBytes(of: b) { a.elementsEqual($0) } }
}
