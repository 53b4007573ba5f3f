import Glibc
import LinuxSystem
import TestSupport
import Testing

struct SystemErrorTests {
    @Test func anErrorSaysWhatWasTriedOnWhatWhyAndWhatToDo() {
        let error = SystemError(.address, "add address 192.0.2.1/32 to", "lo", errno: EPERM)
        #expect(
            error.description
                == "add address 192.0.2.1/32 to lo: Operation not permitted (EPERM): run as root, or grant CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF"
        )
        #expect(SystemError(.sysctl, "read", "a.b", errno: 0).description == "read a.b")
        #expect(
            SystemError(.sysctl, "read", "a.b", errno: ENOENT, cure: "try c").description.hasSuffix("(ENOENT): try c"))
        #expect(SystemError.words(123_456) == "errno 123456")
    }

    @Test func codesAreDistinct() {
        #expect(Set(SystemError.Code.all).count == SystemError.Code.all.count)
    }
}

struct DescriptorTests {
    private func isOpen(_ descriptor: Int32) -> Bool { fcntl(descriptor, F_GETFD) >= 0 }

    @Test func theOwnerClosesAndAReleasedDescriptorStaysOpen() throws {
        // Numbers far above what other tests open, so that nobody takes them meanwhile.
        let closed = fcntl(0, F_DUPFD_CLOEXEC, 900)
        do {
            let owner = OwnedDescriptor(closed)
            #expect(isOpen(owner.rawValue))
        }
        #expect(!isOpen(closed))
        let kept = OwnedDescriptor(fcntl(0, F_DUPFD_CLOEXEC, 950)).release()
        #expect(isOpen(kept))
        close(kept)
    }

    @Test func theFileLimitIsRaisedToTheHardLimit() throws {
        let limit = try raiseFileLimit()
        #expect(limit.now >= limit.before)
        #expect(try raiseFileLimit() == FileLimit(before: limit.now, now: limit.now))
    }
}

struct KernelFactsTests {
    @Test func theFactsAreThoseOfThisMachine() throws {
        let facts = KernelFacts.current()
        #expect(try Command.check(["uname", "-r"]) == facts.release + "\n")
        #expect(facts.isRoot == (geteuid() == 0))
        #expect(try #require(facts.version).major >= 3)
    }

    @Test(.requiresKernel) func rootWithBPFHasNoObstacles() {
        let facts = KernelFacts.current()
        #expect(facts.obstacles == [])
        #expect(facts.capabilities == Set(KernelFacts.Capability.allCases))
    }

    @Test func everyObstacleIsNamed() {
        let facts = KernelFacts(
            isRoot: false, release: "4.19.0-5-amd64", architecture: "x86_64", capabilities: [.netRaw], hasBTF: false,
            bpfErrno: ENOSYS)
        let text = facts.obstacles.joined(separator: "\n")
        #expect(facts.obstacles.count == 4)
        for word in ["CAP_BPF", "CAP_NET_ADMIN", "ENOSYS", "BTF", "4.19.0-5-amd64 is too old"] {
            #expect(text.contains(word))
        }
        #expect(!text.contains("CAP_NET_RAW"))
    }
}

@Suite(.requiresRoot)
struct SysctlTests {
    @Test func aParameterIsWrittenAndReadInItsOwnNamespace() throws {
        let namespace = try TestNamespace("sysctl")
        try namespace.perform {
            let parameter = Sysctl("net", "ipv4", "conf", "lo", "arp_ignore")
            #expect(try parameter.readInteger() == 0)
            try parameter.write(1)
            #expect(try parameter.read() == "1")
        }
        let other = try TestNamespace("sysctl")
        #expect(try other.perform { try Sysctl("net", "ipv4", "conf", "lo", "arp_ignore").readInteger() } == 0)
    }

    @Test func aMissingParameterIsAbsentWhenReadAndAnErrorWhenWritten() throws {
        let parameter = Sysctl("net", "ipv4", "conf", "nowhere", "arp_ignore")
        #expect(try parameter.read() == nil)
        let error = #expect(throws: SystemError.self) { try parameter.write(1) }
        #expect(error?.errno == ENOENT)
    }

    @Test(arguments: ["..", "", "a/b"]) func partsCannotLeaveTheTree(_ part: String) {
        #expect(throws: SystemError.self) { try Sysctl("net", part, "x").read() }
    }
}

@Suite(.requiresKernel)
struct BPFFilesystemTests {
    @Test func mountingMayBeRepeatedAndMountsOnce() throws {
        let directory = "/tmp/riptide-bpffs-\(getpid())/nested/place"
        defer {
            _ = try? Command.run(["umount", directory])
            for path in [directory, "/tmp/riptide-bpffs-\(getpid())/nested", "/tmp/riptide-bpffs-\(getpid())"] {
                rmdir(path)
            }
        }
        for _ in 0..<2 { try mountBPFFilesystem(at: directory) }
        #expect(try isOnBPFFilesystem(directory))
        // A directory below needs no mount of its own.
        try mountBPFFilesystem(at: directory + "/below")
        let mounts = try Command.check(["cat", "/proc/self/mounts"]).split(separator: "\n").filter {
            $0.contains(directory)
        }
        #expect(mounts.count == 1)
    }

    @Test func aRelativePathIsRefused() {
        #expect(throws: SystemError.self) { try mountBPFFilesystem(at: "somewhere") }
    }
}
