internal import CLibNL
internal import Glibc
internal import NetworkTypes

/// The network's state while it is being followed: what messages change, and what a ``NetworkState`` is made from.
struct NetworkTables {
    private var links: [UInt32: Link] = [:]
    private var addresses: [AddressKey: InterfaceAddress] = [:]
    private var neighbours: [NeighbourKey: Neighbour] = [:]
    private var routes: [Route] = []

    private struct AddressKey: Hashable {
        let interface: UInt32
        let address: IPAddress
        let prefix: Prefix
    }

    /// Reads all tables from the kernel. A table that goes on changing while it is read is taken as it came: whoever
    /// needs certainty is subscribed to its changes beforehand.
    static func read(from socket: inout NetlinkSocket) throws(SystemError) -> NetworkTables {
        var tables = NetworkTables()
        for type in [RTM_GETLINK, RTM_GETADDR, RTM_GETNEIGH] {
            try dump(type, from: &socket) {
                tables.clear(type)
            } visit: {
                tables.apply($0)
            }
        }
        try tables.readRoutes(from: &socket)
        return tables
    }

    /// Routes are read anew rather than followed: the kernel does not announce those that go with their interface, and a
    /// replacement names only the new one. Returns whether they differ.
    @discardableResult
    mutating func readRoutes(from socket: inout NetlinkSocket) throws(SystemError) -> Bool {
        var found: [Route] = []
        try Self.dump(RTM_GETROUTE, from: &socket) {
            found = []
        } visit: {
            found += Route.decode($0)
        }
        found.sort { Route.isPreferred($0, $1) }
        defer { routes = found }
        return found != routes
    }

    private static func dump(
        _ type: Int, from socket: inout NetlinkSocket, reset: () -> Void, visit: (NetlinkMessage) -> Void
    ) throws(SystemError) {
        for attempt in 1... {
            reset()
            let verdict = try socket.exchange(NetlinkRequest(dump: type), visit)
            if verdict == 0 || (verdict == EINTR && attempt == 5) { return }
            if verdict != EINTR {
                throw SystemError(.netlink, "list", "the network's state by netlink", errno: verdict)
            }
        }
    }

    private mutating func clear(_ type: Int) {
        switch type {
        case RTM_GETLINK: links = [:]
        case RTM_GETADDR: addresses = [:]
        default: neighbours = [:]
        }
    }

    /// What a message did.
    struct Effect {
        var change = NetworkChange()
        /// The routes may differ now.
        var touchesRoutes = false
    }

    /// Applies one message, whether from a dump or an event. An event that says nothing new has no effect.
    @discardableResult
    mutating func apply(_ message: NetlinkMessage) -> Effect {
        var effect = Effect()
        switch Int(message.type) {
        case RTM_NEWLINK, RTM_DELLINK:
            guard let link = Link(message) else { break }
            let new = message.isType(RTM_NEWLINK) ? link : nil
            effect.change.links = links.updateValue(new, at: link.index)
            effect.touchesRoutes = effect.change.links
        case RTM_NEWADDR, RTM_DELADDR:
            guard let address = InterfaceAddress(message) else { break }
            let key = AddressKey(interface: address.interface, address: address.address, prefix: address.prefix)
            let new = message.isType(RTM_NEWADDR) ? address : nil
            effect.change.addresses = addresses.updateValue(new, at: key)
            effect.touchesRoutes = effect.change.addresses
        case RTM_NEWNEIGH, RTM_DELNEIGH:
            guard let (key, neighbour) = Neighbour.decode(message) else { break }
            let new = message.isType(RTM_NEWNEIGH) ? neighbour : nil
            if neighbours.updateValue(new, at: key) { effect.change.neighbours = [key] }
        case RTM_NEWROUTE, RTM_DELROUTE:
            effect.touchesRoutes = true
        default: break
        }
        return effect
    }

    /// How these tables differ from others.
    func difference(from old: NetworkTables) -> NetworkChange {
        var change = NetworkChange(
            links: links != old.links, addresses: addresses != old.addresses, routes: routes != old.routes)
        for (key, neighbour) in neighbours where old.neighbours[key] != neighbour { change.neighbours.insert(key) }
        for key in old.neighbours.keys where neighbours[key] == nil { change.neighbours.insert(key) }
        return change
    }

    var state: NetworkState {
        NetworkState(
            links: links,
            addresses: addresses.values.sorted {
                ($0.interface, $0.address, $0.prefix.length) < ($1.interface, $1.address, $1.prefix.length)
            },
            neighbours: neighbours, routes: routes)
    }
}

extension Dictionary where Value: Equatable {
    /// Sets or, with `nil`, removes. Returns whether that changed anything.
    fileprivate mutating func updateValue(_ new: Value?, at key: Key) -> Bool {
        if self[key] == new { return false }
        self[key] = new
        return true
    }
}

extension NetworkState {
    /// The state of this moment, in the calling thread's network namespace.
    package static func current() throws(SystemError) -> NetworkState {
        var socket = try NetlinkSocket(blocking: true)
        return try NetworkTables.read(from: &socket).state
    }
}
