import DataPlaneABI
import LoadBalancing
import NetworkTypes

// The one place where the domain's values become the contract's and back: byte order, IPv4 in IPv6's clothes, names.

/// Sixteen octets, as C's `__u8[16]` arrives in Swift.
typealias Octets16 = (
    UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
)
typealias Octets6 = (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)

extension IPAddress {
    var abi: Octets16 { unsafeBitCast((high.bigEndian, low.bigEndian), to: Octets16.self) }

    init(_ octets: Octets16) {
        let (high, low) = unsafeBitCast(octets, to: (UInt64, UInt64).self)
        self.init(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
    }
}

extension MACAddress {
    var abi: Octets6 {
        withUnsafeBytes(of: (value << 16).bigEndian) { $0.load(as: Octets6.self) }
    }

    init(_ octets: Octets6) {
        self.init(withUnsafeBytes(of: octets) { $0.reduce(0) { $0 << 8 | UInt64($1) } })
    }
}

/// Writes text into a C array of characters, cut to leave the final zero.
func storeName<Field: BitwiseCopyable>(_ name: String, in field: inout Field) {
    withUnsafeMutableBytes(of: &field) { bytes in
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        bytes.copyBytes(from: name.utf8.prefix(bytes.count - 1))
    }
}

func readName<Field: BitwiseCopyable>(_ field: Field) -> String {
    withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

extension Scheduler {
    var abi: UInt8 {
        switch self {
        case .wlc: UInt8(RIPTIDE_SCHEDULER_WLC.rawValue)
        case .lc: UInt8(RIPTIDE_SCHEDULER_LC.rawValue)
        case .wrr: UInt8(RIPTIDE_SCHEDULER_WRR.rawValue)
        case .rr: UInt8(RIPTIDE_SCHEDULER_RR.rawValue)
        case .sh: UInt8(RIPTIDE_SCHEDULER_SH.rawValue)
        case .maglev: UInt8(RIPTIDE_SCHEDULER_MAGLEV.rawValue)
        }
    }
}

extension ForwardingMode {
    /// Whether the data plane changes addresses, and sees the real servers' answers.
    var isTranslating: Bool { self == .nat || self == .snat }

    var abi: UInt8 {
        switch self {
        case .dr: UInt8(RIPTIDE_MODE_DR.rawValue)
        case .nat: UInt8(RIPTIDE_MODE_NAT.rawValue)
        case .snat: UInt8(RIPTIDE_MODE_SNAT.rawValue)
        case .tunnel: UInt8(RIPTIDE_MODE_TUNNEL.rawValue)
        // Layer 7 is not the data plane's: its ports are left to the kernel.
        case .proxy: preconditionFailure("a proxy's service has no entry in the maps")
        }
    }
}

extension Encapsulation {
    var abi: UInt8 {
        switch self {
        case .ipip: UInt8(RIPTIDE_ENCAPSULATION_IPIP.rawValue)
        case .gue: UInt8(RIPTIDE_ENCAPSULATION_GUE.rawValue)
        }
    }
}

extension RealServer {
    /// A server of weight 0 takes no new clients: the data plane knows that as draining.
    var abiState: UInt8 {
        switch state {
        case .halt: UInt8(RIPTIDE_SERVER_HALT.rawValue)
        case .drain: UInt8(RIPTIDE_SERVER_DRAIN.rawValue)
        case .online: UInt8(weight == 0 ? RIPTIDE_SERVER_DRAIN.rawValue : RIPTIDE_SERVER_ONLINE.rawValue)
        }
    }

    /// What wlc multiplies its connections by.
    var abiCost: UInt32 { weight == 0 ? .max : (RIPTIDE_COST_OF_ONE + UInt32(weight) - 1) / UInt32(weight) }

    /// Whether it has a share of new connections.
    var isScheduled: Bool { state == .online && weight > 0 }
}

extension Persistence {
    /// The prefix counted over sixteen octets, of which IPv4 uses the last four.
    func abiPrefix(for address: IPAddress) -> UInt8 {
        UInt8(address.family == .ipv4 ? 96 + prefix : prefix)
    }
}
