import DataPlane
import Foundation
import Testing

/// What docs/ promises of the data plane, held to the code.
struct DocumentTests {
    @Test("docs/counters.md has one row for each counter, and none for others")
    func countersAreDocumented() throws {
        let file = URL(filePath: #filePath).appending(path: "../../../docs/counters.md").standardizedFileURL
        let text = try String(contentsOf: file, encoding: .utf8)
        let rows = text.split(separator: "\n").compactMap { line -> String? in
            guard line.hasPrefix("| `") else { return nil }
            return String(line.dropFirst(3).prefix { $0 != "`" })
        }
        #expect(rows.sorted() == Counter.catalogue.map(\.name).sorted())
    }
}
