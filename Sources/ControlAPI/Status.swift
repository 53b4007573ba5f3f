/// The answer of `GET /v1/status`: everything that the overview shows, taken at one moment.
package struct Status: Codable, Hashable, Sendable {
    package var node: NodeStatus
    package var configuration: ConfigurationStatus
    package var dataPath: DataPathStatus
    /// In the order of the configuration.
    package var services: [ServiceStatus]
    /// What an operator should know and act on, each a full sentence.
    package var warnings: [String]

    package init(
        node: NodeStatus, configuration: ConfigurationStatus, dataPath: DataPathStatus, services: [ServiceStatus],
        warnings: [String] = []
    ) {
        self.node = node
        self.configuration = configuration
        self.dataPath = dataPath
        self.services = services
        self.warnings = warnings
    }
}

/// This machine and its daemon.
package struct NodeStatus: Codable, Hashable, Sendable {
    package var name: String
    /// Riptide's version.
    package var version: String
    /// `single`; a pair adds further values.
    package var role: String
    /// Whether this node answers for the virtual services' addresses.
    package var active: Bool
    /// Since the daemon started; the data path may be older.
    package var uptimeSeconds: Int
    package var pid: Int

    package init(name: String, version: String, role: String, active: Bool, uptimeSeconds: Int, pid: Int) {
        self.name = name
        self.version = version
        self.role = role
        self.active = active
        self.uptimeSeconds = uptimeSeconds
        self.pid = pid
    }
}

/// The configuration that is in force.
package struct ConfigurationStatus: Codable, Hashable, Sendable {
    package var file: String
    /// A fingerprint of the text: equal texts have equal revisions.
    package var revision: String
    /// ISO 8601, UTC.
    package var loadedAt: String

    package init(file: String, revision: String, loadedAt: String) {
        self.file = file
        self.revision = revision
        self.loadedAt = loadedAt
    }
}
