import PacketKit
import Testing

@Suite struct RobustnessTests {
    /// Changes that hit header fields as well as random ones do, and lengths above all.
    static func mutate(_ original: [UInt8], with generator: inout SeededGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            guard !bytes.isEmpty else { return bytes }
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<7, using: &generator) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            case 2: bytes[place] = [0, 1, 4, 6, 0x7f, 0x80, 0xff].randomElement(using: &generator) ?? 0
            case 3: bytes.removeSubrange(place...)
            case 4: bytes.append(contentsOf: bytes[place...])
            case 5: bytes.remove(at: place)
            default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
            }
        }
        return bytes
    }

    @Test func `100 000 mutated packets decode without a trap and build the same octets again`() {
        let originals =
            Samples.all.map { ($0.packet.bytes, $0.packet.start) } + Captured.whole.map { ($0.bytes, .ethernet) }
        var generator = SeededGenerator(seed: 2026)
        for round in 0..<100_000 {
            let (original, start) = originals[round % originals.count]
            let bytes = Self.mutate(original, with: &generator)
            let packet = Packet(decoding: bytes, startingAt: start)
            guard packet.bytes == bytes else {
                Issue.record("round \(round): \(octetsText(bytes)) became \(octetsText(packet.bytes))")
                return
            }
            if round % 20 == 0 {
                #expect(!packet.description.isEmpty || bytes.isEmpty)
                #expect(!packet.details.isEmpty || bytes.isEmpty)
                let difference = Packet.difference(original, bytes, startingAt: start)
                #expect(difference.isEmpty == (original == bytes))
                // The comparison of bare octets is the last resort: fields shall have found it.
                #expect(!difference.contains { $0.hasPrefix("frame") }, "round \(round): \(octetsText(bytes))")
            }
        }
    }

    @Test func `random octets decode and build the same octets again`() {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0...120, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            #expect(Packet(decoding: bytes).bytes == bytes)
            #expect(Packet(decoding: bytes, startingAt: .network).bytes == bytes)
        }
    }

    @Test func `every beginning of every packet decodes`() {
        for (name, packet) in Samples.all {
            let bytes = packet.bytes
            for count in 0...bytes.count {
                let cut = Array(bytes.prefix(count))
                #expect(Packet(decoding: cut, startingAt: packet.start).bytes == cut, "\(name) cut to \(count)")
            }
        }
    }

    @Test func `three thousand nested headers and a thousand nested errors do not exhaust the stack`() {
        let nested = Packet(layers: [Layer](repeating: Samples.v4, count: 3000))
        let bytes = nested.bytes
        let decoded = Packet(decoding: bytes, startingAt: .network)
        #expect(decoded == nested)
        let errors = Packet(
            layers: (0..<1000).reduce(into: []) { layers, _ in layers += [Samples.v4, .icmp(.unreachable(code: 3))] })
        #expect(!Packet(decoding: errors.bytes, startingAt: .network).details.isEmpty)
    }

    private func octetsText(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
