/// A transport protocol that a service may carry, by its IP protocol number.
package enum TransportProtocol: UInt8, Hashable, Sendable, CaseIterable {
    case tcp = 6
    case udp = 17
}

extension TransportProtocol: CustomStringConvertible {
    package var description: String { self == .tcp ? "tcp" : "udp" }
}
