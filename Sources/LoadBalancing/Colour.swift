/// The colour in which a real server or a service is shown (features.md, section 4).
package enum Colour: String, Hashable, Sendable {
    /// Up.
    case green
    /// A service of which some servers are down.
    case yellow
    /// Down.
    case red
    /// Taken out of service on purpose.
    case blue

    /// Of a service, from its servers' colours. Servers that are out on purpose do not make a service look ill, and never make
    /// it look healthy: the others decide, unless there are none.
    package static func ofService(servers: [Colour]) -> Colour {
        let inService = servers.filter { $0 != .blue }
        if inService.isEmpty { return servers.isEmpty ? .red : .blue }
        let down = inService.filter { $0 == .red }.count
        return down == 0 ? .green : down == inService.count ? .red : .yellow
    }
}
