package import NetworkTypes

/// Ethernet frames that tell or ask who has an address: ARP (RFC 826, RFC 5227) and IPv6 neighbour discovery (RFC 4861).
/// Pure: nothing is sent. Frames are without padding and check sequence, which the interface adds.
package enum AnnouncementFrame {
    package enum ARPForm: UInt16, Sendable, CaseIterable {
        /// The announcement of RFC 5227 §2.3, which every system accepts.
        case request = 1
        /// The form for systems that learn from replies alone; the target fields repeat the sender's (RFC 5944 §4.6).
        case reply = 2
    }

    /// A gratuitous ARP for `vip`, broadcast. `nil` if it is not an IPv4 address.
    package static func gratuitousARP(_ vip: IPAddress, mac: MACAddress, form: ARPForm) -> [UInt8]? {
        arp(form, sender: (mac, vip), target: (form == .request ? .zero : mac, vip))
    }

    /// The question who has `address`, broadcast, from a node with `source`. `nil` unless both are IPv4 addresses.
    package static func arpRequest(_ address: IPAddress, from source: IPAddress, mac: MACAddress) -> [UInt8]? {
        arp(.request, sender: (mac, source), target: (.zero, address))
    }

    /// An unsolicited neighbour advertisement for `vip` to all nodes (RFC 4861 §7.2.6), with the override flag. `nil` if
    /// it is not an IPv6 address.
    ///
    /// - Parameter isRouter: whether hosts use the address as their router: without the flag they would stop to.
    package static func neighbourAdvertisement(_ vip: IPAddress, mac: MACAddress, isRouter: Bool = false) -> [UInt8]? {
        let allNodes = IPAddress(high: 0xff02_0000_0000_0000, low: 1)
        let flags: UInt8 = (isRouter ? 0x80 : 0) | 0x20
        return discovery(type: 136, flags: flags, about: vip, option: 2, mac: mac, from: vip, to: allNodes)
    }

    /// The question who has `address`, to its solicited-node group (RFC 4861 §7.2.2). `nil` unless both are IPv6 addresses.
    package static func neighbourSolicitation(_ address: IPAddress, from source: IPAddress, mac: MACAddress) -> [UInt8]?
    {
        let group = IPAddress(high: 0xff02_0000_0000_0000, low: 0x1_ff00_0000 | (address.low & 0xff_ffff))
        return discovery(type: 135, flags: 0, about: address, option: 1, mac: mac, from: source, to: group)
    }

    private static func arp(
        _ form: ARPForm, sender: (mac: MACAddress, ip: IPAddress), target: (mac: MACAddress, ip: IPAddress)
    ) -> [UInt8]? {
        guard let senderIP = sender.ip.ipv4Value, let targetIP = target.ip.ipv4Value else { return nil }
        var frame = MACAddress.broadcast.octets + sender.mac.octets + big(UInt16(0x0806))
        frame += big(UInt16(1)) + big(UInt16(0x0800)) + [6, 4]  // Ethernet and IPv4, the lengths of their addresses
        frame += big(form.rawValue)
        frame += sender.mac.octets + big(senderIP)
        frame += target.mac.octets + big(targetIP)
        return frame
    }

    private static func discovery(
        type: UInt8, flags: UInt8, about target: IPAddress, option: UInt8, mac: MACAddress, from source: IPAddress,
        to group: IPAddress
    ) -> [UInt8]? {
        guard target.family == .ipv6, source.family == .ipv6 else { return nil }
        var message: [UInt8] = [type, 0, 0, 0, flags, 0, 0, 0] + target.octets
        message += [option, 1] + mac.octets  // the length is in units of eight octets
        let sum = checksum(of: source.octets + group.octets + big(UInt32(message.count)) + [0, 0, 0, 58] + message)
        message.replaceSubrange(2..<4, with: big(sum))
        // Hop limit 255 proves to the receiver that no router forwarded it.
        let header: [UInt8] = [0x60, 0, 0, 0] + big(UInt16(message.count)) + [58, 255] + source.octets + group.octets
        let ethernet = [0x33, 0x33] + group.octets.suffix(4) + mac.octets + big(UInt16(0x86dd))
        return ethernet + header + message
    }

    /// The Internet checksum (RFC 1071) over an even number of octets.
    private static func checksum(of octets: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: octets.count, by: 2) {
            sum += UInt32(octets[index]) << 8 | UInt32(octets[index + 1])
        }
        while sum > 0xffff { sum = sum >> 16 + sum & 0xffff }
        return ~UInt16(sum)
    }

    private static func big(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}
