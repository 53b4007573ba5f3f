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
        var length: UInt32 = 0
        var varied: UInt32 = 0
        var flowMask: UInt32 = 0
        var program: UInt32 = 0
        var interface: UInt32 = 0
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
    let reference: Program
    let referenceLearn: Program
    let generator: Program
    let sink: Program
    private let template: Map<UInt32, Template>
    private let counted: PerCPUArray<Counts>
    private let programs: Map<UInt32, UInt32>

    init() throws {
        let text = embeddedObject.withUTF8Buffer { String(decoding: $0, as: UTF8.self) }
        let object = try BPFObject(bytes: Array(Data(base64Encoded: text) ?? Data()), name: "reference")
        try object.load()
        wrapper = try object.program("wrapper")
        empty = try object.program("empty")
        reflect = try object.program("reflect")
        reference = try object.program("reference")
        referenceLearn = try object.program("reference_learn")
        generator = try object.program("generator")
        sink = try object.program("sink")
        template = try object.map("template")
        counted = try PerCPUArray(object.anyMap("counted"), name: "counted")
        programs = try object.map("programs")
    }

    /// Makes the wrapper call `program` under this number.
    func register(_ program: borrowing Program, as number: UInt32) throws {
        try programs.set(UInt32(program.number), for: number)
    }

    /// What the wrapper and the generator make: packets like this one, of `flows` sources (a power of two).
    func use(_ packet: [UInt8], flows: Int, program: UInt32 = 0, interface: UInt32 = 0, sink: MACAddress = .zero) throws {
        var value = Template()
        withUnsafeMutableBytes(of: &value.header) { $0.copyBytes(from: packet.prefix(Self.headerSize)) }
        // The last four octets of the source address, less two: behind 14 of Ethernet and 12 or 20 of IP.
        value.varied = packet[12] == 0x86 ? 32 : 24
        value.flowMask = UInt32(flows - 1)
        value.program = program
        value.interface = interface
        value.sinkMAC = sink.octets.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        try template.set(value, for: 0)
        try counted.set(Counts(), at: 0)
    }

    func counts() throws -> Counts {
        // All runs on one CPU: the others' counts are zero.
        try counted.values(at: 0).max { $0.arrived < $1.arrived } ?? Counts()
    }
}
