/// Numbers in network order, appended to, read from and written into a packet's octets.
extension [UInt8] {
    mutating func append(big16 value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    mutating func append(big32 value: UInt32) {
        append(big16: UInt16(truncatingIfNeeded: value >> 16))
        append(big16: UInt16(truncatingIfNeeded: value))
    }

    mutating func append(big48 value: UInt64) {
        append(big16: UInt16(truncatingIfNeeded: value >> 32))
        append(big32: UInt32(truncatingIfNeeded: value))
    }

    mutating func append(big64 value: UInt64) {
        append(big32: UInt32(truncatingIfNeeded: value >> 32))
        append(big32: UInt32(truncatingIfNeeded: value))
    }

    mutating func appendZeros(_ count: Int) {
        append(contentsOf: repeatElement(0, count: count))
    }

    func big16(at offset: Int) -> UInt16 {
        UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
    }

    func big32(at offset: Int) -> UInt32 {
        UInt32(big16(at: offset)) << 16 | UInt32(big16(at: offset + 2))
    }

    func big48(at offset: Int) -> UInt64 {
        UInt64(big16(at: offset)) << 32 | UInt64(big32(at: offset + 2))
    }

    func big64(at offset: Int) -> UInt64 {
        UInt64(big32(at: offset)) << 32 | UInt64(big32(at: offset + 4))
    }

    mutating func set(big16 value: UInt16, at offset: Int) {
        self[offset] = UInt8(truncatingIfNeeded: value >> 8)
        self[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}

/// The number in hexadecimal with `0x` and leading zeros for its whole width.
func hexadecimal(_ value: some FixedWidthInteger & UnsignedInteger) -> String {
    "0x" + hexadecimalDigits(value, count: value.bitWidth / 4)
}

func hexadecimalDigits(_ value: some BinaryInteger, count: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, count - digits.count)) + digits
}

/// The octets as pairs of digits with nothing between.
func hexadecimalString(_ bytes: some Sequence<UInt8>) -> String {
    bytes.reduce(into: "") { $0 += hexadecimalDigits($1, count: 2) }
}
