import LoadBalancing
import RiptideConfiguration
import Testing

/// Kinds, keys, numbers, times and names: what is wrong whatever the rules say.
@Suite struct FormTests {
    /// What is said about line 11, where the real server's further keys stand, without its place.
    private func aboutServer(_ line: String) -> [String] {
        complaints(document(server: line)).map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    private func aboutService(_ lines: String) -> [String] {
        complaints(document(service: lines)).map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    @Test(arguments: [
        ("010", "'010' has a leading zero, which may mean octal (write 10)"),
        ("0x10", "'0x10' is hexadecimal (write 16)"), ("0o17", "'0o17' is octal (write 15)"),
        ("0b101", "'0b101' is binary (write 5)"), ("1:30", "'1:30' is a number to base 60 for YAML (write 90)"),
        ("1e3", "'1e3' is in exponent notation (write 1000)"), ("1_000", "'1_000' has underscores (write 1000)"),
        ("+5", "'+5' has a sign (write 5)"), ("5.0", "'5.0' has a fraction (write 5)"),
        ("5.5", "'5.5' has a fraction (write a whole number from 0 to 65535)"),
        ("\"100\"", "is text in quotes, not a number (write 100)"), ("'7'", "is text in quotes, not a number (write 7)"),
        ("-5", "'-5' is out of range (write a whole number from 0 to 65535)"),
        ("65536", "65536 is out of range (write a whole number from 0 to 65535)"),
        ("1e9", "'1e9' is out of range (write a whole number from 0 to 65535)"),
        ("9223372036854775808", "9223372036854775808 is out of range (write a whole number from 0 to 65535)"),
        ("0xffffffffffffffffffff", "'0xffffffffffffffffffff' is not a number (write a whole number from 0 to 65535)"),
        ("ten", "'ten' is not a number (write a whole number from 0 to 65535)"),
        (".inf", "'.inf' is not a number (write a whole number from 0 to 65535)"),
        ("-", "is a list, not a single value (write a whole number from 0 to 65535)"),
        ("{}", "is a mapping, not a single value (write a whole number from 0 to 65535)"),
        ("", "has no value (write a whole number from 0 to 65535)"),
        ("~", "has no value (write a whole number from 0 to 65535)"),
    ])
    func `a number that YAML readers disagree about gets a clear answer`(written: String, expected: String) {
        #expect(aboutServer("weight: \(written == "-" ? "[]" : written)") == ["services[A].servers[a].weight: \(expected)"])
    }

    @Test(arguments: ["0", "1", "65535"])
    func `the bounds of a range belong to it`(written: String) {
        #expect(read(document(server: "weight: \(written)")).configuration != nil)
    }

    @Test(arguments: [
        ("300", "300 has no unit (write 300s)"), ("10 s", "'10 s' is not a time (write 10s)"),
        ("10S", "'10S' is not a time (write 10s)"), ("010s", "'010s' is not a time (write 10s)"),
        ("1:30", "'1:30' is a number to base 60 for YAML (write 90s)"),
        ("2d", "'2d' has a unit that is not known here (write 48h)"),
        ("5min", "'5min' is not a time (write a number and its unit, such as 500ms, 10s, 5m or 12h)"),
        ("1.5h", "'1.5h' is not a time (write a number and its unit, such as 500ms, 10s, 5m or 12h)"),
        ("-5s", "'-5s' is not a time (write a number and its unit, such as 500ms, 10s, 5m or 12h)"),
        ("0s", "'0s' is out of range (write a time from 1s to 168h)"),
        ("999ms", "'999ms' is out of range (write a time from 1s to 168h)"),
        ("169h", "'169h' is out of range (write a time from 1s to 168h)"),
        ("99999999999999999999h", "'99999999999999999999h' is out of range (write a time from 1s to 168h)"),
        ("soon", "'soon' is not a time (write a number and its unit, such as 500ms, 10s, 5m or 12h)"),
    ])
    func `a time that cannot be read gets a clear answer`(written: String, expected: String) {
        #expect(
            aboutService("persistence: { timeout: \(written) }") == ["services[A].persistence.timeout: \(expected)"])
    }

    @Test(arguments: [("1s", 1), ("60000ms", 60), ("5m", 300), ("168h", 604_800), ("\"10s\"", 10)])
    func `a time is read in its unit`(written: String, seconds: Int) {
        let configuration = read(document(service: "persistence: { timeout: \(written) }")).configuration
        #expect(configuration?.services[0].persistence?.timeout == .seconds(seconds))
    }

    @Test(arguments: [
        ("flows: 1023", "datapath.flows: 1023 is out of range (write a whole number from 1024 to 16777216)"),
        ("flows: 16777217", "datapath.flows: 16777217 is out of range (write a whole number from 1024 to 16777216)"),
        ("persistence: 4194305", "datapath.persistence: 4194305 is out of range (write a whole number from 1024 to 4194304)"),
        ("timeouts: { udp: 25h }", "datapath.timeouts.udp: '25h' is out of range (write a time from 1s to 24h)"),
        ("timeouts: { tcp: 5m }", "datapath.timeouts.tcp: unknown key 'tcp' (the keys here are tcp-established, tcp-fin, tcp-syn, udp)"),
        ("timeouts: 5m", "datapath.timeouts: is a single value, not a mapping (write keys such as tcp-established, tcp-fin, tcp-syn, each with a colon and its value)"),
    ])
    func `the data path's settings have their ranges`(written: String, expected: String) {
        #expect(
            complaints(document(top: "datapath: { \(written) }")).map { String($0.drop { $0 != " " }.dropFirst()) }
                == [expected])
    }

    @Test(arguments: [
        ("mode: DR", "mode: 'DR' is not one of the choices (did you mean dr? The choices are dr, nat, snat, tunnel or proxy)"),
        ("protocol: udp/tcp", "protocol: 'udp/tcp' is not one of the choices (write tcp, udp, tcp/udp or http)"),
        ("scheduler: dh", "scheduler: 'dh' is not one of the choices (did you mean sh? The choices are wlc, lc, wrr, rr, sh or maglev)"),
        ("persistence: false", "persistence: 'false' is neither off nor a mapping (write off, or { prefix: 32, timeout: 5m })"),
        ("persistence: {prefix: 129}", "persistence.prefix: 129 is out of range (write a whole number from 1 to 128)"),
        ("fallback: none", "fallback: 'none' is neither off nor a mapping (write off, or { address: 192.0.2.200 })"),
        ("fallback:", "fallback: has no value (write off, or { address: 192.0.2.200 })"),
        ("fallback: {}", "fallback.address: is missing (write the address of the fallback server)"),
        ("expire: yes", "expire: 'yes' is not one of the choices (write true or false)"),
        ("expire: True", "expire: 'True' is not one of the choices (did you mean true? The choices are true or false)"),
        ("mode: tunnel\n    encapsulation: gre", "encapsulation: 'gre' is not one of the choices (did you mean gue? The choices are ipip or gue)"),
        ("port: 80", "port: key 'port' does not belong here (write ports)"),
        ("max-connections: 80", "max-connections: key 'max-connections' does not belong here (write it at each real server)"),
        ("rate: 80", "rate: key 'rate' does not belong here (write it under clients)"),
        ("virtual: 1", "virtual: unknown key 'virtual' (the keys here are name, mode, encapsulation, source, address, ports, protocol, scheduler, persistence, check, fallback, expire, clients, servers)"),
    ])
    func `a value that is not one of the choices is refused with them`(written: String, expected: String) {
        #expect(aboutService(written) == ["services[A].\(expected)"])
    }

    @Test(arguments: [
        "", "a b", "-a", ".a", "ä", String(repeating: "a", count: 48), "a/b", "a\\0b",
    ])
    func `an unfit name is refused`(name: String) {
        let found = complaints(document().replacing("name: A", with: "name: \"\(name)\""))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("5:11: services[0].name: ") == true, "\(found)")
    }

    @Test func `a name of 47 bytes is fit`() {
        #expect(complaints(document().replacing("name: A", with: "name: \(String(repeating: "a", count: 47))")) == [])
    }

    @Test(arguments: [
        ("10.0.0.01", "'10.0.0.01' has a leading zero, which may mean octal (write 10.0.0.1)"),
        ("10.0.0.1/24", "'10.0.0.1/24' has a prefix length (write the address alone: 10.0.0.1)"),
        ("\"10.0.0.1\\0x\"", "'10.0.0.1\u{fffd}x' is not an IP address (write an IPv4 address such as 192.0.2.10, or an IPv6 address such as 2001:db8::10)"),
        ("fe80::1%eth0", "'fe80::1%eth0' is not an IP address (write an IPv4 address such as 192.0.2.10, or an IPv6 address such as 2001:db8::10)"),
        ("[10.0.0.1]", "is a list, not a single value (write an IPv4 address such as 192.0.2.10, or an IPv6 address such as 2001:db8::10)"),
    ])
    func `an address that cannot be read gets a clear answer`(written: String, expected: String) {
        #expect(complaints(document(address: written)) == ["6:14: services[A].address: \(expected)"])
    }

    @Test(arguments: [
        ("[]", "7:12: services[A].ports: has no port (write ports and ranges such as 80,443,8000-8010)"),
        ("443-80", "7:12: services[A].ports: range 443-80 runs backwards (write 80-443)"),
        ("080", "7:12: services[A].ports: port '080' has a leading zero (write 80)"),
        ("[80, x]", "7:17: services[A].ports[1]: 'x' is not a port number (write ports and ranges such as 80,443,8000-8010)"),
        ("[80, [81]]", "7:17: services[A].ports[1]: is a list, not a single value (write ports and ranges such as 80,443,8000-8010)"),
        ("{ tcp: 80 }", "7:12: services[A].ports: is a mapping, not a single value (write ports and ranges such as 80,443,8000-8010)"),
    ])
    func `ports that cannot be read are pointed at`(written: String, expected: String) {
        #expect(complaints(document(ports: written)) == [expected])
    }

    @Test func `missing keys are reported where they should stand`() {
        #expect(
            complaints("services: [{}, { servers: [{}] }]\ninterfaces: [{}]\n") == [
                "1:1: node: is missing (write node: { name: lb1 })",
                "1:1: version: is missing (write version: 1)",
                "1:12: services[0].address: is missing (write the virtual address of the service)",
                "1:12: services[0].name: is missing (write a name for the service)",
                "1:12: services[0].ports: is missing (write ports such as 80,443,8000-8010)",
                "1:12: warning: services[0]: service 0 has no real server (add one under servers)",
                "1:16: services[1].address: is missing (write the virtual address of the service)",
                "1:16: services[1].name: is missing (write a name for the service)",
                "1:16: services[1].ports: is missing (write ports such as 80,443,8000-8010)",
                "1:28: services[1].servers[0].address: is missing (write the address of the real server)",
                "1:28: services[1].servers[0].name: is missing (write a name for the real server)",
                "2:14: interfaces[0].name: is missing (write the name of a network interface)",
            ])
    }

    @Test func `wrong kinds are refused`() {
        #expect(complaints("- a\n") == ["1:1: document: the file is a list, not a mapping (begin with version: 1)"])
        #expect(complaints("word") == ["1:1: document: the file is a single value, not a mapping (begin with version: 1)"])
        for text in ["", "# only a comment\n", "\n\n"] {
            #expect(complaints(text) == ["1:1: document: the file is empty (begin with version: 1)"])
        }
        #expect(
            complaints("version: 1\nnode: lb1\nservices: { A: 1 }\ninterfaces: eth0\n") == [
                "2:7: node: is a single value, not a mapping (write keys such as name, each with a colon and its value)",
                "3:11: services: is a mapping, not a list (begin each service with '- ')",
                "4:13: interfaces: is a single value, not a list (begin each interface with '- ')",
            ])
    }

    @Test func `repeated keys are found wherever they are, together with other errors`() {
        let text = """
            version: 1
            node: { name: a, name: b }
            interfaces: [{ name: eth0 }]
            interfaces: []
            services:
              - name: A
                "address": 10.0.0.1
                ports: 80
                address: 10.0.0.3
                servers:
                  - { name: a, address: 10.0.0.2, weight: 1, weight: 2, weight: x }
                  - { name: b, address: 10.0.0.4, weight: 99999 }
            """
        #expect(
            complaints(text) == [
                "2:18: node.name: key 'name' is already given in line 2 (keep one of the two)",
                "4:1: interfaces: key 'interfaces' is already given in line 3 (keep one of the two)",
                "9:5: services[A].address: key 'address' is already given in line 7 (keep one of the two)",
                "11:50: services[A].servers[a].weight: key 'weight' is already given in line 11 (keep one of the two)",
                "11:61: services[A].servers[a].weight: key 'weight' is already given in line 11 (keep one of the two)",
                "12:47: services[A].servers[b].weight: 99999 is out of range (write a whole number from 0 to 65535)",
            ])
    }

    @Test func `repeated keys are reported beside an error that ends the reading`() {
        #expect(
            complaints("node: { name: a, name: b }\nx: [\n") == [
                "1:9: document: key 'name' stands in this mapping more than once (keep one of them)",
                "3:1: document: not valid YAML: did not find expected node content (check the indentation, quotes and brackets here and in the lines above)",
            ])
        // More repetitions than the reader has patience for.
        let many = (0..<100).map { "k\($0): 1\nk\($0): 2\n" }.joined()
        let found = complaints(many)
        #expect(found.count == 17)
        #expect(found.first == "1:1: document: key 'k0' stands in this mapping more than once (keep one of them)")
    }

    @Test(arguments: [
        ("a: b: c\n", "1:5: document: not valid YAML: mapping values are not allowed in this context (check the indentation, and put a value that contains ': ' or ends with ':' in quotes)"),
        ("a:\n\tb: 1\n", "2:1: document: not valid YAML: found character that cannot start any token (indent with spaces: YAML does not take tabs)"),
        ("a: 1\n---\nb: 1\n", "2:1: document: not valid YAML: but found another document (keep one document, without a second '---')"),
        ("a: !!int 5\n", "1:4: document: the tag 'tag:yaml.org,2002:int' has no meaning here (write the value alone)"),
        ("? [a]\n: b\n", "1:3: document: a key is a list (write a word, then a colon)"),
        ("a: \u{7}\n", "1:4: document: the character with the code 0x7 is not allowed in YAML (save the file as plain UTF-8 text, without control characters)"),
        ("a: &x 1\nb: *x\n", "2:4: document: anchors and aliases (&name and *name) are not read in this file (write the value out, or put what services share under defaults)"),
        ("b: *x\n", "1:4: document: not valid YAML: found undefined alias (put a value that begins with a special character in quotes)"),
    ])
    func `what is not YAML, or not read here, is reported with its place`(text: String, expected: String) {
        #expect(complaints(text) == [expected])
    }
}
