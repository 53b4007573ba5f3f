internal import CLibNL
internal import Glibc
package import NetworkTypes

/// Adds and removes addresses of interfaces in the network namespace of the thread that made it, such as virtual
/// services' addresses on `lo`. Every operation may be repeated.
package struct AddressManager: ~Copyable, Sendable {
    private var socket: NetlinkSocket

    package init() throws(SystemError) { socket = try NetlinkSocket(blocking: true) }

    /// Adds the address, marked as ours, without duplicate address detection. Returns whether it was not there before;
    /// an address that somebody else put there is left as it is. The kernel routes a new IPv6 address only a moment later.
    ///
    /// - Parameter prefixLength: `nil` for the longest, 32 or 128.
    @discardableResult
    package mutating func add(
        _ address: IPAddress, prefixLength: Int? = nil, interface: UInt32
    ) throws(SystemError) -> Bool {
        let length = prefixLength ?? address.bitWidth
        let request = try request(for: address, length, interface) {
            rtnl_addr_build_add_request($0, NLM_F_CREATE | NLM_F_EXCL, $1)
        }
        nla_put_u8(request.message, Int32(IFA_PROTO), InterfaceAddress.mark)
        return switch try socket.exchange(request) {
        case 0: true
        case EEXIST: false
        case let errno:
            throw SystemError(.address, "add address \(address)/\(length) to", "interface \(interface)", errno: errno)
        }
    }

    /// Removes the address, whoever added it. Returns whether it was there; an interface that is gone has no addresses.
    ///
    /// - Parameter prefixLength: `nil` for the longest, 32 or 128.
    @discardableResult
    package mutating func remove(
        _ address: IPAddress, prefixLength: Int? = nil, interface: UInt32
    ) throws(SystemError) -> Bool {
        let length = prefixLength ?? address.bitWidth
        let request = try request(for: address, length, interface) { rtnl_addr_build_delete_request($0, 0, $1) }
        return switch try socket.exchange(request) {
        case 0: true
        case EADDRNOTAVAIL, ENODEV: false
        case let errno:
            throw SystemError(
                .address, "remove address \(address)/\(length) from", "interface \(interface)", errno: errno)
        }
    }

    /// ``add(_:prefixLength:interface:)`` with the interface by its name.
    @discardableResult
    package mutating func add(
        _ address: IPAddress, prefixLength: Int? = nil, to name: String
    ) throws(SystemError) -> Bool {
        try add(address, prefixLength: prefixLength, interface: try NetworkNamespace.interfaceIndex(named: name))
    }

    /// ``remove(_:prefixLength:interface:)`` with the interface by its name.
    @discardableResult
    package mutating func remove(
        _ address: IPAddress, prefixLength: Int? = nil, from name: String
    ) throws(SystemError) -> Bool {
        try remove(address, prefixLength: prefixLength, interface: try NetworkNamespace.interfaceIndex(named: name))
    }

    /// Every address of the namespace, or of one interface.
    package mutating func list(interface: UInt32? = nil) throws(SystemError) -> [InterfaceAddress] {
        var found: [InterfaceAddress] = []
        var verdict = EINTR
        for _ in 0..<5 where verdict == EINTR {
            found = []
            verdict = try socket.exchange(NetlinkRequest(dump: RTM_GETADDR)) { message in
                if let address = InterfaceAddress(message) { found.append(address) }
            }
        }
        // Still disturbed by changes after five times: the list is as good as any.
        guard verdict == 0 || verdict == EINTR else {
            throw SystemError(.address, "list", "the interfaces' addresses", errno: verdict)
        }
        return found.filter { interface == nil || $0.interface == interface }
    }

    private func request(
        for address: IPAddress, _ length: Int, _ interface: UInt32,
        build: (OpaquePointer, UnsafeMutablePointer<OpaquePointer?>) -> Int32
    ) throws(SystemError) -> NetlinkRequest {
        guard let wanted = rtnl_addr_alloc() else { fatalError("out of memory") }
        defer { rtnl_addr_put(wanted) }
        var octets = address.netlinkOctets
        let family = address.family == .ipv4 ? AF_INET : AF_INET6
        guard let local = nl_addr_build(family, &octets, octets.count) else { fatalError("out of memory") }
        defer { nl_addr_put(local) }
        rtnl_addr_set_ifindex(wanted, Int32(bitPattern: interface))
        // set_local takes the prefix length of the address along.
        nl_addr_set_prefixlen(local, Int32(length))
        rtnl_addr_set_local(wanted, local)
        rtnl_addr_set_prefixlen(wanted, Int32(length))
        if family == AF_INET6 { rtnl_addr_set_flags(wanted, UInt32(IFA_F_NODAD)) }
        var message: OpaquePointer?
        guard build(wanted, &message) == 0, let message else {
            throw SystemError(.address, "prepare a request for", "\(address)/\(length)", errno: EINVAL)
        }
        return NetlinkRequest(adopting: message)
    }
}
