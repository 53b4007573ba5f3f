import Glibc
import NetworkTypes
import TestSupport

/// How packets reach the real servers, as configurations say it.
enum Mode: String, CaseIterable, Sendable {
    case dr, nat, snat, ipip, gue

    var isTunnel: Bool { self == .ipip || self == .gue }
    /// Whether ports can be translated.
    var translates: Bool { self == .nat || self == .snat }

    var keys: [String] { isTunnel ? ["mode: tunnel", "encapsulation: \(rawValue)"] : ["mode: \(rawValue)"] }
}

/// A mode in a network that suits it.
struct Cell: CustomStringConvertible {
    let mode: Mode
    let arms: Site.Arms

    static let all = Mode.allCases.flatMap { mode in [Site.Arms.one, .two].map { Cell(mode: mode, arms: $0) } }

    var description: String { "\(mode), \(arms) arm\(arms == .two ? "s" : "")" }

    /// - Parameter clientIsInside: a client beside the real servers, which only snat can serve with one arm.
    func site(clientIsInside: Bool = false, middleMTU: Int = 1500) throws -> Site {
        let place: Site.Place = mode.isTunnel ? .far : mode == .nat ? .behindBalancer : .besideRouter
        return try Site(arms, servers: place, clientIsInside: clientIsInside, middleMTU: middleMTU)
    }

    /// Families of the VIP and of the real servers.
    var families: [(outer: IPAddress.Family, inner: IPAddress.Family)] {
        let same: [(IPAddress.Family, IPAddress.Family)] = [(.ipv4, .ipv4), (.ipv6, .ipv6)]
        return mode.isTunnel ? same + [(.ipv4, .ipv6), (.ipv6, .ipv4)] : same
    }
}

/// How much a test does: with `RIPTIDE_THOROUGH=1` more than there is time for each time.
enum Effort {
    static let isThorough = getenv("RIPTIDE_THOROUGH").map { String(cString: $0) } == "1"
    static let requests = isThorough ? 1_000 : 100
    static let megabytes = isThorough ? 100 : 10
    /// Those that differ in how a flow is kept.
    static let modes = isThorough ? Mode.allCases : [.dr, .snat]
    static let datagrams = isThorough ? 1_000 : 50
}
