import NetworkTypes

/// What an ARP or neighbour discovery frame says, read from its octets.
struct AddressClaim: Equatable {
    /// The address that the frame claims, and the MAC that it gives for it.
    let address: IPAddress
    let mac: MACAddress
    /// Whether the frame went to one asker, or else to all.
    let isAnswer: Bool

    /// `nil` unless the frame is ARP (RFC 826) or a neighbour advertisement (RFC 4861 §4.4) that gives its target's MAC.
    init?(_ frame: [UInt8]) {
        guard frame.count >= 42 else { return nil }
        isAnswer = frame[0] & 1 == 0
        switch (frame[12], frame[13]) {
        case (0x08, 0x06):
            address = IPAddress(ipv4: frame[28..<32].reduce(0) { $0 << 8 | UInt32($1) })
            mac = MACAddress(octets: frame[22..<28])!
        case (0x86, 0xdd):
            guard frame.count >= 86, frame[20] == 58, frame[54] == 136, frame[78] == 2 else { return nil }
            address = IPAddress(octets: frame[62..<78])!
            mac = MACAddress(octets: frame[80..<86])!
        default: return nil
        }
    }
}
