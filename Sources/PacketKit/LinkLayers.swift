package import NetworkTypes

/// An Ethernet II header.
package struct EthernetHeader: Hashable, Sendable {
    package var destination: MACAddress
    package var source: MACAddress
    /// The EtherType; `nil`: that of the next layer.
    package var type: UInt16?

    static let length = 14

    func append(to bytes: inout [UInt8], next: Layer?) {
        bytes.append(big48: destination.value)
        bytes.append(big48: source.value)
        bytes.append(big16: type ?? Layer.etherType(of: next))
    }
}

/// An IEEE 802.1Q tag. Of its octets these are the control information and the EtherType behind it: the tag protocol
/// identifier lies in the header before.
package struct VLANTag: Hashable, Sendable {
    /// 0 to 4095.
    package var identifier: UInt16
    /// The priority code point, 0 to 7.
    package var priority: UInt8
    package var dropEligible: Bool
    /// What announces the tag: 0x8100 or 0x88a8.
    package var tagProtocol: UInt16
    /// The EtherType behind the tag; `nil`: that of the next layer.
    package var type: UInt16?

    static let length = 4

    func append(to bytes: inout [UInt8], next: Layer?) {
        bytes.append(big16: UInt16(priority) << 13 | (dropEligible ? 0x1000 : 0) | identifier & 0xfff)
        bytes.append(big16: type ?? Layer.etherType(of: next))
    }

    /// EtherTypes behind which a tag follows; 0x9100 is the older way to mark an outer tag.
    static func isTagProtocol(_ type: UInt16) -> Bool {
        type == EtherType.vlan || type == EtherType.serviceVLAN || type == 0x9100
    }
}

/// An ARP message for IPv4 over Ethernet (RFC 826).
package struct ARPMessage: Hashable, Sendable {
    /// 1 is a request, 2 a reply.
    package var operation: UInt16
    package var senderHardware: MACAddress
    package var senderAddress: IPAddress
    package var targetHardware: MACAddress
    package var targetAddress: IPAddress

    static let length = 28
    /// Hardware type Ethernet, protocol type IPv4, address lengths 6 and 4.
    static let prologue: [UInt8] = [0, 1, 8, 0, 6, 4]

    func append(to bytes: inout [UInt8]) {
        bytes.append(contentsOf: Self.prologue)
        bytes.append(big16: operation)
        bytes.append(big48: senderHardware.value)
        bytes.append(big32: IPv4Header.number(senderAddress))
        bytes.append(big48: targetHardware.value)
        bytes.append(big32: IPv4Header.number(targetAddress))
    }
}

extension Layer {
    package static func ethernet(destination: MACAddress, source: MACAddress, type: UInt16? = nil) -> Layer {
        .ethernet(EthernetHeader(destination: destination, source: source, type: type))
    }

    package static func vlan(
        _ identifier: UInt16, priority: UInt8 = 0, dropEligible: Bool = false, tagProtocol: UInt16 = EtherType.vlan,
        type: UInt16? = nil
    ) -> Layer {
        .vlan(
            VLANTag(
                identifier: identifier, priority: priority, dropEligible: dropEligible, tagProtocol: tagProtocol,
                type: type))
    }

    /// "Who has `target`? Tell `senderAddress`."
    package static func arpRequest(
        senderHardware: MACAddress, senderAddress: IPAddress, target: IPAddress, targetHardware: MACAddress = .zero
    ) -> Layer {
        .arp(
            ARPMessage(
                operation: 1, senderHardware: senderHardware, senderAddress: senderAddress,
                targetHardware: targetHardware, targetAddress: target))
    }

    /// "`senderAddress` is at `senderHardware`."
    package static func arpReply(
        senderHardware: MACAddress, senderAddress: IPAddress, targetHardware: MACAddress, targetAddress: IPAddress
    ) -> Layer {
        .arp(
            ARPMessage(
                operation: 2, senderHardware: senderHardware, senderAddress: senderAddress,
                targetHardware: targetHardware, targetAddress: targetAddress))
    }
}
