import BPFRuntime
import FoundationEssentials
import NetworkTypes

/// bpf/bench/reference.bpf.c, loaded.
final class BenchObject {
    /// As the C side has it.
    struct Template: BitwiseCopyable {
        var header:
            (
                UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
            ) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        var addressAt: UInt32 = 0
        var portsAt: UInt32 = 0
        var flowMask: UInt32 = 0
        var first: UInt32 = 0
        var begins: UInt32 = 0
        var frameLength: UInt32 = 0
        var program: UInt32 = 0
        var interface: UInt32 = 0
        var beside: UInt32 = 0
        var reserved: UInt32 = 0
        var sinkMAC: UInt64 = 0
    }

    struct Counts: BitwiseCopyable {
        var made: UInt64 = 0
        var arrived: UInt64 = 0
        var strayed: UInt64 = 0
        var firstTime: UInt64 = 0
        var firstArrived: UInt64 = 0
        var lastTime: UInt64 = 0
        var lastArrived: UInt64 = 0

        /// Million arrivals a second, by the sink's clock: what comes before and after the stream does not count.
        var rate: Double { Double(lastArrived - firstArrived) * 1000 / Double(max(1, lastTime - firstTime)) }
    }

    static let headerSize = 80

    let wrapper: Program
    let empty: Program
    let reflect: Program
    let redirect: Program
    let reference: Program
    let referenceLearn: Program
    let generator: Program
    let sink: Program
    private var template = Template()
    private let templates: Map<UInt32, Template>
    private let words: MappedArray<Traffic.Words>
    private let counted: PerCPUArray<Counts>
    private let programs: Map<UInt32, UInt32>

    init() throws {
        let text = embeddedObject.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
        let object = try BPFObject(bytes: Array(Data(base64Encoded: text) ?? Data()), name: "reference")
        try object.load()
        wrapper = try object.program("wrapper")
        empty = try object.program("empty")
        reflect = try object.program("reflect")
        redirect = try object.program("redirect")
        reference = try object.program("reference")
        referenceLearn = try object.program("reference_learn")
        generator = try object.program("generator")
        sink = try object.program("sink")
        templates = try object.map("template")
        let flowWords: Map<UInt32, Traffic.Words> = try object.map("flow_words")
        words = try flowWords.mapped()
        counted = try PerCPUArray(object.anyMap("counted"), name: "counted")
        programs = try object.map("programs")
    }

    /// Makes the wrapper call `program` under this number.
    func register(_ program: borrowing Program, as number: UInt32) throws {
        try programs.set(UInt32(program.number), for: number)
    }

    /// What the wrapper and the generator make from now on.
    func use(_ traffic: Traffic) {
        withUnsafeMutableBytes(of: &template.header) { $0.copyBytes(from: traffic.packet.prefix(Self.headerSize)) }
        for (number, word) in traffic.words.enumerated() { words[number] = word }
        template.addressAt = UInt32(traffic.addressAt)
        template.portsAt = UInt32(traffic.portsAt)
        template.flowMask = UInt32(traffic.words.count - 1)
        template.begins = traffic.begins ? 1 : 0
        template.frameLength = traffic.isWrapped ? UInt32(traffic.packet.count) : 0
    }

    /// Makes the wrapper call the program of this number; the next packet that it makes is that of this number.
    func call(_ program: UInt32, first: Int) throws {
        template.program = program
        template.first = UInt32(first)
        try begin()
    }

    /// Makes the generator send by `interface`, `redirect` by `beside`, and the sinks count frames to `mac`.
    func send(by interface: UInt32, beside: UInt32, to mac: MACAddress) throws {
        template.interface = interface
        template.beside = beside
        template.first = 0
        template.sinkMAC = mac.octets.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        try begin()
    }

    private func begin() throws {
        try templates.set(template, for: 0)
        try counted.set(Counts(), at: 0)
    }

    func counts() throws -> Counts {
        // All runs on one CPU: the others' counts are zero.
        try counted.values(at: 0).max { $0.arrived < $1.arrived } ?? Counts()
    }
}
