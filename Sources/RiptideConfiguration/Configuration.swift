package import LoadBalancing
package import NetworkTypes

/// Everything that `riptide.yaml` says, read and found free of errors.
package struct Configuration: Hashable, Sendable {
    package var node: NodeSettings
    /// In the order of the file; names are unique.
    package var interfaces: [InterfaceSettings]
    package var dataPath: DataPathSettings
    /// The interface by which real servers reach the outside through this machine, masqueraded; `nil`: they do not.
    package var autoNAT: String?
    /// In the order of the file; names are unique, and no two share an address, a protocol and a port.
    package var services: [VirtualService]
    /// Addresses of the balancer beside the virtual ones, such as the real servers' gateway. In the order of the file;
    /// unique, and none is a virtual address, a real server's, a fallback server's or an interface's own.
    package var floatingAddresses: [IPAddress]

    package init(
        node: NodeSettings, interfaces: [InterfaceSettings] = [], dataPath: DataPathSettings = DataPathSettings(),
        autoNAT: String? = nil, services: [VirtualService] = [], floatingAddresses: [IPAddress] = []
    ) {
        self.node = node
        self.interfaces = interfaces
        self.dataPath = dataPath
        self.autoNAT = autoNAT
        self.services = services
        self.floatingAddresses = floatingAddresses
    }
}

/// What concerns this machine alone, and is never replicated.
package struct NodeSettings: Hashable, Sendable {
    package var name: String

    package init(name: String) { self.name = name }
}

/// A network interface that the data plane is attached to.
package struct InterfaceSettings: Hashable, Sendable {
    package var name: String
    package var xdp: XDPPreference

    package init(name: String, xdp: XDPPreference = .auto) {
        self.name = name
        self.xdp = xdp
    }
}
