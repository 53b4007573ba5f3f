internal import CLinux
package import NetworkTypes

/// Tells a link that an address has moved here, and asks it who has one; by frames of its own, so that it works for
/// addresses that the kernel keeps silent about. In the network namespace of the thread that made it.
package struct Announcer: ~Copyable, Sendable {
    private let socket: OwnedDescriptor

    package init() throws(SystemError) {
        socket = OwnedDescriptor(
            try check(
                clinux_packet_open(0, CLINUX_PACKET_SEND_ONLY), .announcement, "open", "a packet socket",
                cure: "run as root, or grant CAP_NET_RAW"))
    }

    /// Announces once that `vip` is at `mac`: a gratuitous ARP in both its forms, or an unsolicited neighbour
    /// advertisement. One lost frame can leave a neighbour with the old MAC, so callers repeat it after a while.
    ///
    /// - Parameter isRouter: IPv6: whether hosts use the address as their router.
    package func announce(
        _ vip: IPAddress, interface: UInt32, mac: MACAddress, isRouter: Bool = false
    ) throws(SystemError) {
        let frames =
            vip.family == .ipv4
            ? AnnouncementFrame.ARPForm.allCases.compactMap { AnnouncementFrame.gratuitousARP(vip, mac: mac, form: $0) }
            : [AnnouncementFrame.neighbourAdvertisement(vip, mac: mac, isRouter: isRouter)].compactMap(\.self)
        for frame in frames { try send(frame, interface, "announce \(vip) on") }
    }

    /// Asks everybody on the link who has the address. The kernel takes note of the answer even while it believes in its own
    /// entry with another MAC, unless it learnt that one within the last second (IPv4: the neighbour table's `locktime`).
    ///
    /// - Parameter source: an address of this interface, of the same family, to which the answer goes.
    /// - Parameter mac: the interface's own.
    package func solicit(
        _ address: IPAddress, from source: IPAddress, mac: MACAddress, interface: UInt32
    ) throws(SystemError) {
        let frame =
            AnnouncementFrame.arpRequest(address, from: source, mac: mac)
            ?? AnnouncementFrame.neighbourSolicitation(address, from: source, mac: mac)
        guard let frame else {
            throw SystemError(
                .announcement, "ask from \(source) for \(address) on", "interface \(interface)", errno: 0,
                cure: "give a source address of the same family")
        }
        try send(frame, interface, "ask for \(address) on")
    }

    private func send(_ frame: [UInt8], _ interface: UInt32, _ operation: String) throws(SystemError) {
        try check(
            clinux_packet_send(socket.rawValue, interface, frame, frame.count),
            .announcement, operation, "interface \(interface)")
    }
}
