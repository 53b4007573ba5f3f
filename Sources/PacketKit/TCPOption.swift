/// One option of a TCP header (RFC 9293 §3.2, RFC 7323, RFC 2018).
package enum TCPOption: Hashable, Sendable {
    case noOperation
    /// In octets.
    case maximumSegmentSize(UInt16)
    /// The shift count.
    case windowScale(UInt8)
    case selectiveAcknowledgementPermitted
    case selectiveAcknowledgement([Block])
    case timestamps(value: UInt32, echo: UInt32)
    /// Any other kind with its data, which do not count the octets of kind and length.
    case other(kind: UInt8, data: [UInt8])
    /// Octets as they are: the end of the list with what follows it, or an option whose length is wrong.
    case literal([UInt8])

    /// A received range: from `left`, up to and without `right`.
    package struct Block: Hashable, Sendable {
        package var left: UInt32
        package var right: UInt32

        package init(left: UInt32, right: UInt32) {
            self.left = left
            self.right = right
        }
    }

    func append(to bytes: inout [UInt8]) {
        switch self {
        case .noOperation:
            bytes.append(1)
        case .maximumSegmentSize(let size):
            bytes.append(2)
            bytes.append(4)
            bytes.append(big16: size)
        case .windowScale(let shift):
            bytes.append(3)
            bytes.append(3)
            bytes.append(shift)
        case .selectiveAcknowledgementPermitted:
            bytes.append(4)
            bytes.append(2)
        case .selectiveAcknowledgement(let blocks):
            bytes.append(5)
            bytes.append(UInt8(truncatingIfNeeded: 2 + 8 * blocks.count))
            for block in blocks {
                bytes.append(big32: block.left)
                bytes.append(big32: block.right)
            }
        case .timestamps(let value, let echo):
            bytes.append(8)
            bytes.append(10)
            bytes.append(big32: value)
            bytes.append(big32: echo)
        case .other(let kind, let data):
            bytes.append(kind)
            bytes.append(UInt8(truncatingIfNeeded: 2 + data.count))
            bytes.append(contentsOf: data)
        case .literal(let octets):
            bytes.append(contentsOf: octets)
        }
    }

    /// The options in `range` of `bytes`. Encoding them again yields the same octets.
    static func list(in bytes: [UInt8], _ range: Range<Int>) -> [TCPOption] {
        var options: [TCPOption] = []
        var offset = range.lowerBound
        while offset < range.upperBound {
            let left = range.upperBound - offset
            let kind = bytes[offset]
            if kind == 1 {
                options.append(.noOperation)
                offset += 1
                continue
            }
            // Fewer than four zeros at the end are what encoding fills up with.
            if kind == 0, left < 4, bytes[offset..<range.upperBound].allSatisfy({ $0 == 0 }) { break }
            guard kind != 0, left >= 2, bytes[offset + 1] >= 2, Int(bytes[offset + 1]) <= left else {
                options.append(.literal(Array(bytes[offset..<range.upperBound])))
                break
            }
            let length = Int(bytes[offset + 1])
            options.append(option(kind, in: bytes, offset + 2..<offset + length))
            offset += length
        }
        return options
    }

    private static func option(_ kind: UInt8, in bytes: [UInt8], _ data: Range<Int>) -> TCPOption {
        let start = data.lowerBound
        switch (kind, data.count) {
        case (2, 2): return .maximumSegmentSize(bytes.big16(at: start))
        case (3, 1): return .windowScale(bytes[start])
        case (4, 0): return .selectiveAcknowledgementPermitted
        case (5, let count) where count % 8 == 0:
            return .selectiveAcknowledgement(
                stride(from: start, to: data.upperBound, by: 8).map {
                    Block(left: bytes.big32(at: $0), right: bytes.big32(at: $0 + 4))
                })
        case (8, 8): return .timestamps(value: bytes.big32(at: start), echo: bytes.big32(at: start + 4))
        default: return .other(kind: kind, data: Array(bytes[data]))
        }
    }
}

extension TCPOption: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noOperation: "nop"
        case .maximumSegmentSize(let size): "mss \(size)"
        case .windowScale(let shift): "wscale \(shift)"
        case .selectiveAcknowledgementPermitted: "sackOK"
        case .selectiveAcknowledgement(let blocks):
            "sack " + blocks.map { "{\($0.left):\($0.right)}" }.joined()
        case .timestamps(let value, let echo): "TS val \(value) ecr \(echo)"
        case .other(let kind, let data): "option \(kind)" + (data.isEmpty ? "" : " 0x\(hexadecimalString(data))")
        case .literal(let octets): "octets 0x\(hexadecimalString(octets))"
        }
    }
}
