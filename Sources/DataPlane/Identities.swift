import BPFRuntime
import DataPlaneABI
import LoadBalancing
import NetworkTypes

/// Which numbers services and real servers have in the maps. A number stays with its owner, over restarts too: it is read back
/// from the maps. A real server is the same as long as service, name and address are.
struct Identities {
    struct ServerKey: Hashable {
        let service: UInt32
        let name: String
        let address: IPAddress
    }

    private(set) var services: [String: UInt32] = [:]
    private(set) var servers: [ServerKey: UInt32] = [:]
    /// By number, for what the maps refer to by it.
    private(set) var serviceNames: [UInt32: String] = [:]
    private(set) var serverKeys: [UInt32: ServerKey] = [:]
    private var nextGeneration: UInt32 = 1
    private var lowestFreeService: UInt32 = 1
    private var lowestFreeServer: UInt32 = 1

    /// Reads what a predecessor left in the maps.
    init(_ maps: LoadedObject) throws {
        for number in maps.services.numbers {
            add(service: readName(maps.services[Int(number)].name), number: number)
        }
        nextGeneration = Self.generation(after: maps.realServers[0].generation)
        for number in 1..<maps.realServers.count {
            let server = maps.realServers[number]
            guard server.generation != 0 else { continue }
            let key = ServerKey(service: server.service, name: readName(server.name), address: IPAddress(server.address))
            servers[key] = UInt32(number)
            serverKeys[UInt32(number)] = key
        }
    }

    private mutating func add(service name: String, number: UInt32) {
        services[name] = number
        serviceNames[number] = name
    }

    /// The number of the service, a new one if it has none yet; `nil` if all `capacity` are taken.
    mutating func number(service name: String, capacity: Int) -> UInt32? {
        if let number = services[name] { return number }
        while serviceNames[lowestFreeService] != nil { lowestFreeService += 1 }
        guard lowestFreeService < capacity else { return nil }
        add(service: name, number: lowestFreeService)
        return lowestFreeService
    }

    /// The number of the server and, if it is new, its generation.
    mutating func number(server key: ServerKey, capacity: Int) -> (number: UInt32, freshGeneration: UInt32?)? {
        if let number = servers[key] { return (number, nil) }
        while serverKeys[lowestFreeServer] != nil { lowestFreeServer += 1 }
        guard lowestFreeServer < capacity else { return nil }
        servers[key] = lowestFreeServer
        serverKeys[lowestFreeServer] = key
        defer { nextGeneration = Self.generation(after: nextGeneration) }
        return (lowestFreeServer, nextGeneration)
    }

    private static func generation(after last: UInt32) -> UInt32 { last == .max ? 1 : last + 1 }

    mutating func remove(service number: UInt32) {
        if let name = serviceNames.removeValue(forKey: number) { services[name] = nil }
        lowestFreeService = min(lowestFreeService, number)
    }

    mutating func remove(server number: UInt32) {
        if let key = serverKeys.removeValue(forKey: number) { servers[key] = nil }
        lowestFreeServer = min(lowestFreeServer, number)
    }
}
