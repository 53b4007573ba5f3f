package import BPFRuntime
import FoundationEssentials
import Glibc
import LoadBalancing
import NetworkTypes

/// What the programs cost the verifier of this kernel. The figures depend on the kernel and on the compiler.
package struct VerifierReport: Codable, Hashable, Sendable {
    /// Major and minor version of the kernel: `6.18`.
    package var kernel: String
    /// Major version of the clang that compiled the object.
    package var clang: String
    package var programs: [String: VerifierCost]
}

extension DataPlane {
    /// Loads the shipped object as for services of all modes, pins nothing and lets it go again.
    package static func verifierReport() throws -> VerifierReport {
        let object = try Loader.open()
        // Branches that the settings rule out are not walked: with a translating service nothing is ruled out.
        let service = VirtualService(
            name: "snat", mode: .snat, address: IPAddress(ipv4: 0xc000_0201), ports: PortSet([80...80]), persistence: nil,
            servers: [])
        let settings = DataPathSettings(flows: 16384, persistence: 1024)
        let capacity = Capacity(settings: settings, services: [service])
        let constants = Loader.settings(settings, capacity: capacity, hz: try JiffiesClock.frequency())
        try object.setConstant(constants, section: ".rodata.settings")
        for (name, size) in capacity.sizes { try object.setCapacity(size, of: name) }
        return VerifierReport(kernel: try kernelVersion(), clang: try compilerVersion(), programs: try object.loadMeasured())
    }

    private static func kernelVersion() throws -> String {
        var names = utsname()
        guard uname(&names) == 0 else { throw DataPlaneError("read the kernel's version", code: errno) }
        let release = withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return release.split(separator: ".").prefix(2).joined(separator: ".")
    }

    /// As the compiler has written it into the object.
    private static func compilerVersion() throws -> String {
        let text = String(decoding: try Loader.objectBytes(), as: UTF8.self)
        guard let version = text.firstRange(of: "clang version ") else {
            throw DataPlaneError("find out who compiled the BPF object", detail: "it does not name its compiler")
        }
        return String(text[version.upperBound...].prefix { $0.isNumber })
    }
}
