internal import CLibNL
internal import Glibc
package import NetworkTypes

/// Makes the kernel find out neighbours' link-layer addresses, for a data plane that bypasses the kernel's own sending and
/// so never makes it ask. Works in the network namespace of the thread that made it.
///
/// The answers come as neighbour changes of a ``NetworkMonitor``. Thousands are asked for in a few system calls and
/// without waiting: what the kernel refuses is counted, not thrown.
///
/// Do not name permanent entries: the kernel would take away their permanence.
package struct NeighbourProber: ~Copyable, Sendable {
    private var socket: NetlinkSocket

    package struct Outcome: Sendable, Equatable {
        package var sent = 0
        /// Refused by the kernel so far, for example because the interface is down or the table is full.
        package var refused = 0

        package init(sent: Int = 0, refused: Int = 0) {
            self.sent = sent
            self.refused = refused
        }
    }

    package init() throws(SystemError) { socket = try NetlinkSocket(blocking: false, receiveBuffer: 1 << 20) }

    /// Resolves the neighbour if it is unknown or has failed. A stale entry is confirmed only after the kernel's delay
    /// (5 s); a reachable one is left alone. Like `ip neigh add … use`.
    @discardableResult
    package mutating func probe(_ address: IPAddress, interface: UInt32) -> Outcome {
        probe(CollectionOfOne(NeighbourKey(interface: interface, address: address)))
    }

    /// As ``probe(_:interface:)``, for many.
    @discardableResult
    package mutating func probe(_ targets: some Sequence<NeighbourKey>) -> Outcome {
        submit(targets, [Step(flags: NLM_F_CREATE, state: NUD_NONE, use: true, counts: true)])
    }

    /// As ``probe(_:)``, and asks known neighbours at once whether they are still there: by unicast to the known MAC, three
    /// times a second apart, after which the entry is failed. To find a neighbour whose MAC has changed
    /// silently, sooner, use ``Announcer/solicit(_:from:mac:interface:)``.
    @discardableResult
    package mutating func revalidate(_ targets: some Sequence<NeighbourKey>) -> Outcome {
        submit(
            targets,
            [
                Step(flags: NLM_F_CREATE, state: NUD_NONE, use: true, counts: true),
                // Refused, rightly, for an entry that has no MAC yet.
                Step(flags: NLM_F_REPLACE, state: NUD_PROBE, use: false, counts: false),
            ])
    }

    private struct Step {
        let flags: Int32
        let state: Int32
        let use: Bool
        let counts: Bool
    }

    /// Requests travel many to a datagram, below the default limit of a socket's send buffer.
    private static let datagramSize = 32_768

    private mutating func submit(_ targets: some Sequence<NeighbourKey>, _ steps: [Step]) -> Outcome {
        var outcome = Outcome()
        var datagram: [UInt8] = []
        for target in targets {
            for step in steps { Self.append(step, target, to: &datagram) }
            outcome.sent += 1
            if datagram.count >= Self.datagramSize { outcome.refused += flush(&datagram) }
        }
        outcome.refused += flush(&datagram)
        return outcome
    }

    private static func append(_ step: Step, _ target: NeighbourKey, to datagram: inout [UInt8]) {
        guard let entry = rtnl_neigh_alloc() else { fatalError("out of memory") }
        defer { rtnl_neigh_put(entry) }
        var octets = target.address.netlinkOctets
        let family = target.address.family == .ipv4 ? AF_INET : AF_INET6
        guard let address = nl_addr_build(family, &octets, octets.count) else { fatalError("out of memory") }
        defer { nl_addr_put(address) }
        rtnl_neigh_set_ifindex(entry, Int32(bitPattern: target.interface))
        rtnl_neigh_set_dst(entry, address)
        rtnl_neigh_set_state(entry, step.state)
        if step.use { rtnl_neigh_set_flags(entry, UInt32(NTF_USE)) }
        var message: OpaquePointer?
        guard rtnl_neigh_build_add_request(entry, step.flags, &message) == 0, let message else { return }
        defer { nlmsg_free(message) }
        let header = nlmsg_hdr(message)!
        header.pointee.nlmsg_flags |= UInt16(NLM_F_REQUEST)
        header.pointee.nlmsg_seq = step.counts ? countedSequence : 0
        datagram += UnsafeRawBufferPointer(start: header, count: (Int(header.pointee.nlmsg_len) + 3) & ~3)
    }

    /// Marks the requests whose refusal counts.
    private static let countedSequence: UInt32 = 1

    /// Sends the requests and returns how many the kernel refused.
    private mutating func flush(_ datagram: inout [UInt8]) -> Int {
        defer { datagram.removeAll(keepingCapacity: true) }
        var refused = 0
        if datagram.isEmpty { return refused }
        guard socket.send(datagram) else {
            datagram.withUnsafeBytes {
                NetlinkMessage.forEach(in: $0) { if $0.sequence == Self.countedSequence { refused += 1 } }
            }
            return refused
        }
        // The kernel handles requests before the call returns, so their refusals are there at once. Should there be more
        // than the buffer holds, a failure to read says so once, and the count is short.
        var failures = 0
        while failures < 2 {
            let reception = socket.receive { message in
                let isRefusal = message.isType(NLMSG_ERROR) && message.errorNumber != 0
                if isRefusal, message.sequence == Self.countedSequence { refused += 1 }
            }
            switch reception {
            case .messages: continue
            case .nothing: return refused
            case .failed: failures += 1
            }
        }
        return refused
    }
}
