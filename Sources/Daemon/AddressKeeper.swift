import LinuxSystem
import Logging
import NetworkTypes

/// Keeps the VIPs on `lo`, where the kernel answers ping and the proxy can bind, and tells neighbours when one is taken.
struct AddressKeeper: ~Copyable {
    private var addresses: AddressManager
    private let announcer: Announcer
    private let logger: Logger
    /// How many more times each VIP is announced.
    private var pending: [IPAddress: Int] = [:]

    init(logger: Logger) throws {
        let addresses = try AddressManager()
        announcer = try Announcer()
        self.addresses = addresses
        self.logger = logger
    }

    /// How often a VIP is announced.
    private static let announcements = 3

    /// Puts the VIPs on `lo`. Those that were not there are announced.
    mutating func take(_ vips: Set<IPAddress>) throws {
        for vip in vips.sorted() where try addresses.add(vip, to: "lo") {
            logger.info("VIP taken", metadata: ["address": "\(vip)"])
            pending[vip] = Self.announcements
        }
    }

    /// Takes off `lo` what we had put there, but for these. To come before the data plane stops serving an address: the kernel
    /// would refuse its connections.
    mutating func release(except vips: Set<IPAddress>, network: NetworkState) throws {
        let loopbacks = Set(network.links.values.filter(\.isLoopback).map(\.index))
        for address in try addresses.list() where loopbacks.contains(address.interface) && address.isOurs {
            guard !vips.contains(address.address) else { continue }
            try addresses.remove(address.address, prefixLength: address.prefix.length, from: "lo")
            logger.info("VIP given up", metadata: ["address": "\(address.address)"])
            pending[address.address] = nil
        }
    }

    /// Announces again, from the next call of `announce` on.
    mutating func announceAgain(_ vips: Set<IPAddress>) {
        for vip in vips { pending[vip] = Self.announcements }
    }

    /// Announces what is due, once. To be called each second: one lost frame must not leave a router with an old address.
    mutating func announce(interfaces: Set<UInt32>, network: NetworkState) {
        for (vip, times) in pending {
            var isSent = false
            for link in links(for: vip, interfaces, network) {
                guard let mac = link.mac else { continue }
                do {
                    try announcer.announce(vip, interface: link.index, mac: mac)
                    isSent = true
                } catch {
                    logger.warning("VIP not announced", metadata: ["address": "\(vip)", "error": "\(error)"])
                }
            }
            // With no link up there is nobody to tell: it waits.
            if isSent { pending[vip] = times > 1 ? times - 1 : nil }
        }
    }

    /// The link in whose subnet the VIP lies; all of ours for one that lies in none of them, which routers lead here.
    private func links(for vip: IPAddress, _ interfaces: Set<UInt32>, _ network: NetworkState) -> [Link] {
        if let link = network.linkForDestination(vip), interfaces.contains(link.index) { return link.isUp ? [link] : [] }
        return interfaces.compactMap { network.links[$0] }.filter(\.isUp)
    }
}
