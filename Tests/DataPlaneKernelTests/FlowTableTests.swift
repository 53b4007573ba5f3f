import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// The table of flows as such: what fits, what makes way, what is found again.
    @Suite struct FlowTables {
        static let service = VirtualService.sample(scheduler: .maglev, weights: [100, 100])
        static let capacity = 4096

        private func rig() throws -> Rig {
            try Rig([Self.service], settings: DataPathSettings(flows: Self.capacity, persistence: 1024))
        }

        private func client(_ number: Int) -> Client { Client(number: number, port: UInt16(1024 + number)) }

        @Test func `seven tenths of the places are filled before a flow makes way`() throws {
            let rig = try rig()
            let count = Self.capacity * 7 / 10
            for number in 0..<count { try rig.open(client(number)) }
            #expect(try rig.flowCount == count)
            #expect(try rig.plane.sweep().evictedFlows == 0)
            let rises = try rig.rises { for number in 0..<count { _ = try rig.server(client(number).ack) } }
            #expect(rises == ["forward.flow": count])
        }

        @Test func `a full table evicts what was silent for long, not what is in use`() throws {
            let rig = try rig()
            let busy = (0..<200).map(client)
            for client in busy { try rig.open(client) }
            for number in 200..<Self.capacity * 4 {
                try rig.open(client(number))
                // Some hundred others begin between two packets of a busy client.
                _ = try rig.server(busy[number % busy.count].ack)
            }
            #expect(try rig.flowCount == Self.capacity)
            let rises = try rig.rises { for client in busy { _ = try rig.server(client.ack) } }
            #expect(rises == ["forward.flow": busy.count])
        }

        @Test func `a flow that is begun again after its server went has one entry`() throws {
            let rig = try rig()
            for number in 0..<100 { try rig.open(client(number)) }
            try rig.apply([Self.service.without("s2")])
            for number in 0..<100 { #expect(try rig.open(client(number)) == 1) }
            #expect(try rig.flowCount == 100)
            #expect(try rig.established() == ["s1": 100])
        }
    }
}
