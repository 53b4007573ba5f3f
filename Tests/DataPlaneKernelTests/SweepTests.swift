import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import TestSupport
import Testing

extension DataPlaneKernelTests {
    /// Housekeeping: what is silent for too long goes, and counts become what the table holds.
    @Suite struct Sweeps {
        static let service = VirtualService.sample(
            protocols: [.tcp, .udp], scheduler: .rr, persistence: nil, weights: [100, 100])

        /// One flow of each state; only the one whose time-out is short goes.
        @Test(arguments: [FlowRecord.State.established, .closing, .udp])
        func `flows expire by the time-out of their state`(_ state: FlowRecord.State) throws {
            var settings = Rig.small
            switch state {
            case .established: settings.timeouts.tcpEstablished = .milliseconds(300)
            case .closing: settings.timeouts.tcpFin = .milliseconds(300)
            case .udp: settings.timeouts.udp = .milliseconds(300)
            }
            let rig = try Rig([Self.service], settings: settings)
            let (open, closing, datagrams) = (Client(port: 1), Client(port: 2), Client(port: 3))
            try rig.open(open)
            try rig.open(closing)
            _ = try rig.server(closing.tcp([.fin, .ack]))
            for _ in 0..<2 { _ = try rig.server(datagrams.udp()) }
            #expect(try rig.plane.sweep().flows == 3)
            let others = Set([FlowRecord.State.established, .closing, .udp]).subtracting([state])
            var expired = 0
            try eventually("the flow expires") {
                expired += try rig.plane.sweep().expiredFlows
                return try Set(rig.flows().map(\.state)) == others
            }
            #expect(expired == 1)
            #expect(try rig.established().values.reduce(0, +) == (state == .closing ? 2 : 1))
            let report = try rig.plane.sweep()
            #expect(report.flows == 2 && report.expiredFlows == 0)
        }

        @Test func `a flow with traffic does not expire`() throws {
            var settings = Rig.small
            settings.timeouts.tcpEstablished = .milliseconds(300)
            let rig = try Rig([Self.service], settings: settings)
            let (busy, silent) = (Client(port: 1), Client(port: 2))
            let server = try rig.open(busy)
            try rig.open(silent)
            try eventually("the silent flow expires") {
                #expect(try rig.server(busy.ack) == server)
                return try rig.plane.sweep().flows == 1
            }
            #expect(try rig.flows().map(\.clientPort) == [1])
        }

        @Test func `clients expire, and those of a service without affinity at once`() throws {
            var service = Self.service
            service.persistence = Persistence(prefix: 32, timeout: .seconds(1))
            let rig = try Rig([service])
            try rig.open(Client(number: 1))
            #expect(try rig.plane.sweep().persistence == 1)
            var expired = 0
            try eventually("the client expires") {
                let report = try rig.plane.sweep()
                expired += report.expiredPersistence
                return report.persistence == 0
            }
            #expect(expired == 1)
            try rig.open(Client(number: 2))
            try rig.apply([Self.service])
            #expect(try rig.plane.persistence().isEmpty)
            #expect(try rig.plane.sweep().expiredPersistence == 1)
        }

        @Test func `beginnings that nobody confirmed are no load for ever`() throws {
            var settings = Rig.small
            settings.timeouts.tcpSyn = .seconds(1)
            let rig = try Rig([Self.service], settings: settings)
            for port: UInt16 in 1...10 { _ = try rig.server(Client(port: port).syn) }
            #expect(try rig.halfOpen() == ["s1": 5, "s2": 5])
            try eventually("they are forgotten") {
                _ = try rig.plane.sweep()
                return try rig.halfOpen() == ["s1": 0, "s2": 0]
            }
        }

        @Test func `counts are what the table holds also while it evicts flows`() throws {
            let rig = try Rig([Self.service], settings: DataPathSettings(flows: 1024, persistence: 1024))
            for number in 0..<5000 { try rig.open(Client(number: number, port: UInt16(10000 + number))) }
            var held = ["s1": 0, "s2": 0]
            for flow in try rig.flows() { held[flow.server ?? "none", default: 0] += 1 }
            let total = held.values.reduce(0, +)
            #expect(total == 1024)
            #expect(try rig.established() == held)
            let report = try rig.plane.sweep()
            #expect(report.flows == total && report.evictedFlows == 5000 - 1024)
            #expect(try rig.established() == held)
        }

        /// Ten connections and ten clients' datagrams, half of them at each of both servers.
        private func fill(_ rig: Rig) throws {
            for port: UInt16 in 1...10 { try rig.open(Client(port: port)) }
            for port: UInt16 in 1...10 { for _ in 0..<2 { _ = try rig.server(Client(number: 2, port: port).udp()) } }
            #expect(try rig.established() == ["s1": 10, "s2": 10])
        }

        @Test func `datagrams' flows of servers that are halted or gone are deleted`() throws {
            let rig = try Rig([Self.service])
            try fill(rig)
            try rig.apply([Self.service.with("s1") { $0.state = .halt }])
            var report = try rig.plane.sweep()
            #expect(report.flows == 15 && report.expiredFlows == 5)
            #expect(try rig.established() == ["s1": 0, "s2": 10])
            try rig.apply([Self.service.without("s2")])
            report = try rig.plane.sweep()
            #expect(report.flows == 10 && report.expiredFlows == 5)
            #expect(try rig.flows().allSatisfy { $0.transport == .tcp })
        }

        /// As long as they are known, what their clients still send is known for what it is.
        @Test func `connections of servers that are halted or gone are closed, and kept as long as closed ones`() throws {
            var settings = Rig.small
            settings.timeouts.tcpFin = .milliseconds(300)
            let rig = try Rig([Self.service], settings: settings)
            for port: UInt16 in 1...20 { try rig.open(Client(port: port)) }
            try rig.apply([Self.service.with("s1") { $0.state = .halt }])
            let report = try rig.plane.sweep()
            #expect(report.flows == 20 && report.expiredFlows == 0)
            #expect(try rig.established() == ["s1": 0, "s2": 10])
            #expect(try rig.flows().filter { $0.state == .closing }.compactMap(\.server) == [String](repeating: "s1", count: 10))
            try rig.expect("of a closed flow", Client(port: 1).ack, .dropped("drop.server-gone"))
            var expired = 0
            try eventually("they expire") {
                expired += try rig.plane.sweep().expiredFlows
                return try rig.flowCount == 10
            }
            #expect(expired == 10)
            #expect(try rig.flows().allSatisfy { $0.server == "s2" && $0.state == .established })
        }

        @Test func `flows of a service that is gone are deleted at once`() throws {
            let rig = try Rig([Self.service])
            try fill(rig)
            let other = VirtualService.sample("other", ports: "443", weights: [1], firstServer: 11)
            try rig.apply([other])
            let report = try rig.plane.sweep()
            #expect(report.flows == 0 && report.expiredFlows == 20)
        }
    }
}
