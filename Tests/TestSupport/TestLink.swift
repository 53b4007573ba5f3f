internal import LinuxSystem
package import NetworkTypes

/// One end of a virtual cable between two namespaces.
package struct CableEnd: Sendable {
    package let namespace: TestNamespace
    package let name: String
    package let mac: MACAddress?
    /// With prefix lengths: "10.0.0.1/24", "fd00::1/64".
    package let addresses: [String]

    package init(_ namespace: TestNamespace, _ name: String, mac: MACAddress? = nil, addresses: [String] = []) {
        self.namespace = namespace
        self.name = name
        self.mac = mac
        self.addresses = addresses
    }
}

extension TestNamespace {
    /// Connects two namespaces by a pair of veth interfaces, and waits until both can carry packets.
    ///
    /// - Parameter transmitChecksumOffload: with it, frames leave the sending kernel without a checksum, which the receiving
    ///   kernel does not mind, but XDP programs and packet taps do.
    package static func connect(
        _ a: CableEnd, _ b: CableEnd, mtu: Int = 1500, transmitChecksumOffload: Bool = false
    ) throws {
        try Command.check([
            "ip", "link", "add", a.name, "netns", a.namespace.name, "mtu", "\(mtu)", "type", "veth",
            "peer", b.name, "netns", b.namespace.name, "mtu", "\(mtu)",
        ])
        for end in [a, b] {
            var lines = end.mac.map { ["link set \(end.name) address \($0)"] } ?? []
            lines += end.addresses.map { "addr add \($0) dev \(end.name)" + ($0.contains(":") ? " nodad" : "") }
            lines.append("link set \(end.name) up")
            try end.namespace.ip(batch: lines)
            if !transmitChecksumOffload {
                try Command.check(["ethtool", "-K", end.name, "tx", "off"], in: end.namespace)
            }
        }
        for end in [a, b] {
            try eventually("\(end.name) in \(end.namespace.name) is up") { try end.namespace.link(end.name).isUp }
        }
    }
}
