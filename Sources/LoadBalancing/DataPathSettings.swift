/// What the data plane is built with, the same for all services.
package struct DataPathSettings: Hashable, Sendable {
    /// Entries of the flow table.
    package var flows: Int
    /// Entries of the persistence table.
    package var persistence: Int
    package var timeouts: Timeouts

    /// How long a silent flow is kept.
    package struct Timeouts: Hashable, Sendable {
        package var tcpEstablished: Duration
        package var tcpFin: Duration
        package var tcpSyn: Duration
        package var udp: Duration

        package init(
            tcpEstablished: Duration = .seconds(900), tcpFin: Duration = .seconds(120),
            tcpSyn: Duration = .seconds(60), udp: Duration = .seconds(300)
        ) {
            self.tcpEstablished = tcpEstablished
            self.tcpFin = tcpFin
            self.tcpSyn = tcpSyn
            self.udp = udp
        }
    }

    package init(flows: Int = 524_288, persistence: Int = 65_536, timeouts: Timeouts = Timeouts()) {
        self.flows = flows
        self.persistence = persistence
        self.timeouts = timeouts
    }
}
