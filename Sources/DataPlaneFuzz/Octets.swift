import NetworkTypes

/// Numbers in network order within a frame, and sums of its words. Written apart from PacketKit, which checks the same frames.
extension [UInt8] {
    func number16(_ offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

    func number32(_ offset: Int) -> UInt32 { UInt32(number16(offset)) << 16 | UInt32(number16(offset + 2)) }

    func number64(_ offset: Int) -> UInt64 { UInt64(number32(offset)) << 32 | UInt64(number32(offset + 4)) }

    func mac(_ offset: Int) -> UInt64 { UInt64(number16(offset)) << 32 | UInt64(number32(offset + 2)) }

    /// The address of an IP header's family that begins here.
    func address(_ offset: Int, _ family: IPAddress.Family) -> IPAddress {
        family == .ipv4
            ? IPAddress(ipv4: number32(offset)) : IPAddress(high: number64(offset), low: number64(offset + 8))
    }

    mutating func put16(_ value: UInt16, _ offset: Int) {
        self[offset] = UInt8(truncatingIfNeeded: value >> 8)
        self[offset + 1] = UInt8(truncatingIfNeeded: value)
    }

    mutating func put32(_ value: UInt32, _ offset: Int) {
        put16(UInt16(truncatingIfNeeded: value >> 16), offset)
        put16(UInt16(truncatingIfNeeded: value), offset + 2)
    }

    mutating func put(_ address: IPAddress, _ offset: Int) {
        if let number = address.ipv4Value {
            put32(number, offset)
        } else {
            for (place, word) in [address.high, address.low].enumerated() {
                put32(UInt32(truncatingIfNeeded: word >> 32), offset + place * 8)
                put32(UInt32(truncatingIfNeeded: word), offset + place * 8 + 4)
            }
        }
    }

    mutating func putMAC(_ value: UInt64, _ offset: Int) {
        put16(UInt16(truncatingIfNeeded: value >> 32), offset)
        put32(UInt32(truncatingIfNeeded: value), offset + 2)
    }

    /// Exchanges two runs of octets of the same length.
    mutating func exchange(_ first: Int, _ second: Int, count: Int) {
        for index in 0..<count { swapAt(first + index, second + index) }
    }

    /// The sum of the words in a range, modulo 65 535: what a change that keeps a checksum right, or wrong by as much as it
    /// was, does not change. An odd last octet is the upper half of a word.
    func sum(_ range: Range<Int>) -> Int {
        var total = 0
        for index in range { total += (index - range.lowerBound) % 2 == 0 ? Int(self[index]) << 8 : Int(self[index]) }
        return total % 65535
    }

    /// Changes a word, and the checksum that covers it by as much (RFC 1624).
    mutating func change16(_ offset: Int, to value: UInt16, checksum: Int) {
        let sum = Int(~number16(checksum)) + Int(~number16(offset)) + Int(value)
        put16(value, offset)
        put16(~UInt16(sum % 65535), checksum)
    }
}

/// Two digits for each octet.
func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// The octets that the digits stand for; `nil` if they are none.
func octets(hexadecimal text: some StringProtocol) -> [UInt8]? {
    let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count == text.utf8.count, digits.count % 2 == 0 else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
