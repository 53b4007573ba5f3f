import LoadBalancing

/// Reads the `interfaces` section and `auto-nat`, and holds them against the interfaces that the machine has.
struct InterfaceReader {
    let facts: SystemFacts?

    /// The interfaces that are named properly, whatever else is wrong with them.
    func read(_ field: Field?, _ findings: inout Findings) -> [Located<InterfaceSettings>] {
        var interfaces: [Located<InterfaceSettings>] = []
        var lines: [String: Int] = [:]
        for element in field?.elements("interface", &findings) ?? [] {
            guard let table = element.table(["name", "xdp"], &findings) else { continue }
            let mode = table["xdp"].flatMap { $0.choice(of: XDPPreference.self, &findings) }
            guard let nameField = table.required("name", "write the name of a network interface", &findings),
                let name = interfaceName(nameField, &findings)
            else { continue }
            if let line = lines[name] {
                findings.error(
                    at: nameField.place, "interface \(name) is already given in line \(line)", "keep one of the two")
                continue
            }
            lines[name] = nameField.place.line
            checkExistence(of: name, at: nameField.place, &findings)
            interfaces.append(
                Located(value: InterfaceSettings(name: name, xdp: mode ?? .auto), place: nameField.place))
        }
        return interfaces
    }

    /// The interface to masquerade on. It may be any that leads outside, and one that comes and goes: that it is not
    /// there now is only a warning.
    func readAutoNAT(_ field: Field, _ findings: inout Findings) -> String? {
        guard let name = interfaceName(field, &findings) else { return nil }
        guard let facts else { return name }
        guard let interface = facts.interfaces.first(where: { $0.name == name }) else {
            let list = facts.interfaces.filter { !$0.isLoopback }.map(\.name)
            findings.warning(
                at: field.place, "this machine has no interface \(name) now",
                suggestion(for: name, among: list).map { "did you mean \($0)?" }
                    ?? "there are \(list.joined(separator: ", "))")
            return name
        }
        if interface.isLoopback {
            findings.error(
                at: field.place, "\(name) is a loopback interface, which leads nowhere",
                "write the interface by which this machine reaches the outside")
        }
        return name
    }

    /// What the kernel takes as the name of an interface.
    private func interfaceName(_ field: Field, _ findings: inout Findings) -> String? {
        let rule = "write a name as 'ip link' shows it, such as eth0"
        guard let text = field.text(rule, &findings) else { return nil }
        let isFit =
            (1...15).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"/:%".utf8.contains($0) }
        guard isFit else {
            findings.error(at: field.place, "\(text.quoted) cannot be the name of an interface", rule)
            return nil
        }
        return text
    }

    private func checkExistence(of name: String, at place: Place, _ findings: inout Findings) {
        guard let facts else { return }
        let usable = facts.interfaces.filter { $0.isEthernet && !$0.isLoopback }.map(\.name)
        let list = usable.isEmpty ? "this machine has no Ethernet interface" : "there are \(usable.joined(separator: ", "))"
        guard let interface = facts.interfaces.first(where: { $0.name == name }) else {
            findings.error(
                at: place, "this machine has no interface \(name)",
                suggestion(for: name, among: usable).map { "did you mean \($0)?" } ?? list)
            return
        }
        if interface.isLoopback {
            findings.error(at: place, "\(name) is a loopback interface, where no client's packets arrive", list)
        } else if !interface.isEthernet {
            findings.error(at: place, "\(name) is not an Ethernet interface", list)
        }
    }
}
