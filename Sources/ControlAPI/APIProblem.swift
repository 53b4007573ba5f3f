/// Why a request was refused or failed, as RFC 9457 has it; the body of every answer that is not a success.
package struct APIProblem: Error, Codable, Hashable, Sendable, CustomStringConvertible {
    /// Stable, for programs: one of the `Kind`s below, or a later one.
    package var type: String
    /// The kind in words, the same for every problem of it.
    package var title: String
    /// The HTTP status.
    package var status: Int
    /// This very problem: the operation and the object.
    package var detail: String
    /// What to do about it.
    package var cure: String?
    /// For a configuration that is refused.
    package var diagnostics: [ConfigDiagnostic]?

    /// The kinds of problems that this version knows.
    package struct Kind: Hashable, Sendable {
        package var type: String
        package var title: String
        package var status: Int

        private init(_ name: String, _ title: String, _ status: Int) {
            self.type = "urn:riptide:problem:\(name)"
            self.title = title
            self.status = status
        }

        package static let badRequest = Kind("bad-request", "The request cannot be understood", 400)
        package static let badParameter = Kind("bad-parameter", "A parameter has an unusable value", 400)
        package static let forbidden = Kind("forbidden", "This user may not use the control socket", 403)
        package static let unknownPath = Kind("unknown-path", "There is nothing at this path", 404)
        package static let unknownService = Kind("unknown-service", "There is no such virtual service", 404)
        package static let unknownServer = Kind("unknown-server", "There is no such real server", 404)
        package static let wrongMethod = Kind("wrong-method", "The path does not take this method", 405)
        package static let conflict = Kind("conflict", "The present state does not allow this", 409)
        package static let tooLarge = Kind("too-large", "The body is too large", 413)
        package static let invalidConfiguration = Kind("invalid-configuration", "The configuration has errors", 422)
        package static let failed = Kind("failed", "The operation failed", 500)
        package static let unavailable = Kind("unavailable", "The daemon cannot do this now", 503)
    }

    package init(_ kind: Kind, detail: String, cure: String? = nil, diagnostics: [ConfigDiagnostic]? = nil) {
        self.type = kind.type
        self.title = kind.title
        self.status = kind.status
        self.detail = detail
        self.cure = cure
        self.diagnostics = diagnostics
    }

    package func isOf(_ kind: Kind) -> Bool { type == kind.type }

    package var description: String {
        guard let cure, !cure.isEmpty else { return detail }
        return "\(detail) (\(cure))"
    }
}

extension APIProblem {
    /// No service has the name; the nearest of `names` is suggested.
    package static func unknownService(_ name: String, among names: [String]) -> APIProblem {
        APIProblem(
            .unknownService, detail: "no virtual service is called \(name)",
            cure: advice(name, names, none: "no virtual services are configured"))
    }

    /// No real server of the service has the name; the nearest of `names` is suggested.
    package static func unknownServer(_ name: String, of service: String, among names: [String]) -> APIProblem {
        APIProblem(
            .unknownServer, detail: "no real server of \(service) is called \(name)",
            cure: advice(name, names, none: "\(service) has no real servers"))
    }

    /// A query parameter or a key of the body cannot be used.
    package static func badParameter(_ name: String, _ detail: String, cure: String? = nil) -> APIProblem {
        APIProblem(.badParameter, detail: "\(name): \(detail)", cure: cure)
    }

    /// The configuration is refused because of its errors; nothing was applied.
    package static func invalidConfiguration(_ report: ConfigReport) -> APIProblem {
        let errors = report.diagnostics.filter { $0.severity == "error" }.count
        return APIProblem(
            .invalidConfiguration,
            detail: "the configuration has \(errors == 1 ? "an error" : "\(errors) errors"); nothing was applied",
            cure: "correct what the diagnostics name", diagnostics: report.diagnostics)
    }

    private static func advice(_ name: String, _ names: [String], none: String) -> String {
        if names.isEmpty { return none }
        if let near = nearest(to: name, among: names) { return "did you mean \(near)?" }
        let shown = names.prefix(5).joined(separator: ", ")
        return "there are: \(shown)\(names.count > 5 ? " and \(names.count - 5) more" : "")"
    }
}
