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
            let mode = running.first { $0.value == link.programID }?.key
            if link.interface == index, let mode, wish == .auto || wish.rawValue == mode.rawValue {
                // A change that failed half way may have left another program here.
                if link.programID != maps.program.id { try link.replaceProgram(with: maps.program) }
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
        let place = place(ofInterface: index)
        let present = maps.interfaces[place].index
        guard present == 0 || present == index else {
            throw DataPlaneError(
                "use interface \(index)", detail: "its number and that of interface \(present) differ by a multiple of \(maps.interfaces.count)",
                cure: "make one of them anew, or leave one out of the configuration")
        }
        _ = maps.interfaces.store(interface(mac: mac.abi, reserved0: 0, index: index, reserved1: 0), at: place)
    }

    private func attachAnew(_ name: String, index: UInt32, wish: XDPPreference) throws -> Attachment {
        if let (mode, program) = try attachedXDPPrograms(interface: index).first {
            throw DataPlaneError(
                "attach XDP to \(name)", code: EBUSY, detail: "program \(program) is attached already (\(mode) mode)",
                cure: "remove it with 'ip link set dev \(name) xdp off' or, if a link holds it, 'bpftool link detach'; or leave "
                    + "the interface out of the configuration")
        }
        let mode: XDPMode = wish == .generic ? .generic : .native
        do {
            return try pinned(XDPLink(maps.program, interface: index, mode: mode), name, index, mode, note: nil)
        } catch let error as BPFError {
            guard wish == .auto, error.code != EPERM else {
                throw DataPlaneError(
                    "attach XDP to \(name) in \(wish.rawValue) mode", code: error.code,
                    cure: wish == .native ? "set 'xdp: auto' or 'xdp: generic' for this interface" : "")
            }
            let reason = String(cString: strerror(error.code))
            let link = try XDPLink(maps.program, interface: index, mode: .generic)
            return try pinned(link, name, index, .generic, note: "the driver refused native mode: \(reason)")
        }
    }

    private func pinned(
        _ link: borrowing XDPLink, _ name: String, _ index: UInt32, _ mode: XDPMode, note: String?
    ) throws -> Attachment {
        do {
            try link.pin(at: pins.link(name))
        } catch {
            throw DataPlaneError("keep the program on \(name)", detail: "\(error)")
        }
        return Attachment(interface: name, index: index, mode: mode.rawValue, programID: maps.program.id, note: note)
    }

    /// Forgets interfaces that are no longer attached, such as deleted ones, whose numbers do not come again.
    package func forgetInterfaces(except indices: Set<UInt32>) {
        for place in 0..<maps.interfaces.count {
            let index = maps.interfaces[place].index
            if index != 0 && !indices.contains(index) { forgetInterface(index) }
        }
    }

    private func place(ofInterface index: UInt32) -> Int { Int(index) % maps.interfaces.count }

    private func forgetInterface(_ index: UInt32) {
        let place = place(ofInterface: index)
        if maps.interfaces[place].index == index { maps.interfaces[place] = interface() }
    }

    /// Takes the program from all interfaces but these.
    package func detach(except kept: Set<String>) throws {
        let keptLinks = Set(kept.map { pins.link($0) })
        for name in pins.names(in: pins.links) {
            let path = "\(pins.links)/\(name)"
            guard !keptLinks.contains(path) else { continue }
            if let link = try XDPLink.pinned(at: path), link.interface != 0 {
                forgetInterface(link.interface)
            }
            unlink(path)
        }
    }

    /// Ends forwarding and forgets everything: links, program and maps, when this object goes too.
    package func removePins() { pins.removeAll() }
}
