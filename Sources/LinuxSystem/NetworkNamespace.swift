internal import CLinux
internal import Glibc

/// Network namespaces of threads. A namespace belongs to a thread, not to a process: call these only on a thread that you
/// made and that runs nothing but synchronous code, never from an async function.
package enum NetworkNamespace {
    /// Opens a namespace that `ip netns add` made.
    package static func open(named name: String) throws(SystemError) -> OwnedDescriptor {
        OwnedDescriptor(
            try check(
                clinux_open("/run/netns/\(name)", O_RDONLY, 0), .namespace, "open network namespace", name,
                cure: "`ip netns list` shows those that exist"))
    }

    /// Moves the calling thread into the namespace. Sockets that exist stay where they were made.
    ///
    /// The corresponding C function is `setns`.
    package static func enter(_ namespace: borrowing OwnedDescriptor) throws(SystemError) {
        try check(clinux_enter_network(namespace.rawValue), .namespace, "enter", "the network namespace")
    }

    /// Moves the calling thread into a new namespace, which holds nothing but a loopback interface that is down.
    ///
    /// The corresponding C function is `unshare`.
    package static func enterNew() throws(SystemError) {
        try check(clinux_unshare_network(), .namespace, "make", "a network namespace")
    }

    /// The names of the interfaces in the calling thread's namespace.
    package static func interfaceNames() throws(SystemError) -> [String] {
        guard let list = if_nameindex() else {
            throw SystemError(.interface, "list", "the interfaces", errno: errno)
        }
        defer { if_freenameindex(list) }
        var names: [String] = []
        while let name = list[names.count].if_name { names.append(String(cString: name)) }
        return names
    }

    /// The interface's index in the calling thread's namespace.
    package static func interfaceIndex(named name: String) throws(SystemError) -> UInt32 {
        let index = if_nametoindex(name)
        if index == 0 { throw SystemError(.interface, "find interface", name, errno: errno) }
        return index
    }
}
