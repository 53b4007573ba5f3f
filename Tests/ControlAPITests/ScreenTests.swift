import ControlAPI
import Testing
import riptide

@Suite("The screens of the command line")
struct ScreenTests {
    @Test func `the overview shows the node, the data path, services and their real servers`() {
        let lines = overview(of: Fixture.status(), Terminal())
        #expect(
            lines == [
                "lb1 · single, active · up 3 d 4 h · Riptide 0.1.0",
                "",
                "Data path      eth0 native XDP · eth1 generic XDP",
                "Tables         1,234 of 524,288 flows (<1 %) · 12 of 65,536 remembered clients (<1 %)",
                "               eth1: the driver has no XDP",
                "Configuration  /etc/riptide/riptide.yaml, revision ab12cd34",
                "Warning        eth1 runs in generic mode.",
                "",
                "SERVICE / SERVER  ADDRESS         PORTS                 PROTOCOL  MODE  WEIGHT  CONNS  STATUS",
                "Harmonic_Traffic  192.168.94.110  554,1935,50000-65535  tcp/udp   dr            1,204  ● 1 of 2 down",
                "  HT1             192.168.94.115                                           100  1,202  ● up",
                "  HT2             192.168.94.116                                            50      2  ● down: no answer to ARP",
                "Web               2001:db8::80    80,443                tcp       dr                0  ● all up",
                "  web1            2001:db8::1                                              100      0  ● up",
            ])
    }

    @Test(arguments: [76, 80, 100, 200])
    func `the overview's table fits the terminal`(width: Int) {
        let tree = serviceTree(Fixture.services, Terminal(width: width))
        #expect(tree.allSatisfy { $0.columns <= width })
    }

    @Test func `without Unicode all is ASCII`() {
        let terminal = Terminal(width: 80, unicode: false)
        #expect(overview(of: Fixture.status(), terminal).allSatisfy { $0.allSatisfy(\.isASCII) })
    }

    @Test func `no services is said in words`() {
        #expect(serviceTree([], Terminal()) == ["No virtual services configured."])
    }

    @Test func `counters are grouped, and unexpected drops are marked`() {
        #expect(
            counterList(Fixture.counters, Terminal()) == [
                "  PACKETS  COUNTER       MEANING",
                "", "Forwarded", "1,000,000  forwarded_dr  to a real server",
                "", "Replies by Riptide itself", "        5  reset_sent    refused with a reset",
                "", "Left to the kernel", "       20  no_service    not for a virtual service",
                "", "Dropped", "        3  no_server     unexpected: no real server could take it",
                "        0  malformed     a header was cut short",
            ])
    }

    @Test func `rates are per second, and missing after a reset`() {
        var before = Fixture.counters
        before[0].value = 999_000
        before[1].value = 21
        let lines = counterList(Fixture.counters, before: (before, .seconds(2)), Terminal())
        #expect(lines.contains("1,000,000         500  forwarded_dr  to a real server"))
        #expect(lines.contains("       20              no_service    not for a virtual service"))
    }

    @Test func `counters of kinds not known yet are shown as well`() {
        let counter = Counter(name: "queued", value: 1, kind: "queue", text: "waiting", expected: true)
        #expect(counterList([counter], Terminal()).contains("Other"))
    }

    @Test func `a change is one line with what remains`() {
        var server = Fixture.services[0].servers[0]
        #expect(changeLine(server, of: "S") == "S/HT1: online, up, weight 100, 1,202 connections")
        server.state = "drain"
        #expect(changeLine(server, of: "S") == "S/HT1: drain, 1,202 connections to run out")
        server.connections = 1
        server.state = "halt"
        #expect(changeLine(server, of: "S") == "S/HT1: halt, 1 connection being cut")
        server.connections = 0
        #expect(changeLine(server, of: "S") == "S/HT1: halt, no connections remain")
    }

    @Test func `an IPv6 endpoint has brackets, and a page that is not whole says so`() {
        let lines = flowList(FlowPage(total: 2_345, flows: [Fixture.flow], truncated: true), Terminal())
        #expect(lines[1].hasPrefix("[2001:db8::7]:40000  [2001:db8::80]:443  tcp"))
        #expect(lines.last?.hasPrefix("1 of 2,345 flows") == true)
    }

    @Test func `the sheet of a real server tells what an operator asked for`() {
        let lines = serverSheet(Fixture.services[0].servers[1], of: "Harmonic_Traffic", Terminal())
        #expect(lines.contains("State        online (configured online, online by an operator)"))
        #expect(lines.contains("Weight       50 (configured 100)"))
        #expect(lines.contains("Neighbour    missing"))
    }
}
