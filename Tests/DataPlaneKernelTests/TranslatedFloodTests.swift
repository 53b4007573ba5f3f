import BPFRuntime
import DataPlane
import LoadBalancing
import NetworkTypes
import PacketKit
import Testing

extension DataPlaneKernelTests {
    /// SYNs from random sources to a service that translates: each leaves a beginning, and none of them costs a flow.
    @Suite struct TranslatedFloods {
        @Test(arguments: [ForwardingMode.nat, .snat])
        func `100 000 SYNs leave established flows alone, both ways`(_ mode: ForwardingMode) throws {
            let service = VirtualService.sample(
                mode: mode, protocols: [.tcp, .udp], scheduler: .wlc, persistence: Persistence(prefix: 32), weights: [100, 100],
                port: 8080)
            let rig = try Rig([service], settings: DataPathSettings(flows: 32768, persistence: 4096))
            var conversations: [Conversation] = []
            for number in 0..<300 {
                let client = Client(number: number, port: UInt16(10000 + number))
                let seen = Packet(decoding: try rig.plane.test(client.syn.bytes).packet)
                let server = try #require(try rig.server(client.ack))
                conversations.append(
                    Conversation(client, server: server, port: 8080, source: seen.ipv4?.source, sourcePort: seen.tcp?.source))
            }
            let established = try rig.established()
            let remembered = try rig.plane.persistence().count
            let memory = (rig.plane.flowTable, rig.plane.persistenceTable)

            var random = SeededGenerator(seed: 5)
            var flood = FrameStamp(Client())
            var lost = 0
            for round in 0..<20 {
                for _ in 0..<5000 {
                    // 11.0.0.0/8: none of them is one of our clients.
                    flood.stamp(address: 0x0b00_0000 | UInt32(truncatingIfNeeded: random.next()) & 0xff_ffff)
                    flood.stamp(port: UInt16(truncatingIfNeeded: random.next()))
                    if try rig.server(flood.frame) == nil { lost += 1 }
                }
                for ours in conversations[(round * 15)..<(round * 15 + 15)] {
                    let (ack, answer) = (ours.client.ack, ours.answer([.psh, .ack], payload: "data"))
                    try rig.expect("flow", ack, .sent(ours.inside(ack), "forward.flow"))
                    try rig.expect("answer", answer, .sent(ours.outside(answer), "forward.answer"))
                }
            }
            #expect(lost == 0)
            #expect(try rig.flowCount == 300 && rig.established() == established)
            #expect(try rig.plane.persistence().count == remembered)
            #expect(rig.plane.flowTable == memory.0 && rig.plane.persistenceTable == memory.1)
            #expect(try rig.plane.sweep().evictedFlows == 0)
            // New ones come through, and what the flood holds is no more than there are places for beginnings.
            let begun = try rig.halfOpen().values.reduce(0, +)
            #expect(begun > 1000 && begun <= 32768 / 4)
            if mode == .snat { #expect(try rig.sourcePorts().values.reduce(0, +) == begun + 300) }
            for number in 1000..<1020 {
                let client = Client(number: number)
                let first = try #require(try rig.server(client.syn))
                #expect(try rig.server(client.ack) == first)
            }
        }
    }
}
