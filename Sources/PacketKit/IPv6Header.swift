package import NetworkTypes

/// An IPv6 header (RFC 8200 §3).
package struct IPv6Header: Hashable, Sendable {
    package var source: IPAddress
    package var destination: IPAddress
    package var hopLimit: UInt8
    package var trafficClass: UInt8
    /// 20 bits.
    package var flowLabel: UInt32
    /// `nil`: that of the next layer.
    package var nextHeader: UInt8?
    /// Of all that follows, in octets; `nil`: computed.
    package var payloadLength: UInt16?

    static let length = 40

    func append(to bytes: inout [UInt8], next: Layer?) {
        bytes.append(big32: 6 << 28 | UInt32(trafficClass) << 20 | flowLabel & 0xf_ffff)
        bytes.append(big16: payloadLength ?? 0)
        bytes.append(nextHeader ?? Layer.ipProtocol(of: next))
        bytes.append(hopLimit)
        bytes.append(source)
        bytes.append(destination)
    }
}

extension [UInt8] {
    mutating func append(_ address: IPAddress) {
        append(big64: address.high)
        append(big64: address.low)
    }

    func address(at offset: Int) -> IPAddress {
        IPAddress(high: big64(at: offset), low: big64(at: offset + 8))
    }
}

extension Layer {
    package static func ipv6(
        source: IPAddress, destination: IPAddress, hopLimit: UInt8 = 64, trafficClass: UInt8 = 0, flowLabel: UInt32 = 0,
        nextHeader: UInt8? = nil, payloadLength: UInt16? = nil
    ) -> Layer {
        .ipv6(
            IPv6Header(
                source: source, destination: destination, hopLimit: hopLimit, trafficClass: trafficClass,
                flowLabel: flowLabel, nextHeader: nextHeader, payloadLength: payloadLength))
    }
}
