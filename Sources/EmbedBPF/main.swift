// Compiles one BPF program and writes a Swift file that holds the object: EmbedBPF CLANG SOURCE OUTPUT.swift
//
// A build command of SwiftPM may only produce Swift (platform-facts.md), and a string literal compiles quickly where an array
// literal of the same bytes takes most of a minute; hence base64.

import Foundation

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("error: \(message)\n".utf8))
    exit(1)
}

let arguments = CommandLine.arguments
guard arguments.count == 4 else { fail("usage: EmbedBPF CLANG SOURCE OUTPUT.swift") }
let (clang, source, output) = (arguments[1], arguments[2], arguments[3])
let object = output + ".o"

// The kernel's headers lie in a folder of the architecture on Debian, which clang searches only for its own target.
#if arch(x86_64)
    let multiarch = "/usr/include/x86_64-linux-gnu"
#elseif arch(arm64)
    let multiarch = "/usr/include/aarch64-linux-gnu"
#endif

let compiler = Process()
compiler.executableURL = URL(filePath: clang)
compiler.arguments = [
    "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-fno-strict-aliasing", "-Wall", "-Wextra", "-Wno-unused-parameter",
    "-Werror", "-fdebug-prefix-map=\(FileManager.default.currentDirectoryPath)=.", "-isystem", multiarch, "-c", source,
    "-o", object,
]
do {
    try compiler.run()
} catch {
    fail("cannot run \(clang): \(error)")
}
compiler.waitUntilExit()
guard compiler.terminationStatus == 0 else {
    fail("clang could not compile \(source); it needs the packages libbpf-dev and linux-libc-dev")
}
guard let bytes = FileManager.default.contents(atPath: object) else { fail("clang wrote no \(object)") }
let text = """
    /// The object compiled from \(URL(filePath: source).lastPathComponent), as base64.
    let embeddedObject: StaticString = "\(bytes.base64EncodedString())"

    """
do {
    try Data(text.utf8).write(to: URL(filePath: output), options: .atomic)
    try FileManager.default.removeItem(atPath: object)
} catch {
    fail("cannot write \(output): \(error)")
}
