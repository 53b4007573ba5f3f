import DataPlane
import NetworkTypes
import PacketKit

/// Comparing frames, and their checksums.
extension Judge {
    func compare(_ outcome: Outcome, _ expected: [UInt8]) throws {
        guard expected != outcome.output else { return }
        let differences = Packet.difference(expected, outcome.output).prefix(4)
        throw Complaint("content of \(outcome.counterName)", differences.joined(separator: "; "))
    }

    /// PacketKit's word for it: what came without a wrong checksum leaves without one.
    func checkChecksums(_ outcome: Outcome) throws {
        let left = Packet(decoding: outcome.output)
        guard left.hasWrongChecksum, !Packet(decoding: outcome.input).hasWrongChecksum else { return }
        throw Complaint("checksum of \(outcome.counterName)", "right when it came, and wrong when it left: \(left)")
    }

    func requireSameLength(_ outcome: Outcome) throws {
        guard outcome.output.count == outcome.input.count else {
            throw Complaint("length", "\(outcome.input.count) octets came, \(outcome.output.count) leave")
        }
    }

    /// Of a header with its checksum: the same sum before and after means that the checksum is as right as it was.
    func requireSameSum(
        _ name: String, _ input: [UInt8], _ output: [UInt8], _ range: Range<Int>, at place: Int
    ) throws {
        guard input.sum(range) == output.sum(place..<place + range.count) else {
            throw Complaint("checksum of \(name)", "the checksum changed by another sum than its words")
        }
    }

    /// Of TCP and UDP, of whose words only those in `ranges` change, and the checksum field.
    func requireSameSum(
        _ name: String, _ input: [UInt8], _ output: [UInt8], _ ranges: [Range<Int>], field: Int
    ) throws {
        func sum(_ frame: [UInt8]) -> Int {
            ranges.reduce(Int(frame.number16(field))) { $0 + frame.sum($1) } % 65535
        }
        if name.hasSuffix("UDP") {
            guard (input.number16(field) == 0) == (output.number16(field) == 0) else {
                throw Complaint("checksum of \(name)", "with a checksum, or without, but not as it came")
            }
            if input.number16(field) == 0 { return }
        }
        guard sum(input) == sum(output) else {
            throw Complaint("checksum of \(name)", "the checksum changed by another sum than its words")
        }
    }
}

extension Packet {
    /// A tunnel's UDP has none, over IPv6 too (RFC 6935).
    fileprivate var hasWrongChecksum: Bool {
        checksums.contains {
            if case .wrong(let found, _) = $0.status { found != 0 || $0.name != "udp" } else { false }
        }
    }
}

extension [UInt8] {
    /// Takes over a word of another frame.
    mutating func keep(_ offset: Int, of other: [UInt8]) { put16(other.number16(offset), offset) }
}
