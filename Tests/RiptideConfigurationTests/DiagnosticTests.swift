import RiptideConfiguration
import Testing

@Suite struct DiagnosticTests {
    private func diagnostic(_ severity: Diagnostic.Severity) -> Diagnostic {
        Diagnostic(
            severity: severity, file: "riptide.yaml", line: 3, column: 5, path: "services[A].ports", message: "is wrong",
            cure: "write 80")
    }

    @Test func `a diagnostic prints as place, path, fault and cure`() {
        #expect(diagnostic(.error).description == "riptide.yaml:3:5: services[A].ports: is wrong (write 80)")
        #expect(diagnostic(.warning).description == "riptide.yaml:3:5: warning: services[A].ports: is wrong (write 80)")
    }

    @Test(arguments: [(0, 0, "no errors"), (1, 0, "1 error"), (2, 1, "2 errors, 1 warning"), (0, 2, "no errors, 2 warnings")])
    func `a summary counts errors and warnings`(errors: Int, warnings: Int, expected: String) {
        let diagnostics =
            [Diagnostic](repeating: diagnostic(.error), count: errors)
            + [Diagnostic](repeating: diagnostic(.warning), count: warnings)
        #expect(diagnostics.summary == expected)
    }

    @Test func `all errors of a file are collected, in its order`() {
        let text = """
            version: 2
            node: { name: "l b" }
            interfces: [{ name: eth0 }]
            services:
              - name: A
                address: 10.0.0
                ports: 80,x
                shceduler: wlc
                servers:
                  - name: a
                    address: 10.0.0.2
                    weight: 70000
                  - adress: 10.0.0.3
                    weight: -1
            """
        #expect(
            complaints(text) == [
                "1:10: version: 2 is out of range (write a whole number from 1 to 1)",
                "2:15: node.name: 'l b' is not fit as a name (write 1 to 47 letters, digits, '.', '_' and '-', a letter or digit first, such as l_b)",
                "3:1: interfces: unknown key 'interfces' (did you mean interfaces?)",
                "6:14: services[A].address: '10.0.0' is not an IP address (write an IPv4 address such as 192.0.2.10, or an IPv6 address such as 2001:db8::10)",
                "7:12: services[A].ports: 'x' is not a port number (write ports and ranges such as 80,443,8000-8010)",
                "8:5: services[A].shceduler: unknown key 'shceduler' (did you mean scheduler?)",
                "12:17: services[A].servers[a].weight: 70000 is out of range (write a whole number from 0 to 65535)",
                "13:9: services[A].servers[1].adress: unknown key 'adress' (did you mean address?)",
                "13:9: services[A].servers[1].name: is missing (write a name for the real server)",
                "14:17: services[A].servers[1].weight: '-1' is out of range (write a whole number from 0 to 65535)",
            ])
        #expect(read(text).configuration == nil)
    }

    @Test func `only the first thousand errors are listed, and the rest is counted`() throws {
        let text = "version: 1\nnode: { name: a }\n" + (0..<1500).map { "key\($0): 1\n" }.joined()
        let diagnostics = read(text).diagnostics
        #expect(diagnostics.count == 1001)
        #expect(try #require(diagnostics.last).message == "500 more errors are not listed")
    }

    @Test func `warnings alone, however many, do not hide an error or spoil a configuration`() {
        let services = (0..<1200).map { "  - { name: s\($0), address: 10.0.\($0 / 250).\($0 % 250 + 1), ports: 80 }\n" }
        let text = "version: 1\nnode: { name: a }\ninterfaces: [{ name: eth0 }]\nservices:\n" + services.joined()
        #expect(read(text).configuration?.services.count == 1200)
        let broken = read(text + "  - { name: last, address: 10.9.0.1, ports: 0 }\n")
        #expect(broken.configuration == nil)
        #expect(broken.diagnostics.filter { $0.severity == .error }.map(\.path) == ["services[last].ports"])
    }
}
