import Testing
import riptide

@Suite("Tables and texts")
struct TableTests {
    private let table = Table(
        [
            Table.Column("NAME", minimum: 6), Table.Column("PORTS", minimum: 5, isList: true),
            Table.Column("COUNT", isNumber: true),
        ],
        rows: [
            [Table.Cell("a-long-name", .bold), "80,443,50000-65535", "7"], ["b", "80", Table.Cell("1,234,567", .red)],
        ])

    @Test func `columns are aligned, numbers to the right, without trailing spaces`() {
        #expect(
            table.lines(Terminal()) == [
                "NAME         PORTS                   COUNT",
                "a-long-name  80,443,50000-65535          7",
                "b            80                  1,234,567",
            ])
    }

    @Test func `a narrow terminal cuts lists first, after a comma`() {
        let lines = table.lines(Terminal(width: 32))
        #expect(
            lines == [
                "NAME         PORTS         COUNT",
                "a-long-name  80,443,…          7",
                "b            80        1,234,567",
            ])
        #expect(lines.allSatisfy { $0.columns <= 32 })
    }

    @Test func `columns without a minimum are never cut`() {
        let lines = table.lines(Terminal(width: 5))
        #expect(lines[2].hasSuffix("1,234,567"))
        #expect(lines[1] == "a-lon…  80,…           7")
    }

    @Test func `optional columns are left out of a terminal that is too narrow, from the right`() {
        var table = table
        table.columns[1].isOptional = true
        #expect(table.lines(Terminal(width: 24))[1].contains("80"))
        #expect(
            table.lines(Terminal(width: 23)) == [
                "NAME             COUNT", "a-long-name          7", "b            1,234,567",
            ])
    }

    @Test func `without Unicode the mark of a cut is ASCII`() {
        let lines = table.lines(Terminal(width: 32, unicode: false))
        #expect(lines[1].utf8.count == lines[1].count)
        #expect(lines[1].contains("80,..."))
    }

    @Test func `colours do not disturb the columns, and reset after each text`() {
        let lines = table.lines(Terminal(colours: true))
        #expect(lines[1] == "\u{1B}[1ma-long-name\u{1B}[0m  80,443,50000-65535          7")
        #expect(lines[2].hasSuffix("\u{1B}[31m1,234,567\u{1B}[0m"))
    }

    @Test func `a cut keeps each part's tint`() {
        let cell = Table.Cell("● down", .red) + Table.Cell(": no answer to ARP")
        let table = Table([Table.Column("STATUS", minimum: 6)], rows: [[cell]])
        #expect(table.lines(Terminal(width: 12, colours: true))[1] == "\u{1B}[31m● down\u{1B}[0m: no …")
    }

    @Test func `control characters cannot reach the terminal`() {
        #expect(Table.Cell("a\u{1B}[2Jb\u{202E}\n").spans[0].text == "a?[2Jb??")
    }

    @Test func `wide characters take two columns`() {
        #expect("漢字a".columns == 5)
        #expect("漢字a".prefix(columns: 3) == "漢")
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567"), (.max, "9,223,372,036,854,775,807")])
    func `numbers have commas for thousands`(value: Int, text: String) {
        #expect(Text.number(value) == text)
    }

    @Test(arguments: [
        (0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min 59 s"), (3_600, "1 h"), (90_061, "1 d 1 h"),
        (86_400_000, "1,000 d"),
    ])
    func `durations have their two largest units`(seconds: Int, text: String) {
        #expect(Text.duration(seconds: seconds) == text)
    }

    @Test(arguments: [
        (0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (1_536, "1.5 KiB"), (10_240, "10 KiB"),
        (1_048_575, "1.0 MiB"), (67_108_864, "64 MiB"), (.max, "8.0 EiB"),
    ])
    func `sizes are in powers of 1024`(bytes: Int, text: String) {
        #expect(Text.size(bytes: bytes) == text)
    }

    @Test func `something is never shown as nothing`() {
        #expect(Text.percent(0, of: 10) == "0 %")
        #expect(Text.percent(1, of: 524_288) == "<1 %")
        #expect(Text.percent(1, of: 2) == "50 %")
        #expect(Text.percent(0, of: 0) == "0 %")
    }
}
