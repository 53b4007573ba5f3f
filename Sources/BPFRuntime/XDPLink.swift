import CLibBPF
import Glibc

/// How an XDP program runs: in the driver, or on packets that the kernel has already unpacked.
package enum XDPMode: String, Sendable {
    case native, generic
}

/// The attachment of a program to an interface. It ends when neither a descriptor nor a pin holds it.
package struct XDPLink: ~Copyable {
    private let descriptor: Descriptor
    package let interface: UInt32
    /// The kernel's number of the program that the link had when it was opened; 0 if it was made here.
    package let programID: UInt32

    /// Attaches `program`. The interface must not have an XDP program in any mode.
    package init(_ program: borrowing Program, interface: UInt32, mode: XDPMode) throws(BPFError) {
        let number = program.number
        let flags: UInt32 = mode == .native ? 1 << 2 : 1 << 1  // XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE
        descriptor = Descriptor(
            try check("attach XDP to interface \(interface) in \(mode) mode") {
                clibbpf_xdp_attach(number, Int32(bitPattern: interface), flags)
            })
        self.interface = interface
        programID = 0
    }

    private init(_ descriptor: consuming Descriptor) throws(BPFError) {
        var information = bpf_link_info()
        var size = UInt32(MemoryLayout<bpf_link_info>.size)
        let number = descriptor.number
        _ = try check("read the description of a link") { bpf_obj_get_info_by_fd(number, &information, &size) }
        interface = information.xdp.ifindex
        programID = information.prog_id
        self.descriptor = descriptor
    }

    /// The link pinned at `path`; `nil` if nothing is. The link of a device that is gone has interface 0.
    package static func pinned(at path: String) throws(BPFError) -> XDPLink? {
        let number = bpf_obj_get(path)
        if number < 0 && errno == ENOENT { return nil }
        return try XDPLink(Descriptor(try check("open the pinned link \(path)") { number }))
    }

    package func pin(at path: String) throws(BPFError) {
        let number = descriptor.number
        _ = try check("pin a link at \(path)", cure: "is the folder on a BPF file system?") { bpf_obj_pin(number, path) }
    }

    /// Puts another program in the place of the one that runs: no packet sees neither or both.
    package func replaceProgram(with program: borrowing Program) throws(BPFError) {
        let (number, link) = (program.number, descriptor.number)
        _ = try check("replace the XDP program of interface \(interface)") { bpf_link_update(link, number, nil) }
    }
}

/// The maps that a loaded program uses, by the names that the kernel knows them by; empty if the program is gone.
package func maps(ofProgram id: UInt32) throws(BPFError) -> [String: UInt32] {
    let number = bpf_prog_get_fd_by_id(id)
    if number < 0 && errno == ENOENT { return [:] }
    let program = Descriptor(try check("open program \(id)") { number })
    var ids = [UInt32](repeating: 0, count: 64)
    var information = bpf_prog_info()
    var size = UInt32(MemoryLayout<bpf_prog_info>.size)
    let result = ids.withUnsafeMutableBytes { buffer in
        information.nr_map_ids = UInt32(buffer.count / 4)
        information.map_ids = UInt64(UInt(bitPattern: buffer.baseAddress))
        return bpf_obj_get_info_by_fd(program.number, &information, &size)
    }
    _ = try check("read the description of program \(id)") { result }
    var names: [String: UInt32] = [:]
    for id in ids.prefix(Int(information.nr_map_ids)) {
        if let map = try AnyMap.numbered(id) { names[map.information.name] = id }
    }
    return names
}

/// The XDP programs of an interface: the kernel's numbers for them, by mode.
package func attachedXDPPrograms(interface: UInt32) throws(BPFError) -> [XDPMode: UInt32] {
    var state = clibbpf_xdp_state()
    _ = try check("ask for the XDP program of interface \(interface)") {
        clibbpf_xdp_query(Int32(bitPattern: interface), &state)
    }
    return [.native: state.native_id, .generic: state.generic_id].filter { $0.value != 0 }
}
