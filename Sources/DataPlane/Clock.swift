import BPFRuntime
import DataPlaneABI
import Glibc

/// The data plane's clock: the kernel's jiffies, which cost it nothing to read.
enum JiffiesClock {
    /// How many jiffies make a second, measured against the monotonic clock; takes a twentieth of a second.
    static func frequency() throws -> Int {
        let object = try Loader.open()
        try object.load(only: "clock")
        let program = try object.program("clock")
        let first = try reading(program)
        usleep(50_000)
        let last = try reading(program)
        let rate = Double(last.jiffies - first.jiffies) / ((last.time - first.time) / .seconds(1))
        // What kernels are built with; a tick more or less does not lead from one to another.
        return [100, 250, 300, 1000].min { abs($0 - rate) < abs($1 - rate) }.map { Int($0) }!
    }

    /// A count and its time, read again if something came between them.
    private static func reading(_ program: borrowing Program) throws -> (jiffies: UInt64, time: ContinuousClock.Instant) {
        for _ in 0..<100 {
            let before = ContinuousClock.now
            let jiffies = try now(program)
            let after = ContinuousClock.now
            if after - before < .milliseconds(1) { return (jiffies, after) }
        }
        throw DataPlaneError("read the kernel's clock", detail: "the machine is too busy: a hundred tries were interrupted")
    }

    static func now(_ program: borrowing Program) throws -> UInt64 {
        var context = DataPlaneABI.sweep()
        try program.call(&context)
        return context.now
    }
}
