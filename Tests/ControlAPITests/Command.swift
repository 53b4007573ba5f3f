import Foundation
import Glibc

/// What a program did.
struct CommandResult {
    var status: Int32
    var output: String
    var errors: String
}

/// Runs a program to its end, with its output in files so that no pipe can fill up.
func run(
    _ program: String, _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
) async throws -> CommandResult {
    let folder = FileManager.default.temporaryDirectory.appending(path: "riptide-run-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let inputFile = folder.appending(path: "in")
    let (outputFile, errorFile) = (folder.appending(path: "out"), folder.appending(path: "err"))
    try Data(input).write(to: inputFile)
    try Data().write(to: outputFile)
    try Data().write(to: errorFile)

    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    process.environment = ["PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"].merging(environment) { $1 }
    process.standardInput = try FileHandle(forReadingFrom: inputFile)
    process.standardOutput = try FileHandle(forWritingTo: outputFile)
    process.standardError = try FileHandle(forWritingTo: errorFile)
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        process.terminationHandler = { _ in continuation.resume() }
        do {
            try process.run()
        } catch {
            // It never ran, so nobody else resumes.
            process.terminationHandler = nil
            continuation.resume(throwing: error)
        }
    }
    return CommandResult(
        status: process.terminationStatus, output: try String(contentsOf: outputFile, encoding: .utf8),
        errors: try String(contentsOf: errorFile, encoding: .utf8))
}

/// Runs the command line that was built beside these tests.
func riptide(
    _ arguments: [String], input: String = "", environment: [String: String] = [:]
) async throws -> CommandResult {
    let tests = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    var folder = tests.deletingLastPathComponent()
    while folder.path != "/", !FileManager.default.isExecutableFile(atPath: folder.appending(path: "riptide").path) {
        folder = folder.deletingLastPathComponent()
    }
    return try await run(
        folder.appending(path: "riptide").path, arguments, input: Array(input.utf8), environment: environment)
}
