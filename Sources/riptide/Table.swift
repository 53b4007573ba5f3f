/// Aligned columns, cut to a terminal's width.
///
/// When the table is too wide, columns with a `minimum` are cut, lists before others and then the widest first; if that is
/// not enough, optional columns are left out, from the right. What still does not fit is left to the terminal to wrap.
package struct Table: Sendable {
    package struct Column: Sendable {
        package var title: String
        package var isNumber: Bool
        /// The narrowest that the column may become; `nil`: never cut.
        package var minimum: Int?
        /// Cut after a comma where there is one, so that a list's entries stay whole.
        package var isList: Bool
        /// May be left out of a narrow terminal.
        package var isOptional: Bool

        package init(
            _ title: String, isNumber: Bool = false, minimum: Int? = nil, isList: Bool = false,
            isOptional: Bool = false
        ) {
            self.title = title
            self.isNumber = isNumber
            self.minimum = minimum
            self.isList = isList
            self.isOptional = isOptional
        }
    }

    /// Texts one after the other, each with its tint. Control characters become question marks: no name can move the cursor.
    package struct Cell: Hashable, Sendable, ExpressibleByStringLiteral {
        package struct Span: Hashable, Sendable {
            package var text: String
            package var tint: Tint
        }

        package private(set) var spans: [Span]

        package init(_ text: String, _ tint: Tint = .plain) {
            spans = [Span(text: text.printable, tint: tint)]
        }

        package init(stringLiteral text: String) { self.init(text) }

        package static func + (left: Cell, right: Cell) -> Cell {
            var cell = left
            cell.spans += right.spans
            return cell
        }

        package var width: Int { spans.reduce(0) { $0 + $1.text.columns } }
    }

    package var columns: [Column]
    package var rows: [[Cell]]

    package init(_ columns: [Column], rows: [[Cell]] = []) {
        self.columns = columns
        self.rows = rows
    }

    private static let gap = 2

    /// The titles and the rows, without line ends and without trailing spaces.
    package func lines(_ terminal: Terminal) -> [String] {
        guard let limit = terminal.width else { return render(naturalWidths, terminal) }
        var table = self
        while table.leastWidth > limit, let index = table.columns.lastIndex(where: \.isOptional) {
            table.columns.remove(at: index)
            for row in table.rows.indices { table.rows[row].remove(at: index) }
        }
        return table.render(table.widths(fitting: limit), terminal)
    }

    private func render(_ widths: [Int], _ terminal: Terminal) -> [String] {
        let titles = columns.map { Cell($0.title, .faint) }
        return ([titles] + rows).map { line($0, widths, terminal) }
    }

    private var naturalWidths: [Int] {
        var widths = columns.map(\.title.columns)
        for row in rows {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.width) }
        }
        return widths
    }

    private func total(_ widths: [Int]) -> Int { widths.reduce(0, +) + Self.gap * max(0, widths.count - 1) }

    private var leastWidth: Int {
        total(zip(columns, naturalWidths).map { column, width in min(width, column.minimum ?? width) })
    }

    private func widths(fitting limit: Int) -> [Int] {
        var widths = naturalWidths
        var excess = total(widths) - limit
        while excess > 0 {
            let flexible = columns.indices.filter { widths[$0] > columns[$0].minimum ?? .max }
            let lists = flexible.filter { columns[$0].isList }
            let candidates = lists.isEmpty ? flexible : lists
            guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        return widths
    }

    private func line(_ row: [Cell], _ widths: [Int], _ terminal: Terminal) -> String {
        var line = ""
        // Spaces are held back until something follows them.
        var blanks = 0
        for (index, cell) in row.enumerated() {
            if index > 0 { blanks += Self.gap }
            let cell = cell.cut(to: widths[index], list: columns[index].isList, terminal)
            let padding = widths[index] - cell.width
            if columns[index].isNumber { blanks += padding }
            if cell.width > 0 {
                line += String(repeating: " ", count: blanks)
                for span in cell.spans { line += terminal.paint(span.text, span.tint) }
                blanks = 0
            }
            if !columns[index].isNumber { blanks += padding }
        }
        return line
    }
}

extension Table.Cell {
    fileprivate func cut(to limit: Int, list: Bool, _ terminal: Terminal) -> Table.Cell {
        guard width > limit else { return self }
        let mark = terminal.ellipsis.columns < limit ? terminal.ellipsis : ""
        var room = limit - mark.columns
        if list {
            let text = spans.map(\.text).joined()
            if let comma = text.prefix(columns: room).lastIndex(of: ",") { room = text[...comma].columns }
        }
        var cut = self
        cut.spans = []
        for span in spans {
            let part = span.text.prefix(columns: room)
            cut.spans.append(Span(text: String(part), tint: span.tint))
            room -= part.columns
            if part.count < span.text.count { break }
        }
        cut.spans[cut.spans.count - 1].text += mark
        return cut
    }
}
