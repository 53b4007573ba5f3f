import DataPlaneABI
import LoadBalancing
import NetworkTypes

/// A prefix of clients that a service allows or denies, as the map `client_rules` has it.
struct ClientRule: Hashable {
    let service: UInt32
    let prefix: Prefix

    init(service: UInt32, prefix: Prefix) {
        self.service = service
        self.prefix = prefix
    }

    /// `nil` for a key that no prefix has.
    init?(_ key: client_rule_key) {
        let address = IPAddress(key.address)
        let length = Int(key.length) - 32 - (address.family == .ipv4 ? 96 : 0)
        guard length >= 0, let prefix = Prefix(address, length: length) else { return nil }
        self.init(service: key.service, prefix: prefix)
    }

    var key: client_rule_key {
        let bits = prefix.length + (prefix.address.family == .ipv4 ? 96 : 0)
        return client_rule_key(length: UInt32(32 + bits), service: service, address: prefix.address.abi)
    }
}

extension VirtualService {
    var abiFlags: UInt8 {
        var flags: UInt32 = 0
        if resetsOrphans { flags |= RIPTIDE_SERVICE_RESETS_ORPHANS }
        if !clients.allow.isEmpty || !clients.deny.isEmpty { flags |= RIPTIDE_SERVICE_HAS_RULES }
        if !clients.allow.isEmpty { flags |= RIPTIDE_SERVICE_DENIES }
        if persistence != nil { flags |= RIPTIDE_SERVICE_PERSISTENT }
        if flags & RIPTIDE_SERVICE_HAS_RULES != 0 || clients.rate != nil { flags |= RIPTIDE_SERVICE_RESTRICTED }
        if mode.isTranslating { flags |= RIPTIDE_SERVICE_TRANSLATES }
        return UInt8(flags)
    }
}

extension Fallback {
    /// The server that stands for it in the maps: a name that no configured server can have.
    static let serverName = "(fallback)"
    var server: RealServer { RealServer(name: Self.serverName, address: address, port: port) }
}

extension ForwardingMode {
    /// Whether packets to the real server come from an address of this machine's.
    var needsSource: Bool { self == .snat || self == .tunnel }
}

extension source_pool {
    init(_ pool: SourcePool) {
        self.init()
        addresses = UInt32(min(pool.addresses.count, Int(RIPTIDE_POOL_ADDRESSES)))
        first_port = pool.ports.lowerBound
        ports = UInt16(pool.ports.count)
        withUnsafeMutableBytes(of: &address) { bytes in
            for (index, own) in pool.addresses.prefix(Int(RIPTIDE_POOL_ADDRESSES)).enumerated() {
                bytes.storeBytes(of: own.abi, toByteOffset: index * 16, as: Octets16.self)
            }
        }
    }
}

extension IPAddress {
    /// Sixteen octets of ones, for masks.
    static let allOnes = IPAddress(high: .max, low: .max)
}
