package import NetworkTypes

/// A packet as a list of layers, the outermost first.
///
/// ```swift
/// let syn = Packet(
///     .ethernet(destination: balancer, source: client), .vlan(100),
///     .ipv4(source: .ip("10.0.0.1"), destination: .ip("192.0.2.1")),
///     .tcp(source: 40000, destination: 80, flags: [.syn]))
/// ```
///
/// Any order of layers can be built, sensible or not. What was decoded builds the same octets again.
package struct Packet: Hashable, Sendable {
    package var layers: [Layer]

    package init(_ layers: Layer...) { self.layers = layers }
    package init(layers: [Layer]) { self.layers = layers }

    /// What the first octet of a packet belongs to.
    package enum Start: Hashable, Sendable {
        case ethernet
        /// An IP header; its version says which.
        case network
    }

    /// Reads a packet. Any octets can be read: what does not parse becomes a `raw` layer. Fields that have the value that
    /// they would be given by default are left to be computed, so that the layers equal those which built the packet.
    package init(decoding bytes: some Sequence<UInt8>, startingAt start: Start = .ethernet) {
        var decoder = PacketDecoder(bytes: Array(bytes))
        decoder.decode(startingAt: start)
        layers = decoder.layersWithComputedFields()
    }

    /// The octets, with lengths, types and checksums filled in. They are built at each use: keep them if they are needed
    /// twice.
    package var bytes: [UInt8] { encoded().bytes }

    /// Where the octets begin, which decoding must be told.
    package var start: Start { layers.first?.isNetwork == true ? .network : .ethernet }

    /// The octets from the first IP header to its end, without link headers and padding.
    package var networkBytes: [UInt8] {
        let (bytes, spans) = encoded()
        guard let index = layers.firstIndex(where: \.isNetwork) else { return [] }
        return Array(bytes[spans[index].offset..<spans[index].end])
    }

    /// The packet with zeros behind it up to this many octets, as Ethernet pads short frames (to 60, not counting the
    /// check sequence).
    package func padded(to count: Int) -> Packet {
        let missing = count - bytes.count
        return missing <= 0 ? self : Packet(layers: layers + [.padding([UInt8](repeating: 0, count: missing))])
    }
}

/// The first layer of each kind, to be read and changed in place: `expected.ethernet?.destination = server`. Setting a
/// layer to `nil` removes it; setting one that is not there does nothing.
extension Packet {
    package var ethernet: EthernetHeader? {
        get { first { if case .ethernet(let header) = $0 { header } else { nil } } }
        set { replaceFirst(newValue.map(Layer.ethernet)) { if case .ethernet = $0 { true } else { false } } }
    }

    package var ipv4: IPv4Header? {
        get { first { if case .ipv4(let header) = $0 { header } else { nil } } }
        set { replaceFirst(newValue.map(Layer.ipv4)) { if case .ipv4 = $0 { true } else { false } } }
    }

    package var ipv6: IPv6Header? {
        get { first { if case .ipv6(let header) = $0 { header } else { nil } } }
        set { replaceFirst(newValue.map(Layer.ipv6)) { if case .ipv6 = $0 { true } else { false } } }
    }

    package var arp: ARPMessage? {
        get { first { if case .arp(let message) = $0 { message } else { nil } } }
        set { replaceFirst(newValue.map(Layer.arp)) { if case .arp = $0 { true } else { false } } }
    }

    package var tcp: TCPHeader? {
        get { first { if case .tcp(let header) = $0 { header } else { nil } } }
        set { replaceFirst(newValue.map(Layer.tcp)) { if case .tcp = $0 { true } else { false } } }
    }

    package var udp: UDPHeader? {
        get { first { if case .udp(let header) = $0 { header } else { nil } } }
        set { replaceFirst(newValue.map(Layer.udp)) { if case .udp = $0 { true } else { false } } }
    }

    package var neighbour: NeighbourMessage? {
        get { first { if case .neighbour(let message) = $0 { message } else { nil } } }
        set { replaceFirst(newValue.map(Layer.neighbour)) { if case .neighbour = $0 { true } else { false } } }
    }

    package var payload: [UInt8]? {
        get { first { if case .payload(let bytes) = $0 { bytes } else { nil } } }
        set { replaceFirst(newValue.map(Layer.payload)) { if case .payload = $0 { true } else { false } } }
    }

    private func first<Header>(_ match: (Layer) -> Header?) -> Header? {
        for layer in layers {
            if let header = match(layer) { return header }
        }
        return nil
    }

    private mutating func replaceFirst(_ layer: Layer?, where matches: (Layer) -> Bool) {
        guard let index = layers.firstIndex(where: matches) else { return }
        if let layer { layers[index] = layer } else { layers.remove(at: index) }
    }
}

/// Addresses written down in tests and tools. Text that is no address is a mistake of the programmer's and traps.
extension IPAddress {
    package static func ip(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("'\(text)' is not an IP address") }
        return address
    }
}

extension MACAddress {
    package static func mac(_ text: String) -> MACAddress {
        guard let address = MACAddress(text) else { preconditionFailure("'\(text)' is not a MAC address") }
        return address
    }
}
