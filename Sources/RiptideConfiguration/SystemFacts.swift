package import NetworkTypes

/// What the machine has, as far as the rules need it. The daemon gathers it; an offline check does without.
package struct SystemFacts: Hashable, Sendable {
    package struct InterfaceAddress: Hashable, Sendable {
        package var address: IPAddress
        /// The network that the address puts on-link.
        package var prefix: Prefix

        package init(address: IPAddress, prefix: Prefix) {
            self.address = address
            self.prefix = prefix
        }
    }

    package struct Interface: Hashable, Sendable {
        package var name: String
        package var isEthernet: Bool
        /// The addresses of a loopback interface are not held against virtual services and real servers, since the
        /// daemon itself puts virtual addresses there.
        package var isLoopback: Bool
        package var addresses: [InterfaceAddress]

        package init(
            name: String, isEthernet: Bool = true, isLoopback: Bool = false, addresses: [InterfaceAddress] = []
        ) {
            self.name = name
            self.isEthernet = isEthernet
            self.isLoopback = isLoopback
            self.addresses = addresses
        }
    }

    package var interfaces: [Interface]

    package init(interfaces: [Interface]) { self.interfaces = interfaces }
}
