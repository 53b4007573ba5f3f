internal import CLibNL
internal import NetworkTypes

/// One message of a netlink datagram (RFC 3549 §2.2). Valid only while the datagram's memory is.
package struct NetlinkMessage {
    let type: UInt16
    let flags: UInt16
    let sequence: UInt32
    /// What follows the header, without padding.
    let body: UnsafeRawBufferPointer

    /// Calls `visit` for each whole message; a message that is cut off ends the walk.
    package static func forEach(in datagram: UnsafeRawBufferPointer, _ visit: (NetlinkMessage) -> Void) {
        let headerSize = MemoryLayout<nlmsghdr>.size
        var rest = datagram[...]
        while rest.count >= headerSize {
            let header = rest.loadUnaligned(as: nlmsghdr.self)
            let length = Int(header.nlmsg_len)
            guard length >= headerSize, length <= rest.count else { return }
            let body = UnsafeRawBufferPointer(rebasing: rest.prefix(length).dropFirst(headerSize))
            visit(
                NetlinkMessage(
                    type: header.nlmsg_type, flags: header.nlmsg_flags, sequence: header.nlmsg_seq, body: body))
            rest = rest.dropFirst((length + 3) & ~3)
        }
    }

    func isType(_ value: some BinaryInteger) -> Bool { type == UInt16(value) }

    /// The fixed part that a message of this type begins with; `nil` if it is too short for one.
    func header<Header: BitwiseCopyable>(_ type: Header.Type) -> Header? {
        body.count >= MemoryLayout<Header>.size ? body.loadUnaligned(as: type) : nil
    }

    /// The attributes after a fixed part of that type.
    func attributes<Header>(after type: Header.Type) -> NetlinkAttributes {
        let size = (MemoryLayout<Header>.size + 3) & ~3
        return NetlinkAttributes(UnsafeRawBufferPointer(rebasing: body.dropFirst(size)))
    }

    /// The errno, positive, that an error or end-of-dump message carries; 0 for an acknowledgement.
    var errorNumber: Int32 { header(Int32.self).map { -$0 } ?? 0 }
}

/// The attributes of a message or of a nest, in their order.
struct NetlinkAttributes: Sequence, IteratorProtocol {
    private var rest: UnsafeRawBufferPointer.SubSequence

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

    mutating func next() -> NetlinkAttribute? {
        guard rest.count >= 4 else { return nil }
        let length = Int(rest.loadUnaligned(as: UInt16.self))
        guard length >= 4, length <= rest.count else { return nil }
        let kind = rest.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
        let value = UnsafeRawBufferPointer(rebasing: rest.prefix(length).dropFirst(4))
        rest = rest.dropFirst((length + 3) & ~3)
        return NetlinkAttribute(type: Int(kind & 0x3fff), value: value)  // the two top bits are flags (NLA_TYPE_MASK)
    }
}

struct NetlinkAttribute {
    let type: Int
    let value: UnsafeRawBufferPointer

    func isType(_ wanted: some BinaryInteger) -> Bool { type == Int(wanted) }

    private func number<Number: BitwiseCopyable>(_ type: Number.Type) -> Number? {
        value.count >= MemoryLayout<Number>.size ? value.loadUnaligned(as: type) : nil
    }
    var uint8: UInt8? { number(UInt8.self) }
    var uint16: UInt16? { number(UInt16.self) }
    var uint32: UInt32? { number(UInt32.self) }

    var string: String { String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }

    var nested: NetlinkAttributes { NetlinkAttributes(value) }

    var mac: MACAddress? { MACAddress(octets: value) }

    /// Four octets as IPv4, sixteen as IPv6.
    var address: IPAddress? { IPAddress(netlink: value) }
}

extension IPAddress {
    init?(netlink octets: UnsafeRawBufferPointer) {
        if octets.count == 4 {
            self.init(ipv4: UInt32(bigEndian: octets.loadUnaligned(as: UInt32.self)))
        } else {
            self.init(octets: octets)
        }
    }

    /// The octets as the kernel takes them: four for IPv4, sixteen for IPv6.
    var netlinkOctets: [UInt8] { family == .ipv4 ? Array(octets.suffix(4)) : octets }
}
