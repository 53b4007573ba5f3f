/// One connection, or one exchange of UDP, in the flow table.
package struct Flow: Codable, Hashable, Sendable {
    package var client: String
    package var clientPort: Int
    /// Of the virtual service.
    package var address: String
    package var port: Int
    /// `tcp` or `udp`.
    package var `protocol`: String
    package var service: String
    package var server: String
    package var state: String
    package var ageSeconds: Int
    /// Since the client's last packet.
    package var idleSeconds: Int
    package var packets: Int
    package var bytes: Int
    /// Of the real server: in the modes `nat` and `snat`.
    package var answerPackets: Int
    package var answerBytes: Int
    /// What the real server takes for the client, `ADDRESS:PORT`: in mode `snat`.
    package var seenAs: String?

    package init(
        client: String, clientPort: Int, address: String, port: Int, protocol: String, service: String,
        server: String, state: String, ageSeconds: Int, idleSeconds: Int, packets: Int, bytes: Int,
        answerPackets: Int = 0, answerBytes: Int = 0, seenAs: String? = nil
    ) {
        self.client = client
        self.clientPort = clientPort
        self.address = address
        self.port = port
        self.protocol = `protocol`
        self.service = service
        self.server = server
        self.state = state
        self.ageSeconds = ageSeconds
        self.idleSeconds = idleSeconds
        self.packets = packets
        self.bytes = bytes
        self.answerPackets = answerPackets
        self.answerBytes = answerBytes
        self.seenAs = seenAs
    }
}

/// The answer of `GET /v1/flows`.
package struct FlowPage: Codable, Hashable, Sendable {
    /// How many flows match the filter, whether listed or not.
    package var total: Int
    package var flows: [Flow]
    /// Whether `flows` lacks some that match.
    package var truncated: Bool

    package init(total: Int, flows: [Flow], truncated: Bool) {
        self.total = total
        self.flows = flows
        self.truncated = truncated
    }
}

/// The answer of `GET /v1/flows?count=true`.
package struct FlowCount: Codable, Hashable, Sendable {
    package var total: Int

    package init(total: Int) { self.total = total }
}

/// Which flows, or which remembered clients: every part that is set must match.
package struct ClientFilter: Hashable, Sendable {
    package var service: String?
    /// A real server's name; of any service when `service` is `nil`. Persistence is not filtered by it.
    package var server: String?
    /// An address or a prefix, as the user wrote it.
    package var client: String?

    package init(service: String? = nil, server: String? = nil, client: String? = nil) {
        self.service = service
        self.server = server
        self.client = client
    }
}

/// How many flows one answer may list.
package enum FlowLimit {
    package static let standard = 1_000
    package static let range = 1...1_000_000
}

/// One client prefix and the real server that it keeps.
package struct PersistenceEntry: Codable, Hashable, Sendable {
    package var service: String
    /// A prefix: `192.0.2.7/32`.
    package var client: String
    package var server: String
    package var secondsLeft: Int

    package init(service: String, client: String, server: String, secondsLeft: Int) {
        self.service = service
        self.client = client
        self.server = server
        self.secondsLeft = secondsLeft
    }
}

/// The answer of `GET /v1/persistence`.
package struct PersistenceList: Codable, Hashable, Sendable {
    package var entries: [PersistenceEntry]

    package init(entries: [PersistenceEntry]) { self.entries = entries }
}

/// The answer of `DELETE /v1/persistence`.
package struct Removal: Codable, Hashable, Sendable {
    package var removed: Int

    package init(removed: Int) { self.removed = removed }
}
