package import NetworkTypes

extension NetworkState {
    /// The address that this machine would send from to reach the destination, for packets whose replies must find the way
    /// back: the route's preferred source, else the outgoing interface's best address. `nil` if there is no route, or no
    /// address of the destination's family.
    ///
    /// Never an address that ``AddressManager`` added, which may move to another machine at any time, nor one that is
    /// tentative or a duplicate. One of the loopback interface only if the route names it.
    package func sourceAddress(for destination: IPAddress) -> IPAddress? {
        guard let route = route(to: destination) else { return nil }
        let usable = addresses.filter {
            $0.address.family == destination.family && !$0.isOurs && !$0.isTentative && !$0.isDuplicate
        }
        if let preferred = route.preferredSource, usable.contains(where: { $0.address == preferred }) {
            return preferred
        }
        guard links[route.interface]?.isLoopback == false else { return nil }
        return usable.filter { $0.interface == route.interface }
            .min { a, b in
                a.rank(for: destination, by: route).lexicographicallyPrecedes(b.rank(for: destination, by: route))
            }?.address
    }

    /// The largest packet in octets that the way to the destination takes, as far as this machine decides: the link's MTU or,
    /// if lower, the route's. `nil` if there is no route.
    package func pathMTU(to destination: IPAddress) -> Int? {
        guard let route = route(to: destination), let link = links[route.interface] else { return nil }
        return min(link.mtu, route.mtu ?? link.mtu)
    }
}

extension InterfaceAddress {
    /// How good a source this is, the lowest first. The order is that of RFC 6724 §5, with the next hop's subnet before the
    /// longest match, as the kernel has it for IPv4; and lasting addresses before temporary ones.
    fileprivate func rank(for destination: IPAddress, by route: Route) -> [Int] {
        let nextHop = route.gateway ?? destination
        return [
            address.isLinkLocal == destination.isLinkLocal ? 0 : 1,
            isDeprecated ? 1 : 0,
            prefix.contains(nextHop) ? 0 : 1,
            isSecondary ? 1 : 0,
            -address.commonPrefixLength(with: destination),
        ]
    }
}

extension IPAddress {
    /// How many leading bits two addresses share, counted in their mapped form.
    fileprivate func commonPrefixLength(with other: IPAddress) -> Int {
        let difference = (high ^ other.high, low ^ other.low)
        return difference.0 != 0 ? difference.0.leadingZeroBitCount : 64 + difference.1.leadingZeroBitCount
    }
}
