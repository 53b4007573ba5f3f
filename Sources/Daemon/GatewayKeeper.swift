import LinuxSystem
import Logging

/// Makes this machine the router that real servers of nat need: it forwards, and with auto-NAT it masquerades what they send to
/// the outside. What XDP forwards never comes here.
struct GatewayKeeper: ~Copyable {
    private let logger: Logger
    private var installed: String?
    private var hasFailed = false
    /// Whether what an earlier daemon installed has been dealt with.
    private var hasBegun = false

    init(logger: Logger) {
        self.logger = logger
    }

    /// - Parameter externalInterface: Whose address the outside shall see; `nil` takes away what was installed.
    mutating func keep(externalInterface: String?) {
        guard externalInterface != installed || hasFailed || !hasBegun else { return }
        defer { hasBegun = true }
        do {
            if let interface = externalInterface {
                let changes = try MasqueradeRules(interface: interface).install()
                for change in changes.parameters {
                    logger.notice(
                        "kernel parameter changed for auto-NAT",
                        metadata: ["parameter": "\(change.parameter)", "before": "\(change.before)", "now": "\(change.now)"])
                }
                logger.info("auto-NAT installed", metadata: ["interface": "\(interface)"])
            } else if try MasqueradeRules(interface: installed ?? "any").remove() {
                logger.info("auto-NAT removed")
            }
            (installed, hasFailed) = (externalInterface, false)
        } catch {
            // Without nft there is nothing to remove.
            if externalInterface == nil && installed == nil { return }
            if !hasFailed { logger.error("auto-NAT not installed", metadata: ["error": "\(error)"]) }
            hasFailed = true
        }
    }
}
