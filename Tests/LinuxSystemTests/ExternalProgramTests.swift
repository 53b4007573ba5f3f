import Glibc
import LinuxSystem
import TestSupport
import Testing

struct ExternalProgramTests {
    private let shell = ExternalProgram("sh", package: "dash")

    @Test func statusAndOutputsAreReported() throws {
        let outcome = try shell.run(["-c", "cat; echo problem >&2; exit 3"], input: "hello")
        #expect(outcome.status == 3 && outcome.output == "hello" && outcome.errors == "problem\n")
        #expect(try shell.run(["-c", "kill -TERM $$"]).status == 128 + SIGTERM)
    }

    @Test func muchOutputDoesNotBlockIt() throws {
        let outcome = try shell.run(["-c", "head -c 5000000 /dev/zero"])
        #expect(outcome.output.utf8.count == 5_000_000)
    }

    @Test func itsMessagesAreInEnglishWhateverTheLocale() throws {
        #expect(try shell.run(["-c", "echo $LC_ALL $HOME"]).output == "C\n")
    }

    @Test func aMissingProgramIsAnErrorThatSaysWhatToInstall() {
        let missing = ExternalProgram("no-such-program", package: "sundries")
        let error = #expect(throws: SystemError.self) { try missing.run([]) }
        #expect(error?.code == .program)
        #expect(
            error?.description
                == "run no-such-program: No such file or directory (ENOENT): install it: apt-get install sundries, or your system's counterpart"
        )
    }

    @Test func oneThatDoesNotEndIsKilledWithItsChildren() throws {
        let directory = try TemporaryDirectory()
        let hanging = ExternalProgram("sh", package: "dash", timeout: .milliseconds(200))
        let error = #expect(throws: SystemError.self) {
            try hanging.run(["-c", "sleep 4711 & echo $$ $! >\(directory.path)/pids; wait"])
        }
        #expect(error?.errno == ETIMEDOUT)
        let pids = try Command.check(["cat", "\(directory.path)/pids"]).split(whereSeparator: \.isWhitespace)
        #expect(pids.count == 2)
        for pid in pids.compactMap({ Int32($0) }) {
            try eventually("\(pid) is dead") {
                let status = try Command.run(["cat", "/proc/\(pid)/stat"])
                return status.status != 0 || status.stdout.contains(") Z ")
            }
        }
    }

    @Test(.requiresRoot) func itRunsInTheNamespaceOfTheCallingThread() throws {
        let namespace = try TestNamespace("program")
        let inside = try namespace.perform {
            try ExternalProgram("readlink", package: "coreutils").run(["/proc/self/ns/net"]).output
        }
        #expect(try inside == Command.check(["readlink", "/proc/self/ns/net"], in: namespace))
        #expect(try inside != Command.check(["readlink", "/proc/self/ns/net"]))
    }
}

/// A directory of one test.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = try String(Command.check(["mktemp", "-d", "/tmp/riptide-test.XXXXXX"]).dropLast())
    }

    deinit { _ = try? Command.run(["rm", "-r", path]) }

    /// An executable shell script.
    func script(_ text: String) throws -> String {
        let file = "\(path)/script"
        try Command.check(
            ["sh", "-c", "cat >\(file) && chmod 755 \(file) \(path)"], input: Array("#!/bin/sh\n\(text)\n".utf8))
        return file
    }
}
