import Foundation
import LoadBalancing
import RiptideConfiguration
import Testing

/// docs/configuration.md shows files and what is said about them; these hold it to that.
@Suite struct DocumentationTests {
    private func page() throws -> String {
        let page = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../docs/configuration.md").standardizedFileURL
        return try String(contentsOf: page, encoding: .utf8)
    }

    /// The fenced blocks of the page, in order: the language, and the text.
    private func blocks() throws -> [(language: Substring, text: String)] {
        try page().split(separator: "```", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }
            .map { block in
                (block.element.prefix { $0 != "\n" }, String(block.element.drop { $0 != "\n" }.dropFirst()))
            }
    }

    /// A part of a file, with the sections that it leaves out.
    private func whole(_ text: String) -> String {
        text.hasPrefix("version") ? text : "version: 1\nnode: { name: lb1 }\ninterfaces: [{ name: eth0 }]\n" + text
    }

    @Test func `every example but the last is free of errors and warnings`() throws {
        let examples = try blocks().filter { $0.language == "yaml" }.dropLast()
        #expect(examples.count >= 6)
        for example in examples {
            #expect(ConfigurationReader.read(whole(example.text), file: "f").diagnostics == [], "\(example.text)")
        }
    }

    @Test func `the example of errors is what the reader says`() throws {
        let example = try blocks().suffix(2)
        try #require(example.map(\.language) == ["yaml", ""])
        let texts = example.map(\.text)
        let diagnostics = ConfigurationReader.read(texts[0], file: "riptide.yaml").diagnostics
        let printed = diagnostics.map(\.description) + [diagnostics.summary]
        #expect(printed == texts[1].split(separator: "\n").map(String.init))
    }

    /// The rows of the table under "Not yet": key and value.
    private func notYet() throws -> [(key: String, value: String)] {
        let section = try #require(try page().components(separatedBy: "\n## ").first { $0.hasPrefix("Not yet\n") })
        return section.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { row in
            let cells = row.split(separator: "|").map { $0.filter { $0 != "`" && $0 != " " } }
            return (cells[0], cells[1])
        }
    }

    @Test func `each row of what cannot be done yet is refused by that name`() throws {
        let rows = try notYet()
        #expect(rows.count >= 6)
        for (key, value) in rows {
            let parts = key.split(separator: ".")
            let text = parts.count == 2
                ? document(top: "\(parts[0]): { \(parts[1]): 1 }") : document(service: "\(key): \(value)")
            let found = read(text).diagnostics
            #expect(found.map(\.path) == [parts.count == 2 ? key : "services[A].\(key)"], "\(key) \(value)")
            #expect(found.first?.message.hasPrefix("this version cannot do ") == true, "\(key) \(value)")
        }
    }

    @Test func `a mode works, or is listed as not yet`() throws {
        let rows = try notYet()
        for mode in ForwardingMode.allCases {
            let works = read(document(service: "mode: \(mode.rawValue)")).configuration != nil
            #expect(works != rows.contains { $0.key == "mode" && $0.value == mode.rawValue }, "\(mode)")
        }
    }
}
