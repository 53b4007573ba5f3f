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
        let (firstJiffies, firstTime) = (try now(program), ContinuousClock.now)
        usleep(50_000)
        let (lastJiffies, lastTime) = (try now(program), ContinuousClock.now)
        let rate = Double(lastJiffies - firstJiffies) / ((lastTime - firstTime) / .seconds(1))
        // What kernels are built with; a tick more or less does not lead from one to another.
        return [100, 250, 300, 1000].min { abs($0 - rate) < abs($1 - rate) }.map { Int($0) }!
    }

    static func now(_ program: borrowing Program) throws -> UInt64 {
        var context = DataPlaneABI.sweep()
        try program.call(&context)
        return context.now
    }
}
