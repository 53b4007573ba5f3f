/// The answer of `GET /v1/config`: the text that is in force.
package struct ConfigurationText: Codable, Hashable, Sendable {
    package var file: String
    package var text: String
    package var revision: String

    package init(file: String, text: String, revision: String) {
        self.file = file
        self.text = text
        self.revision = revision
    }
}

/// One thing that a configuration says wrongly or doubtfully.
package struct ConfigDiagnostic: Codable, Hashable, Sendable {
    /// `error` or `warning`.
    package var severity: String
    package var file: String
    /// From 1; `nil` when it concerns the whole file.
    package var line: Int?
    package var column: Int?
    /// The key: `services[0].ports`; empty for the whole file.
    package var path: String
    package var message: String
    /// What to write instead; empty when there is no better advice than the message.
    package var cure: String

    package init(
        severity: String, file: String, line: Int?, column: Int?, path: String, message: String, cure: String
    ) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.message = message
        self.cure = cure
    }

    /// One line: `file:line:column: path: message (cure)`, without the parts that are not known; a warning has `warning: `
    /// before the path.
    package var text: String {
        var text = file
        if let line {
            text += ":\(line)"
            if let column { text += ":\(column)" }
        }
        text += ": "
        if severity != "error" { text += "\(severity): " }
        if !path.isEmpty { text += "\(path): " }
        text += message
        if !cure.isEmpty { text += " (\(cure))" }
        return text
    }
}

/// The answer of `POST /v1/config/check`.
package struct ConfigReport: Codable, Hashable, Sendable {
    /// Whether there is no error; warnings do not count.
    package var valid: Bool
    package var diagnostics: [ConfigDiagnostic]

    package init(valid: Bool, diagnostics: [ConfigDiagnostic]) {
        self.valid = valid
        self.diagnostics = diagnostics
    }
}

/// The answer of `POST /v1/config/apply`. A configuration with errors is never applied and never answered with this.
package struct ApplyReport: Codable, Hashable, Sendable {
    /// Whether anything differs from before.
    package var changed: Bool
    package var report: ConfigReport
    package var servicesAdded: [String]
    package var servicesChanged: [String]
    package var servicesRemoved: [String]
    /// Writes to the data path's maps that the change took.
    package var mapWrites: Int

    package init(
        changed: Bool, report: ConfigReport, servicesAdded: [String] = [], servicesChanged: [String] = [],
        servicesRemoved: [String] = [], mapWrites: Int = 0
    ) {
        self.changed = changed
        self.report = report
        self.servicesAdded = servicesAdded
        self.servicesChanged = servicesChanged
        self.servicesRemoved = servicesRemoved
        self.mapWrites = mapWrites
    }
}
