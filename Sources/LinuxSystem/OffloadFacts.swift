internal import CLinux
internal import Glibc

/// What an interface's driver does to received packets before XDP sees them, where that leaves them in a state that XDP cannot
/// forward.
///
/// A virtual network interface may hand over TCP and UDP packets whose checksum is not finished, because they never were
/// on a wire (CHECKSUM_PARTIAL in the kernel). The kernel knows it of such a packet; XDP does not, and neither does anybody
/// after it.
package struct OffloadFacts: Sendable, Equatable {
    /// A feature as `ethtool -k` shows it.
    package struct Feature: Sendable, Equatable {
        package let isOn: Bool
        /// The driver does not let it be switched.
        package let isFixed: Bool

        package init(isOn: Bool, isFixed: Bool) {
            self.isOn = isOn
            self.isFixed = isFixed
        }

        package static let absent = Feature(isOn: false, isFixed: true)
    }

    package let interface: String
    /// As `ethtool -i` shows it: "veth", "virtio_net"; empty if the interface has no driver.
    package let driver: String
    /// Of a veth: the other end's index, in its own namespace.
    package let peer: UInt32?
    /// `rx-checksum`: for virtio_net, whether the host may leave checksums unfinished (VIRTIO_NET_F_GUEST_CSUM).
    package let receiveChecksum: Feature
    /// `rx-lro`: the driver or the device merges segments of a connection.
    package let largeReceive: Feature
    /// `rx-gro-hw`: the device or the host merges them, or never cuts them apart.
    package let hardwareGRO: Feature

    package init(
        interface: String, driver: String, peer: UInt32? = nil, receiveChecksum: Feature = .absent,
        largeReceive: Feature = .absent, hardwareGRO: Feature = .absent
    ) {
        self.interface = interface
        self.driver = driver
        self.peer = peer
        self.receiveChecksum = receiveChecksum
        self.largeReceive = largeReceive
        self.hardwareGRO = hardwareGRO
    }

    /// The facts of this moment, in the calling thread's network namespace. XDP in native mode may change them.
    ///
    /// The corresponding command is `ethtool`.
    package static func current(for link: Link) throws(SystemError) -> OffloadFacts {
        OffloadFacts(
            interface: link.name, driver: try driver(of: link.name), peer: link.peer,
            receiveChecksum: try feature("rx-checksum", of: link.name),
            largeReceive: try feature("rx-lro", of: link.name),
            hardwareGRO: try feature("rx-gro-hw", of: link.name))
    }

    private static func driver(of interface: String) throws(SystemError) -> String {
        var name = [CChar](repeating: 0, count: Int(CLINUX_DRIVER_NAME_SIZE))
        let result = clinux_driver_name(interface, &name)
        if result == -EOPNOTSUPP { return "" }
        try check(result, .interface, "read the driver of interface", interface)
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func feature(_ name: String, of interface: String) throws(SystemError) -> Feature {
        var (isOn, isFixed): (Int32, Int32) = (0, 0)
        let result = clinux_feature(interface, name, &isOn, &isFixed)
        if result == -ENOENT { return .absent }
        try check(result, .interface, "read feature \(name) of interface", interface)
        return Feature(isOn: isOn != 0, isFixed: isFixed != 0)
    }
}

extension OffloadFacts {
    /// Whether packets may arrive whose TCP or UDP checksum is not finished. Of a veth it is the other end that decides, which
    /// cannot be asked from here, so the answer stays the same once that has been put right.
    ///
    /// - Parameter native: whether XDP is attached in native mode, in which virtio_net has the host finish checksums, and drops
    ///   what comes unfinished all the same.
    package func mayLeaveChecksumsUnfinished(native: Bool) -> Bool {
        switch driver {
        case "veth": true
        case "virtio_net": !native && receiveChecksum.isOn
        default: false
        }
    }

    /// What to switch off, and where, so that checksums arrive finished; `nil` if they do anyway.
    package func checksumAdvice(native: Bool) -> String? {
        guard mayLeaveChecksumsUnfinished(native: native) else { return nil }
        let problem = "packets may arrive at \(interface) with unfinished TCP and UDP checksums, which XDP would spoil"
        return "\(problem): \(driver == "veth" ? vethAdvice : virtioAdvice)"
    }

    /// Whether segments of a connection may arrive merged into packets that are longer than the MTU.
    package var mergesPackets: Bool { largeReceive.isOn || hardwareGRO.isOn }

    /// What to switch off, and where, so that packets arrive as they were sent; `nil` if they do, or if attaching XDP will see
    /// to it: generic mode switches off what can be switched, and so does virtio_net in native mode.
    package func mergingAdvice(native: Bool) -> String? {
        let merging = [("lro", largeReceive), ("rx-gro-hw", hardwareGRO)].filter { $0.1.isOn }
        if merging.isEmpty { return nil }
        let problem = "\(interface) merges received packets, which XDP cannot take"
        if merging.contains(where: { $0.1.isFixed }) {
            let consequence = driver == "virtio_net" && native ? " (the driver refuses native mode)" : ""
            return "\(problem)\(consequence), and does not let that be switched off here: "
                + (driver == "virtio_net" ? hostAdvice : "use another driver or interface")
        }
        if !native || driver == "virtio_net" { return nil }
        return "\(problem): ethtool -K \(interface) " + merging.map { "\($0.0) off" }.joined(separator: " ")
    }

    private var vethAdvice: String {
        let which = peer.map { "interface \($0) there, as `ip link` numbers them" } ?? "its name is in `ip link`"
        return "at the other end, in its container or namespace: ethtool -K PEER tx off (\(which))"
    }

    private var virtioAdvice: String {
        let tap = "on the host: ethtool -K TAP tx off, with the virtual machine's tap interface; or \(hostAdvice)"
        // What native mode needs: VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, by which rx-gro-hw can be switched as well.
        if !hardwareGRO.isFixed { return "set xdp: native, with which the driver has the host finish them; or \(tap)" }
        return receiveChecksum.isFixed ? tap : "ethtool -K \(interface) rx off; or \(tap)"
    }

    private var hostAdvice: String {
        "start the virtual machine with <driver><guest csum='off' tso4='off' tso6='off' ecn='off' ufo='off'/></driver> "
            + "(libvirt), or guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off (QEMU)"
    }
}
