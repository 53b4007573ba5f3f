package import LoadBalancing

/// Everything that `riptide.yaml` says, read and found free of errors.
package struct Configuration: Hashable, Sendable {
    package var node: NodeSettings
    /// In the order of the file; names are unique.
    package var interfaces: [InterfaceSettings]
    package var dataPath: DataPathSettings
    /// In the order of the file; names are unique, and no two share an address, a protocol and a port.
    package var services: [VirtualService]

    package init(
        node: NodeSettings, interfaces: [InterfaceSettings] = [], dataPath: DataPathSettings = DataPathSettings(),
        services: [VirtualService] = []
    ) {
        self.node = node
        self.interfaces = interfaces
        self.dataPath = dataPath
        self.services = services
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
