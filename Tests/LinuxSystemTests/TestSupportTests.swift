import Glibc
import LinuxSystem
import NetworkTypes
import TestSupport
import Testing

struct CommandTests {
    @Test func aCommandsEndAndOutputsAreReported() throws {
        let result = try Command.run(["sh", "-c", "cat; echo problem >&2; exit 3"], input: Array("hello".utf8))
        #expect(result.status == 3 && result.stdout == "hello" && result.stderr == "problem\n")
        #expect(try Command.run(["sh", "-c", "kill -TERM $$"]).end == .killed(signal: SIGTERM))
    }

    @Test func muchOutputDoesNotBlock() throws {
        let result = try Command.run(["sh", "-c", "head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2"])
        #expect(result.standardOutput.count == 20_000_000 && result.standardError.count == 20_000_000)
    }

    @Test func aCommandThatHangsIsKilledWithItsChildren() throws {
        let start = ContinuousClock.now
        let error = #expect(throws: TestFailure.self) {
            try Command.run(["sh", "-c", "sleep 4711 & echo $!; wait"], timeout: .milliseconds(200))
        }
        #expect(start.duration(to: .now) < .seconds(5))
        let child = try #require(error?.description.split(separator: " ").last.flatMap { Int32($0.trimmingNewline) })
        try eventually("the grandchild is dead") { !isAlive(child) }
    }

    @Test func aCommandThatDoesNotExistIsAnError() {
        #expect(throws: TestFailure.self) { try Command.run(["no-such-program"]) }
        #expect(throws: TestFailure.self) { try Command.check(["false"]) }
    }

    @Test func childrenInheritNoDescriptorsAndNoBlockedSignals() throws {
        let leak = fcntl(0, F_DUPFD, 700)
        defer { close(leak) }
        let open = try Command.check(["sh", "-c", "ls /proc/$$/fd"]).split(separator: "\n")
        #expect(open.allSatisfy { $0.count == 1 }, "\(open)")
        let before = Glibc.signal(SIGUSR2, SIG_IGN)
        defer { Glibc.signal(SIGUSR2, before) }
        let lines = try Command.check(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]).split(separator: "\n")
        let masks = lines.compactMap { $0.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) } }
        // 32 and above belong to the C library and to real-time use.
        #expect(masks.map { $0 & 0x7fff_ffff } == [0, 0])
    }
}

extension Substring {
    fileprivate var trimmingNewline: Substring { prefix { !$0.isNewline } }
}

/// Whether the process exists and is not merely waiting to be reaped.
private func isAlive(_ pid: Int32) -> Bool {
    guard let status = try? Command.run(["cat", "/proc/\(pid)/stat"]) else { return false }
    return status.status == 0 && !status.stdout.contains(") Z ")
}

struct BackgroundProcessTests {
    @Test func outputIsReadableWhileItRunsAndStoppingEndsIt() throws {
        let process = try BackgroundProcess(["sh", "-c", "echo ready; while :; do sleep 0.01; done"])
        try eventually("its output is seen") { process.stdout == "ready\n" }
        #expect(process.isRunning)
        #expect(try process.stop() == .killed(signal: SIGTERM))
        #expect(!process.isRunning)
        process.signal(SIGTERM)
    }

    @Test func itDiesWithItsObjectAndSoDoItsChildren() throws {
        var pids: [Int32] = []
        do {
            let process = try BackgroundProcess(["sh", "-c", "sleep 4711 & echo $!; wait"])
            try eventually("its child has started") { process.stdout.contains("\n") }
            pids = [process.pid, try #require(Int32(process.stdout.dropLast()))]
            for pid in pids { #expect(isAlive(pid)) }
        }
        try eventually("both are dead") { !pids.contains(where: isAlive) }
    }
}

@Suite(.requiresRoot)
struct TestNamespaceTests {
    @Test func commandsRunInTheNamespaceButSeeTheCallersMounts() throws {
        let namespace = try TestNamespace("ns")
        let inside = try Command.check(["readlink", "/proc/self/ns/net", "/proc/self/ns/mnt"], in: namespace).split(
            separator: "\n")
        let outside = try Command.check(["readlink", "/proc/self/ns/net", "/proc/self/ns/mnt"]).split(separator: "\n")
        #expect(inside[0] != outside[0] && inside[1] == outside[1])
    }

    @Test func itsThreadIsInTheNamespaceAndTheOthersAreNot() throws {
        let namespace = try TestNamespace("ns")
        try namespace.ip("link add only-here type veth peer name other")
        #expect(try namespace.perform { try NetworkNamespace.interfaceIndex(named: "only-here") } > 0)
        #expect(throws: SystemError.self) { try NetworkNamespace.interfaceIndex(named: "only-here") }
    }

    @Test func closingRemovesIt() throws {
        let namespace = try TestNamespace("ns")
        #expect(try Command.check(["ip", "netns", "list"]).contains(namespace.name))
        namespace.close()
        #expect(try !Command.check(["ip", "netns", "list"]).contains(namespace.name))
    }

    @Test func taggedFramesCrossTheCableWhole() throws {
        let (a, b) = (try TestNamespace("a"), try TestNamespace("b"))
        try TestNamespace.connect(CableEnd(a, "eth0"), CableEnd(b, "eth0"))
        let left = try PacketTap(a, interface: "eth0")
        let right = try PacketTap(b, interface: "eth0")
        let addresses = [UInt8](repeating: 2, count: 12)
        let payload = [UInt8](0..<46)
        for tags: [UInt8] in [[], [0x81, 0, 0x20, 100], [0x88, 0xa8, 0, 5, 0x81, 0, 0, 7]] {
            let frame = addresses + tags + [0x88, 0xb5] + payload
            try left.send(frame)
            #expect(try right.receive { $0.starts(with: addresses) } == frame)
        }
        // What a side sends itself it does not see.
        #expect(try left.receive(within: .zero) { $0.starts(with: addresses) } == nil)
    }
}
