import FoundationEssentials

/// A table that is printed line by line: columns as wide as their headings, or wider where that is said.
struct Sheet {
    private let widths: [Int]

    init(_ title: String?, _ columns: [(heading: String, width: Int)]) {
        widths = columns.map { max($0.heading.count, $0.width) }
        print(title.map { "\n" + $0 } ?? "")
        line(columns.map(\.heading))
    }

    /// The first column to the left, the others to the right.
    func line(_ cells: [String]) {
        let cells = zip(cells, widths).enumerated().map { number, cell in
            let blank = String(repeating: " ", count: max(0, cell.1 - cell.0.count))
            return number == 0 ? cell.0 + blank : blank + cell.0
        }
        print("  " + cells.joined(separator: "   "))
    }
}

/// A number with as many decimals.
func decimal(_ number: Double, _ digits: Int) -> String {
    // Of a cost of nothing, as a clock of whole nanoseconds may find, there is no ratio.
    guard number.isFinite else { return "-" }
    var scale = 1
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((abs(number) * Double(scale)).rounded())
    let sign = number < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(scaled)" }
    let fraction = "\(scaled % scale)"
    return "\(sign)\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// Writes figures for other programs to read.
func write(_ figures: some Encodable, to file: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(figures).write(to: URL(filePath: file))
}
