import BPFRuntime
import DataPlaneABI
import Glibc
package import LoadBalancing
package import NetworkTypes

/// How an interface's program is attached.
package struct Attachment: Hashable, Sendable {
    package let interface: String
    package let index: UInt32
    /// `native` or `generic`.
    package let mode: String
    package let programID: UInt32
    /// Why the mode is not the best there is.
    package let note: String?
}

extension DataPlane {
    /// Attaches the program to an interface, or leaves it where it is; answers ARP there with `mac`.
    package func attach(_ name: String, index: UInt32, mac: MACAddress, wish: XDPPreference) throws -> Attachment {
        try setInterface(index, mac: mac)
        if let link = try XDPLink.pinned(at: pins.link(name)) {
            let running = try attachedXDPPrograms(interface: index)
            let mode = running.first { $0.value == maps.program.id }?.key
            if link.interface == index, let mode, wish == .auto || wish.rawValue == mode.rawValue {
                return Attachment(
                    interface: name, index: index, mode: mode.rawValue, programID: maps.program.id,
                    note: mode == .generic && wish == .auto ? "attached in generic mode by an earlier start" : nil)
            }
            unlink(pins.link(name))
        }
        return try attachAnew(name, index: index, wish: wish)
    }

    /// Tells the data plane an interface's own address: it forwards and answers only what is sent to it.
    package func setInterface(_ index: UInt32, mac: MACAddress) throws {
        try maps.interfaces.set(interface(mac: mac.abi, reserved: 0), for: index)
    }

    private func attachAnew(_ name: String, index: UInt32, wish: XDPPreference) throws -> Attachment {
        if let (mode, program) = try attachedXDPPrograms(interface: index).first {
            throw DataPlaneError(
                "attach XDP to \(name)", code: EBUSY, detail: "program \(program) is attached already (\(mode) mode)",
                cure: "remove it with 'ip link set dev \(name) xdp off', or leave the interface out of the configuration")
        }
        func attach(_ mode: XDPMode) throws -> XDPLink { try XDPLink(maps.program, interface: index, mode: mode) }
        func attachment(_ mode: XDPMode, note: String?) -> Attachment {
            Attachment(interface: name, index: index, mode: mode.rawValue, programID: maps.program.id, note: note)
        }
        do {
            let mode: XDPMode = wish == .generic ? .generic : .native
            try attach(mode).pin(at: pins.link(name))
            return attachment(mode, note: nil)
        } catch let error as BPFError {
            guard wish == .auto, error.code != EPERM else {
                throw DataPlaneError(
                    "attach XDP to \(name) in \(wish.rawValue) mode", code: error.code,
                    cure: wish == .native ? "set 'xdp: auto' or 'xdp: generic' for this interface" : "")
            }
            try attach(.generic).pin(at: pins.link(name))
            let reason = String(cString: strerror(error.code))
            return attachment(.generic, note: "the driver refused native mode: \(reason)")
        }
    }

    /// Takes the program from all interfaces but these.
    package func detach(except kept: Set<String>) throws {
        let keptLinks = Set(kept.map { pins.link($0) })
        for name in pins.names(in: pins.links) {
            let path = "\(pins.links)/\(name)"
            guard !keptLinks.contains(path) else { continue }
            if let link = try XDPLink.pinned(at: path), link.interface != 0 {
                try maps.interfaces.remove(link.interface)
            }
            unlink(path)
        }
    }

    /// Ends forwarding and forgets everything: links, program and maps, when this object goes too.
    package func removePins() { pins.removeAll() }
}
