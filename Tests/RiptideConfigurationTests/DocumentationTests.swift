import Foundation
import RiptideConfiguration
import Testing

/// docs/configuration.md shows files and what is said about them; these hold it to that.
@Suite struct DocumentationTests {
    /// The fenced blocks of the page, in order.
    private func blocks() throws -> [String] {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../docs/configuration.md").standardizedFileURL
        let text = try String(contentsOf: page, encoding: .utf8)
        return text.split(separator: "```", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }
            .map { String($0.element.drop { $0 != "\n" }.dropFirst()) }
    }

    @Test func `the smallest useful file is free of errors and warnings`() throws {
        let first = try #require(try blocks().first)
        #expect(ConfigurationReader.read(first, file: "riptide.yaml").diagnostics == [])
    }

    @Test func `the example of errors is what the reader says`() throws {
        let blocks = try blocks()
        try #require(blocks.count == 3)
        let diagnostics = ConfigurationReader.read(blocks[1], file: "riptide.yaml").diagnostics
        let printed = diagnostics.map(\.description) + [diagnostics.summary]
        #expect(printed == blocks[2].split(separator: "\n").map(String.init))
    }
}
