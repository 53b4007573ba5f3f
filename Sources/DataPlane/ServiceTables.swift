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
    /// This machine's own address towards the server: what snat without a pool and tunnels send from.
    package let source: IPAddress?
    /// Octets of the longest IP packet on the way, as far as this machine knows.
    package let mtu: Int
    /// Whether `mac` is a router's: direct routing cannot go that way.
    package let isRouted: Bool

    package init(
        interface: UInt32, mac: MACAddress, sourceMAC: MACAddress, vlan: UInt16 = 0, source: IPAddress? = nil,
        mtu: Int = 1500, isRouted: Bool = false
    ) {
        self.interface = interface
        self.mac = mac
        self.sourceMAC = sourceMAC
        self.vlan = vlan
        self.source = source
        self.mtu = mtu
        self.isRouted = isRouted
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
    /// By service.
    private var modes: [UInt32: ForwardingMode] = [:]

    init(_ maps: LoadedObject) throws {
        identities = try Identities(maps)
        slotRuns = RunAllocator(capacity: maps.slots.count)
        portRuns = RunAllocator(capacity: maps.portRanges.count)
        var intact = true
        for number in maps.services.numbers {
            for run in Self.slotElements(maps.services[Int(number)]) where !slotRuns.take(run) { intact = false }
        }
        for address in maps.vips.addresses {
            guard let vip = maps.vips.vip(of: address) else { continue }
            for run in Self.portRuns(vip) where !portRuns.take(run) { intact = false }
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
        _ services: [VirtualService], addresses: Set<IPAddress>, to maps: LoadedObject, nextHop: (IPAddress) -> NextHop?
    ) throws -> MapWrites {
        slotRuns.settle()
        portRuns.settle()
        var writes = MapWrites()
        var (wantedServices, wantedServers) = (Set<UInt32>(), Set<UInt32>())
        let sources = Self.sources(of: services, nextHop: nextHop)
        for service in services where service.mode != .proxy {
            guard let number = identities.number(service: service.name, capacity: maps.services.count) else {
                throw DataPlaneError(
                    "add service \(service.name)", detail: "there are \(maps.services.count - 1) services already")
            }
            wantedServices.insert(number)
            modes[number] = service.mode
            let servers = try apply(service.servers, of: service, number, to: maps, nextHop: nextHop, &writes)
            wantedServers.formUnion(servers.lazy.map(UInt32.init))
            let fallback = try apply(
                service.fallback.map { [$0.server] } ?? [], of: service, number, to: maps, nextHop: nextHop, &writes)
            wantedServers.formUnion(fallback.lazy.map(UInt32.init))
            try applyPool(of: service, number: number, to: maps, &writes)
            try apply(
                service, number: number, servers: servers, fallback: fallback.first,
                isSource: sources.contains(service.address), to: maps, &writes)
            halt(service.servers, numbers: servers, in: maps, &writes)
        }
        try applyClientRules(services, to: maps, &writes)
        try applyPorts(services.filter { $0.mode != .proxy }, addresses: addresses, to: maps, &writes)
        try removeServices(except: wantedServices, from: maps, &writes)
        removeServers(except: wantedServers, from: maps, &writes)
        return writes
    }

    /// What snat speaks from: the addresses of pools, and this machine's own towards the servers of services without one.
    private static func sources(of services: [VirtualService], nextHop: (IPAddress) -> NextHop?) -> Set<IPAddress> {
        var sources: Set<IPAddress> = []
        for service in services where service.mode == .snat {
            sources.formUnion(service.source.addresses)
            guard service.source.addresses.isEmpty else { continue }
            let servers = service.servers.map(\.address) + (service.fallback.map { [$0.address] } ?? [])
            sources.formUnion(servers.compactMap { nextHop($0)?.source })
        }
        return sources
    }

    private mutating func apply(
        _ servers: [RealServer], of service: VirtualService, _ serviceNumber: UInt32, to maps: LoadedObject,
        nextHop: (IPAddress) -> NextHop?, _ writes: inout MapWrites
    ) throws -> [UInt16] {
        try servers.map { server in
            let key = Identities.ServerKey(service: serviceNumber, name: server.name, address: server.address)
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
                maps.serverLoads.base[index].source_ports = 0
                maps.serverLoads.base[index].path_mtu = 0
                numbersByAddress[server.address, default: []].append(number)
                // Flows outlive their server: a generation must never come again, not even after a restart.
                var last = real_server()
                last.generation = fresh
                _ = maps.realServers.store(last, at: Int(RIPTIDE_NO_SERVER))
                entry = real_server()
                entry.generation = fresh
                entry.service = serviceNumber
                entry.address = server.address.abi
                storeName(server.name, in: &entry.name)
            }
            entry.weight = UInt16(server.weight)
            if server.state != .halt || fresh != nil { entry.state = server.abiState }
            entry.port = (server.port ?? 0).bigEndian
            entry.max_connections = UInt32(clamping: server.maxConnections)
            entry.encapsulation = service.encapsulation.abi
            entry.set(nextHop(server.address), mode: service.mode)
            if maps.realServers.store(entry, at: index) { writes.count("real_servers") }
            maps.serverLoads.base[index].cost = server.abiCost
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
        _ service: VirtualService, number: UInt32, servers: [UInt16], fallback: UInt16?, isSource: Bool,
        to maps: LoadedObject, _ writes: inout MapWrites
    ) throws {
        let current = maps.services.service(number)
        let input = ServiceRuns.Input(service, numbers: servers)
        let isMade = current != nil && madeFrom[number] == input
        madeFrom[number] = nil

        var entry = current ?? DataPlaneABI.service()
        entry.address = service.address.abi
        entry.mode = service.mode.abi
        entry.flags = service.abiFlags | (isSource ? UInt8(RIPTIDE_SERVICE_IS_SOURCE) : 0)
        entry.fallback = UInt32(fallback ?? 0)
        entry.rate_interval = service.clients.rate.map { UInt32(1_000_000 / $0) } ?? 0
        entry.rate_burst = UInt32(clamping: Int(entry.rate_interval) * (service.clients.burst - 1))
        entry.scheduler = service.scheduler.abi
        if let persistence = service.persistence {
            entry.persistence_timeout = UInt32(max(1, persistence.timeout / .seconds(1)))
            entry.persistence_prefix = persistence.abiPrefix(for: service.address)
        } else {
            entry.persistence_timeout = 0
            entry.persistence_prefix = 128
        }
        entry.persistence_mask = IPAddress.allOnes.masked(to: Int(entry.persistence_prefix)).abi
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
        } catch {
            slotRuns.undo(exchange)
            throw error
        }
        // Each run's place and size are one word, so packets see both of the one or both of the other.
        let isChanged = maps.services.store(entry, at: Int(number))
        slotRuns.finish(exchange)
        madeFrom[number] = input
        if isChanged { writes.count("services") }
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
        // Who reads a whole element finds no stranger in it.
        (memory + first + run.count).update(repeating: run.last!, count: elements * perElement - run.count)
        writes.count("slots", elements)
        return (UInt32(first), UInt32(run.count))
    }

    /// A table is too small, or its room too scattered: to be made larger, and the configuration applied again.
    struct OutOfRoom: Error {
        let map: String
    }

    // MARK: Ports

    private mutating func applyPorts(
        _ services: [VirtualService], addresses: Set<IPAddress>, to maps: LoadedObject, _ writes: inout MapWrites
    ) throws {
        var wanted: [IPAddress: [TransportProtocol: [port_range]]] = Dictionary(
            uniqueKeysWithValues: addresses.map { ($0, [:]) })
        for service in services {
            let number = identities.services[service.name]!
            for transport in service.protocols {
                wanted[service.address, default: [:]][transport, default: []] += service.ports.ranges.map {
                    port_range(first: $0.lowerBound, last: $0.upperBound, service: number)
                }
            }
        }
        for (address, ports) in wanted.sorted(by: { $0.key < $1.key }) {
            let current = maps.vips.vip(of: address)
            func sorted(_ transport: TransportProtocol) -> [port_range] {
                (ports[transport] ?? []).sorted { $0.first < $1.first }
            }
            var entry = current ?? vip()
            var exchange = RunExchange()
            do {
                (entry.tcp_first, entry.tcp_count) = try place(
                    sorted(.tcp), instead: current.map { ($0.tcp_first, $0.tcp_count) }, &exchange, in: maps, &writes)
                (entry.udp_first, entry.udp_count) = try place(
                    sorted(.udp), instead: current.map { ($0.udp_first, $0.udp_count) }, &exchange, in: maps, &writes)
                if let current, sameBytes(current, entry) { continue }
                try maps.vips.set(entry, of: address)
            } catch {
                portRuns.undo(exchange)
                throw error
            }
            portRuns.finish(exchange)
            writes.count("vips")
        }
        for address in maps.vips.addresses where wanted[address] == nil {
            guard let vip = maps.vips.vip(of: address) else { continue }
            maps.vips.remove(address)
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

    // MARK: Clients and sources

    private func applyPool(
        of service: VirtualService, number: UInt32, to maps: LoadedObject, _ writes: inout MapWrites
    ) throws {
        let current = try maps.sourcePools.value(for: number)
        guard service.mode == .snat else {
            if current != nil, try maps.sourcePools.remove(number) { writes.count("source_pools") }
            return
        }
        let pool = source_pool(service.source)
        if let current, sameBytes(current, pool) { return }
        try maps.sourcePools.set(pool, for: number)
        writes.count("source_pools")
    }

    /// Rules of all services at once. What is new comes before the service heeds it, what is obsolete goes after.
    private func applyClientRules(
        _ services: [VirtualService], to maps: LoadedObject, _ writes: inout MapWrites
    ) throws {
        var wanted: [ClientRule: UInt32] = [:]
        for service in services {
            guard let number = identities.services[service.name] else { continue }
            for prefix in service.clients.allow {
                wanted[ClientRule(service: number, prefix: prefix)] = RIPTIDE_CLIENT_ALLOWED.rawValue
            }
            for prefix in service.clients.deny {
                wanted[ClientRule(service: number, prefix: prefix)] = RIPTIDE_CLIENT_DENIED.rawValue
            }
        }
        var (present, obsolete) = (Set<ClientRule>(), [client_rule_key]())
        try maps.clientRules.forEach { key, value in
            let rule = ClientRule(key)
            if let rule, wanted[rule] == value {
                present.insert(rule)
            } else if rule.map({ wanted[$0] == nil }) ?? true {
                obsolete.append(key)
            }
            return true
        }
        for (rule, value) in wanted where !present.contains(rule) {
            try maps.clientRules.set(value, for: rule.key)
            writes.count("client_rules")
        }
        for key in obsolete where try maps.clientRules.remove(key) { writes.count("client_rules") }
    }

    // MARK: Removal

    private mutating func removeServices(
        except wanted: Set<UInt32>, from maps: LoadedObject, _ writes: inout MapWrites
    ) throws {
        for number in identities.serviceNames.keys.filter({ !wanted.contains($0) }) {
            if let entry = maps.services.service(number) {
                _ = maps.services.store(service(), at: Int(number))
                writes.count("services")
                for run in Self.slotElements(entry) { slotRuns.giveBack(run) }
            }
            try maps.sourcePools.remove(number)
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
                let mode = modes[entry.service] ?? .dr
                if mode == .snat, let own = hop?.source, own != IPAddress(entry.source) {
                    expectAnswers(at: own, in: maps, &writes)
                }
                entry.set(hop, mode: mode)
                if maps.realServers.store(entry, at: Int(number)) { writes.count("real_servers") }
            }
        }
        return writes
    }

    /// snat speaks from the address from now on: services that have it know this before its first packet.
    private func expectAnswers(at address: IPAddress, in maps: LoadedObject, _ writes: inout MapWrites) {
        for number in identities.services.values {
            guard var entry = maps.services.service(number), IPAddress(entry.address) == address else { continue }
            entry.flags |= UInt8(RIPTIDE_SERVICE_IS_SOURCE)
            if maps.services.store(entry, at: Int(number)) { writes.count("services") }
        }
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
    mutating func set(_ hop: NextHop?, mode: ForwardingMode) {
        let isWay = hop.map { !($0.isRouted && mode == .dr) && ($0.source != nil || !mode.needsSource) } ?? false
        interface = isWay ? hop!.interface : 0
        // The addresses stay when the neighbour is lost: interface 0 alone tells the data plane.
        guard let hop, isWay else { return }
        mac = hop.mac.abi
        vlan = hop.vlan
        source_mac = hop.sourceMAC.abi
        mtu = UInt16(clamping: hop.mtu)
        guard let own = hop.source, mode.needsSource else { return }
        source = own.abi
        outer_sum = outerSum
    }

    /// Of a tunnel's IPv4 header: version, length of the header, no fragments, 64 hops, and the addresses.
    private var outerSum: UInt16 {
        var sum: UInt64 = 0
        for octets in [source, address] {
            let words = unsafeBitCast(octets, to: (UInt64, UInt64).self)
            sum += words.1 >> 32 & 0xffff + words.1 >> 48
        }
        for word: UInt16 in [0x4500, 0x4000, 0x4000] { sum += UInt64(word.bigEndian) }
        while sum > 0xffff { sum = (sum & 0xffff) + sum >> 16 }
        return UInt16(sum)
    }
}

private func sameBytes<Value: BitwiseCopyable>(_ a: Value, _ b: Value) -> Bool {
    withUnsafeBytes(of: a) { a in withUnsafeBytes(of: b) { a.elementsEqual($0) } }
}
