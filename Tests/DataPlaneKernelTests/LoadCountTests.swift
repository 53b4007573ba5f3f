import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import TestSupport
import Testing

extension Rig {
    /// The first word of the load is what riptide_add_connections() changes.
    private struct ServerLoad: BitwiseCopyable {
        var connections: Int64
        var others: (UInt64, UInt64, UInt64)
    }

    /// Makes the running count of the first server wrong, as a race of two CPUs may.
    func miscount(established: Int = 0, halfOpen: Int = 0) throws {
        let path = "\(plane.pins.maps)/server_loads"
        guard let pinned = try AnyMap.pinned(at: path) else { throw TestFailure("there is no map at \(path)") }
        let loads = try Map<UInt32, ServerLoad>(pinned, name: "server_loads")
        guard var load = try loads.value(for: 1) else { throw TestFailure("there is no server 1") }
        load.connections += Int64(halfOpen) << 32 + Int64(established)
        try loads.set(load, for: 1)
    }
}

extension DataPlaneKernelTests {
    /// Open connections and beginnings of a server are two halves of one word: each is exact whatever the other does.
    @Suite struct LoadCounts {
        private static let modes = [ForwardingMode.dr, .nat, .snat, .tunnel]
        /// Of a few clients no two meet in one place for beginnings.
        private static let settings = DataPathSettings(flows: 1 << 17, persistence: 1024)

        @Test(arguments: modes)
        func `counts are exact while connections begin, open and end in any order`(_ mode: ForwardingMode) throws {
            enum State { case none, begun, open, closing }
            let rig = try Rig([.sample(mode: mode, scheduler: .lc, weights: [1, 1, 1])], settings: Self.settings)
            var random = SeededGenerator(seed: 64)
            var states = [State](repeating: .none, count: 20)
            for step in 0..<3000 {
                let number = Int.random(in: 0..<states.count, using: &random)
                let client = Client(number: number)
                switch (states[number], Int.random(in: 0..<3, using: &random)) {
                case (.none, _), (.begun, 0), (.closing, 0):
                    _ = try rig.server(client.syn)
                    states[number] = .begun
                case (.begun, 1):
                    _ = try rig.server(client.ack)
                    states[number] = .open
                case (.begun, _):
                    _ = try rig.server(client.tcp(.rst))
                    states[number] = .closing
                case (.open, 0):
                    _ = try rig.server(client.tcp([.fin, .ack]))
                    states[number] = .closing
                case (.open, _), (.closing, _):
                    _ = try rig.server(client.ack)
                }
                let counted = (try rig.established(), try rig.halfOpen())
                #expect(counted.0.values.reduce(0, +) == states.count { $0 == .open }, "step \(step)")
                #expect(counted.1.values.reduce(0, +) == states.count { $0 == .begun }, "step \(step)")
                if step % 500 == 499 { #expect(try rig.plane.audit().errors == []) }
            }
        }

        /// Unsigned, it would be the highest of all.
        @Test(arguments: [Scheduler.lc, .wlc], [(-3, 0), (0, -3), (-4, 1), (1, -4)])
        func `a server whose count is below zero for a while gets its share`(
            _ scheduler: Scheduler, _ error: (established: Int, halfOpen: Int)
        ) throws {
            let rig = try Rig([.sample(scheduler: scheduler, weights: [7, 7])], settings: Self.settings)
            try rig.miscount(established: error.established, halfOpen: error.halfOpen)
            var shares: [Int: Int] = [:]
            for port: UInt16 in 1...60 { shares[try rig.open(Client(port: port)), default: 0] += 1 }
            // It is levelled with the other by what is counted: three fewer than there are.
            #expect(shares == [1: 31, 2: 29] || shares == [1: 32, 2: 28], "\(shares)")
            // Beginnings may come and go while a sweep runs: two must agree that they are off.
            for _ in 0..<2 { _ = try rig.plane.sweep() }
            #expect(try rig.established() == ["s1": shares[1] ?? 0, "s2": shares[2] ?? 0])
            #expect(try rig.halfOpen() == ["s1": 0, "s2": 0])
            #expect(try rig.plane.audit().errors == [])
        }

        @Test func `a server that seems to have fewer than none is not full`() throws {
            var service = VirtualService.sample(weights: [1])
            service.servers[0].maxConnections = 2
            for (established, halfOpen) in [(-1, 0), (0, -1)] {
                let rig = try Rig([service], settings: Self.settings)
                try rig.miscount(established: established, halfOpen: halfOpen)
                for number in 1...3 { #expect(try rig.server(Client(number: number).syn) == 1) }
                let late = Client(number: 4)
                try rig.expect("SYN", late.syn, .sent(late.syn.resetInReturn, "reply.refused"))
            }
        }

        @Test(arguments: modes)
        func `a close that comes before the correction spoils no count for good`(_ mode: ForwardingMode) throws {
            let rig = try Rig([.sample(mode: mode, weights: [1])], settings: Self.settings)
            let client = Client(number: 1)
            try rig.open(client)
            for number in 2...4 { _ = try rig.server(Client(number: number).syn) }
            #expect(try rig.established() == ["s1": 1] && rig.halfOpen() == ["s1": 3])
            try rig.miscount(established: -1)
            #expect(try rig.established() == ["s1": 0] && rig.halfOpen() == ["s1": 3])
            _ = try rig.server(client.tcp([.fin, .ack]))
            #expect(try rig.established() == ["s1": 0])
            _ = try rig.plane.sweep()
            #expect(try rig.established() == ["s1": 0] && rig.halfOpen() == ["s1": 3])
            for number in 2...4 { _ = try rig.server(Client(number: number).ack) }
            #expect(try rig.established() == ["s1": 3] && rig.halfOpen() == ["s1": 0])
            #expect(try rig.plane.audit().errors == [])
        }

        @Test func `beginnings that are confirmed before the correction are counted right after it`() throws {
            let rig = try Rig([.sample(weights: [1])], settings: Self.settings)
            for number in 1...5 { _ = try rig.server(Client(number: number).syn) }
            try rig.miscount(halfOpen: -2)
            for number in 1...4 { _ = try rig.server(Client(number: number).ack) }
            // One has begun, and minus one is counted: open connections beside it are exact.
            #expect(try rig.established() == ["s1": 4] && rig.halfOpen() == ["s1": 0])
            for _ in 0..<2 { _ = try rig.plane.sweep() }
            #expect(try rig.established() == ["s1": 4] && rig.halfOpen() == ["s1": 1])
        }
    }
}
