import LoadBalancing
import NetworkTypes

/// What reading a configuration gave.
package struct ConfigurationResult: Hashable, Sendable {
    /// The configuration; `nil` if there is any error.
    package var configuration: Configuration?
    /// Everything that was found, in the order of the file.
    package var diagnostics: [Diagnostic]

    package init(configuration: Configuration?, diagnostics: [Diagnostic]) {
        self.configuration = configuration
        self.diagnostics = diagnostics
    }
}

/// Reads `riptide.yaml` and checks it against every rule.
package enum ConfigurationReader {
    /// Reads the text of a configuration.
    ///
    /// All errors are collected, not only the first; an error of YAML itself ends the reading, for what follows it has
    /// no certain meaning. No text makes this crash, and its time grows with the length of the text.
    ///
    /// - Parameters:
    ///   - file: What diagnostics call the file.
    ///   - facts: What this machine has; without it, the rules that need it are skipped.
    package static func read(_ text: String, file: String, facts: SystemFacts? = nil) -> ConfigurationResult {
        var findings = Findings(file: file)
        var configuration: Configuration?
        do {
            if let root = try YAMLDocument(parsing: text).root {
                configuration = read(Field(value: root, path: .root), facts, &findings)
            } else {
                findings.error(at: .document(.start), "the file is empty", "begin with version: 1")
            }
        } catch {
            for problem in error.others + [error] {
                findings.error(at: .document(problem.position), problem.message, problem.cure)
            }
        }
        return ConfigurationResult(
            configuration: findings.hasErrors ? nil : configuration, diagnostics: findings.diagnostics)
    }

    private static func read(_ document: Field, _ facts: SystemFacts?, _ findings: inout Findings) -> Configuration? {
        guard case .map = document.value.content else {
            findings.error(
                at: .document(document.value.position), "the file is \(document.value.kind), not a mapping",
                "begin with version: 1")
            return nil
        }
        let keys = ["version", "node", "interfaces", "datapath", "auto-nat", "defaults", "services", "cluster"]
        let elsewhere = ["floating-addresses": "write it under cluster"]
        guard let root = document.table(keys, elsewhere: elsewhere, &findings) else { return nil }
        _ = root.required("version", "write version: 1", &findings)?.integer(in: 1...1, &findings)
        let node = root.required("node", "write node: { name: lb1 }", &findings)
            .flatMap { $0.table(["name"], &findings) }?
            .required("name", "write the name of this machine", &findings)
            .flatMap { $0.name(&findings) }
        let dataPath = root["datapath"].map { readDataPath($0, &findings) } ?? DataPathSettings()

        let interfaceReader = InterfaceReader(facts: facts)
        let interfaces = interfaceReader.read(root["interfaces"], &findings)
        let autoNAT = root["auto-nat"].flatMap { interfaceReader.readAutoNAT($0, &findings) }
        let defaults = root["defaults"].flatMap { ServiceReader.readDefaults($0, &findings) }
        var reader = ServiceReader(defaults: defaults)
        let drafts = root["services"].map { reader.read($0, &findings) } ?? []
        reader.reportUnusedDefaults(&findings)
        let floating = root["cluster"].map { readCluster($0, &findings) } ?? []

        if let place = root.keyPlace("services"), !drafts.isEmpty,
            root["interfaces"]?.value.isEmpty ?? !root.isMisspelt("interfaces")
        {
            findings.error(
                at: place, "there are services but no interfaces to receive them on",
                "add interfaces: [{ name: eth0 }] with the name of a network interface")
        }
        ServiceRules(drafts: drafts).check(&findings)
        ClientPrefixRules(drafts: drafts).check(&findings)
        AddressRules(drafts: drafts, floating: floating, facts: facts, configured: interfaces).check(&findings)
        OverlapRule.check(drafts, &findings)

        guard !findings.hasErrors, let node else { return nil }
        return Configuration(
            node: NodeSettings(name: node), interfaces: interfaces.map(\.value), dataPath: dataPath,
            autoNAT: autoNAT, services: drafts.compactMap(\.service), floatingAddresses: floating.map(\.value))
    }

    /// The floating addresses, which are all that this version takes of `cluster`.
    private static func readCluster(_ field: Field, _ findings: inout Findings) -> [Located<IPAddress>] {
        let pairing = ["local", "peer", "heartbeat", "ping-nodes"]
        let keys = pairing + ["floating-addresses"]
        let elsewhere = ["auto-nat": "write it at the top of the file"]
        guard let table = field.table(keys, elsewhere: elsewhere, &findings) else { return [] }
        for key in pairing {
            if let place = table.keyPlace(key) { findings.refuseNotYet("cluster.\(key)", at: place) }
        }
        return table["floating-addresses"]?.addresses("floating address", &findings) ?? []
    }

    private static func readDataPath(_ field: Field, _ findings: inout Findings) -> DataPathSettings {
        var settings = DataPathSettings()
        guard let table = field.table(["flows", "persistence", "timeouts"], &findings) else { return settings }
        if let flows = table["flows"]?.integer(in: 1024...16_777_216, &findings) { settings.flows = flows }
        if let persistence = table["persistence"]?.integer(in: 1024...4_194_304, &findings) {
            settings.persistence = persistence
        }
        let timeouts: [(String, WritableKeyPath<DataPathSettings, Duration>)] = [
            ("tcp-established", \.timeouts.tcpEstablished), ("tcp-fin", \.timeouts.tcpFin),
            ("tcp-syn", \.timeouts.tcpSyn), ("udp", \.timeouts.udp),
        ]
        guard let times = table["timeouts"]?.table(timeouts.map(\.0), &findings) else { return settings }
        for (key, path) in timeouts {
            if let time = times[key]?.duration(in: .seconds(1) ... .seconds(86_400), &findings) {
                settings[keyPath: path] = time
            }
        }
        return settings
    }
}

extension Place {
    /// A place in the text that belongs to no key.
    fileprivate static func document(_ position: Position) -> Place {
        Place(position: position, path: .key("document", of: .root))
    }
}
