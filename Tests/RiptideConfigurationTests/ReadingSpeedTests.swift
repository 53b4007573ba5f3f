import RiptideConfiguration
import Testing

@Suite struct ReadingSpeedTests {
    @Test func `a thousand services with ten real servers each are read in good time`() {
        var text = "version: 1\nnode: { name: lb1 }\ninterfaces:\n  - name: eth0\nservices:\n"
        for service in 0..<1000 {
            text += "  - name: service-\(service)\n    address: 10.0.\(service / 250).\(service % 250 + 1)\n"
            text += "    ports: 80,443,8000-8010\n    protocol: tcp/udp\n    scheduler: wlc\n    servers:\n"
            for server in 0..<10 {
                text += "      - name: real-\(server)\n        address: 10.1.\(service / 250 * 10 + server).\(service % 250 + 1)\n"
                text += "        weight: 100\n"
            }
        }
        var result: ConfigurationResult?
        let time = ContinuousClock().measure { result = read(text) }
        #expect(result?.diagnostics == [])
        #expect(result?.configuration?.services.count == 1000)
        // Release: far under a second. The bound leaves room for an unoptimised build on a busy machine.
        #expect(time < .seconds(10), "took \(time)")
    }
}
