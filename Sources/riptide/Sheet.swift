/// Names and values, one pair a line, the values aligned.
package struct Sheet: Sendable {
    private let terminal: Terminal
    private var rows: [[Table.Cell]] = []

    package init(_ terminal: Terminal) { self.terminal = terminal }

    /// Pairs with an empty value are left out.
    package mutating func add(_ name: String, _ value: Table.Cell) {
        guard value.width > 0 else { return }
        rows.append([Table.Cell(name, .faint), value])
    }

    package var lines: [String] {
        // Values are never cut: what a sheet shows, it shows whole.
        Array(Table([Table.Column(""), Table.Column("")], rows: rows).lines(terminal).dropFirst())
    }
}
