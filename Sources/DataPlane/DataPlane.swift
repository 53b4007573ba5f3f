package import BPFRuntime
import DataPlaneABI
import Glibc
package import LoadBalancing
package import NetworkTypes

/// The data plane as the daemon sees it: services in, counters out. It holds no state of its own that the kernel does not have,
/// so a new one over the same pins goes on where the last ended.
package final class DataPlane {
    package let pins: PinDirectory
    private let hz: Int
    private(set) var settings: DataPathSettings
    private(set) var maps: LoadedObject
    private(set) var tables: ServiceTables
    /// By server: how far the last sweep found the count of beginnings off.
    var halfOpenErrors: [Int: Int32] = [:]
    var pathMTUsForgotten = ContinuousClock.now

    /// Loads the program over what is pinned below `pins`, or anew. Where an earlier program runs, it is replaced in place.
    package init(pins: PinDirectory, settings: DataPathSettings, services: [VirtualService]) throws {
        self.pins = pins
        self.settings = settings
        hz = try JiffiesClock.frequency()
        let loader = Loader(pins: pins)
        let needed = Capacity(settings: settings, services: services)
        let capacity = try loader.presentCapacity(default: needed)?.grown(to: needed) ?? needed
        maps = try loader.load(capacity: capacity, settings: settings, hz: hz)
        tables = try ServiceTables(maps)
    }

    /// Makes the maps hold just these services. Weights and states are those in effect.
    ///
    /// - Parameter addresses: What this node answers for besides the VIPs, and leaves to the kernel otherwise.
    package func apply(
        _ services: [VirtualService], addresses: Set<IPAddress> = [], settings: DataPathSettings,
        nextHop: (IPAddress) -> NextHop?
    ) throws -> MapWrites {
        let needed = Capacity(settings: settings, services: services)
        if settings != self.settings || !maps.capacity.suffices(for: needed) {
            try reload(capacity: maps.capacity.grown(to: needed), settings: settings)
        }
        do {
            return try tables.apply(services, addresses: addresses, to: maps, nextHop: nextHop)
        } catch is ServiceTables.OutOfRoom {
            var larger = maps.capacity
            larger.slotElements += needed.slotElements
            try reload(capacity: larger, settings: settings)
            return try tables.apply(services, addresses: addresses, to: maps, nextHop: nextHop)
        }
    }

    private func reload(capacity: Capacity, settings: DataPathSettings) throws {
        maps = try Loader(pins: pins).load(capacity: capacity, settings: settings, hz: hz)
        self.settings = settings
        tables.moved(to: maps)
    }

    /// Brings real servers' next hops up to date: of the servers with these addresses, or of all.
    package func refreshNextHops(of addresses: Set<IPAddress>? = nil, _ nextHop: (IPAddress) -> NextHop?) -> MapWrites {
        tables.refreshNextHops(of: addresses, in: maps, nextHop: nextHop)
    }

    /// Whether this node answers for the VIPs. It goes on to do so, or not to, without the daemon.
    package func setActive(_ active: Bool) {
        maps.node[0] = node(active: active ? 1 : 0, reserved: 0, lease_until: 0)
    }

    package var isActive: Bool { maps.node[0].active != 0 }

    /// The kernel's number of the program that this daemon loaded.
    package var programID: UInt32 { maps.program.id }

    /// Runs the very program that forwards, on a packet that seems to come in by interface 1, and sends it nowhere. Maps and
    /// counters change as they would by a real packet.
    package func test(_ packet: [UInt8], repetitions: Int = 1) throws -> Program.TestResult {
        try maps.program.test(packet, repetitions: repetitions)
    }

    /// The program that forwards, for what runs or attaches it in a way of its own.
    package func withProgram<Result>(_ body: (borrowing Program) throws -> Result) rethrows -> Result {
        try body(maps.program)
    }

    /// Jiffies now, and how many make a second.
    func clock() throws -> (now: UInt64, hz: UInt64) {
        (try JiffiesClock.now(maps.clock), UInt64(hz))
    }
}
