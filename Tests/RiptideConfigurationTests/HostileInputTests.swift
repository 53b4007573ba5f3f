import RiptideConfiguration
import Testing

/// Nothing that a file may contain crashes the reader, or holds it up for long.
@Suite struct HostileInputTests {
    private static let configuration = """
        version: 1
        node: { name: lb1 }
        interfaces:
          - { name: eth0, xdp: auto }
        datapath: { flows: 2048, timeouts: { udp: 5m } }
        auto-nat: eth1
        defaults: { scheduler: wlc, persistence: { prefix: 24, timeout: 5m }, clients: { allow: [10.0.0.0/8, fd00::/8], rate: 100 } }
        cluster: { floating-addresses: [192.168.94.1, "2001:db8::1"] }
        services:
          - name: "A"
            address: 192.168.94.110
            ports: 1935,554,50000-65535
            protocol: tcp/udp
            persistence: off
            check: { type: https, expect: { status: 200, contains: 'x' }, interval: 10s }
            servers:
              - name: HT1          # a comment
                address: 192.168.94.115
                weight: 100
              - { name: HT2, address: 192.168.94.116, state: drain, "weight": 7 }
          - name: B
            mode: snat
            address: 192.168.94.111
            ports: 80
            source: { addresses: [192.168.94.9, 192.168.94.10], ports: 1024-32767 }
            fallback: { address: 192.168.94.200, port: 8080 }
            expire: true
            clients: { deny: [10.1.0.0/16, 10.2.0.1], rate: 5, burst: 9 }
            servers: [{ name: a, address: 192.168.95.2, port: 8080, max-connections: 500 }]
          - { name: C, mode: tunnel, encapsulation: gue, address: 192.168.94.112, ports: 80,
              servers: [{ name: a, address: "2001:db8:1::2" }] }
        """

    /// Reads a text and holds the result against what is promised of every result.
    private func probe(_ text: String) {
        let result = ConfigurationReader.read(text, file: "f", facts: nil)
        let errors = result.diagnostics.filter { $0.severity == .error }
        #expect((result.configuration == nil) == !errors.isEmpty)
        let places = result.diagnostics.map { [$0.line, $0.column] }
        #expect(zip(places, places.dropFirst()).allSatisfy { !$1.lexicographicallyPrecedes($0) })
        for diagnostic in result.diagnostics {
            #expect(diagnostic.line >= 1 && diagnostic.column >= 1)
            #expect(!diagnostic.path.isEmpty && !diagnostic.message.isEmpty && !diagnostic.cure.isEmpty)
            #expect(diagnostic.description.utf8.count < 2000)
            #expect(!diagnostic.description.utf8.contains { $0 < 0x20 })
        }
    }

    /// A small generator with a known seed, so that a failure can be repeated.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    @Test(arguments: 0..<16)
    func `mutated configurations`(seed: UInt64) {
        var generator = Generator(state: seed)
        let original = Array(Self.configuration.utf8)
        let pieces = [
            "\t", "\0", "\u{feff}", "- ", ": ", "? ", "&a ", "*a", "{", "}", "[", "]", "\"", "'", "|\n", ">+\n", "#", "%YAML 1.1\n",
            "---\n", "...\n", "!!int ", "!", "<<: ", "~", "\r", "\u{85}", "\u{2028}", "é", "\u{1f600}", ",", "\n\n", "@", "`", "\\x",
            "0x", "99999999999999999999", "name: ", "weight: 1\n", "\u{e000}",
        ].map { Array($0.utf8) }
        for _ in 0..<150 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                let end = min(bytes.count, at + Int.random(in: 0...20, using: &generator))
                switch Int.random(in: 0..<5, using: &generator) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.removeSubrange(at..<end)
                case 2: bytes.insert(contentsOf: pieces[Int.random(in: 0..<pieces.count, using: &generator)], at: at)
                case 3: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0..<bytes.count, using: &generator))
                default: bytes.append(contentsOf: original[(at % original.count)...])
                }
                if bytes.isEmpty { bytes = [10] }
            }
            probe(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test func `the configuration itself is free of errors`() {
        #expect(ConfigurationReader.read(Self.configuration, file: "f", facts: nil).configuration != nil)
    }

    @Test func `every beginning of a configuration`() {
        let bytes = Array(Self.configuration.utf8)
        for length in bytes.indices { probe(String(decoding: bytes[..<length], as: UTF8.self)) }
    }

    @Test(arguments: 0..<4)
    func `random bytes`(seed: UInt64) {
        var generator = Generator(state: seed &+ 1000)
        for _ in 0..<100 {
            let bytes = (0..<Int.random(in: 0...200, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            probe(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test(arguments: ["[", "{", "{a: ", "- ", "? ", "a:\n", "[{a: ", "!!seq [", "'", "\"", "(", "[? ", "- ? - "])
    func `deep nesting`(opening: String) {
        for count in [40, 900, 20_000] { probe(String(repeating: opening, count: count)) }
    }

    @Test func `nesting that grows by a column in every line`() {
        probe((0..<1500).map { String(repeating: " ", count: $0) + "a:\n" }.joined())
        probe((0..<900).map { String(repeating: " ", count: $0) + "- \n" }.joined() + String(repeating: " ", count: 901) + "x")
    }

    @Test func `balanced nesting is refused with its place`() {
        let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        probe("services: " + deep)
        #expect(complaints("services: " + deep).first?.contains("more than 32 levels deep") == true)
    }

    @Test func `huge scalars, keys and lists`() {
        let huge = String(repeating: "x", count: 2_000_000)
        probe("version: " + huge)
        probe("version: '" + huge + "'")
        probe("\"" + huge + "\": 1")
        probe("version: |\n " + huge)
        probe("version: 1\nnode: { name: " + huge + " }\n")
        probe(document(ports: String(repeating: "80,", count: 200_000)))
        probe(document(ports: "[" + String(repeating: "x, ", count: 50_000) + "]"))
        probe("services:\n" + String(repeating: "  - a\n", count: 50_000))
        probe((0..<50_000).map { "k\($0): 1\n" }.joined())
        probe(String(repeating: "version: 1\n", count: 50_000))
        probe(document(server: "weight: " + String(repeating: "9", count: 100_000)))
        probe(document(service: "persistence: { timeout: " + String(repeating: "9", count: 100_000) + "h }"))
        probe(String(repeating: "\n", count: 17 << 20))
    }

    @Test func `a bomb of aliases is refused before it goes off`() {
        let values = (1..<40).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]\n" }.joined()
        let keys = (1..<40).map { "? &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]\n: 1\n" }.joined()
        for text in ["a0: &a0 [x]\n" + values, "? &a0 [x]\n: 1\n" + keys, "a: &a { <<: *a }\n", "a: &a [*a]\n"] {
            probe(text)
            #expect(complaints(text).first?.contains("anchors and aliases") == true)
        }
    }

    @Test func `an ampersand and an asterisk that are no anchor and no alias do no harm`() {
        let text = document(service: "check: { type: none, request: \"/a?b=1&c=*\" }   # 2 * 3 & 4, R&D")
        #expect(complaints(text) == [])
    }

    @Test func `many services that all overlap are reported within bounds`() {
        let lines = (0..<3000).map { "  - { name: s\($0), address: 10.0.0.1, ports: 1-65535 }\n" }
        let text = "version: 1\nnode: { name: a }\ninterfaces: [{ name: eth0 }]\nservices:\n" + lines.joined()
        let result = read(text)
        #expect(result.configuration == nil)
        #expect(result.diagnostics.count <= 2002)
    }
}
