import NetworkTypes
import Testing

@Suite struct PortSetTests {
    @Test(arguments: [
        ("80", "80", 1), ("1935,554,50000-65535", "554,1935,50000-65535", 15538), ("80,80,80", "80", 1),
        ("80,81", "80-81", 2), ("1-10,5-20", "1-20", 20), ("1-65535", "1-65535", 65535), ("65535,65534", "65534-65535", 2),
        (" 80 , 443 ", "80,443", 2), ("8000 - 8010", "8000-8010", 11), ("7-7", "7", 1), ("1-100,50", "1-100", 100),
    ])
    func `a list is read as the union of its parts`(text: String, canonical: String, count: Int) throws {
        let ports = try PortSet(parsing: text)
        #expect(ports.description == canonical)
        #expect(ports.count == count)
    }

    @Test(arguments: [
        ("", "a port is missing between separators"), ("80,", "a port is missing between separators"),
        ("80,,81", "a port is missing between separators"), ("80-", "a port is missing between separators"),
        ("-", "a port is missing between separators"), ("http", "'http' is not a port number"),
        ("80 443", "'80 443' is not a port number"), ("1:30", "'1:30' is not a port number"),
        ("0x50", "'0x50' is not a port number"), ("+80", "'+80' is not a port number"), ("٨٠", "'٨٠' is not a port number"),
        ("0", "port 0 is out of range (write 1 to 65535)"), ("65536", "port 65536 is out of range (write 1 to 65535)"),
        ("99999999999999999999999", "port 99999999999999999999999 is out of range (write 1 to 65535)"),
        ("080", "port '080' has a leading zero (write 80)"), ("00", "port '00' has a leading zero"),
        ("443-80", "range 443-80 runs backwards (write 80-443)"),
        ("1-2-3", "'1-2-3' is not a port or a range such as 8000-8010"),
    ])
    func `what is wrong with a list is said in words`(text: String, complaint: String) {
        let error = #expect(throws: PortSet.ParseError.self) { try PortSet(parsing: text) }
        #expect(error?.description == complaint)
    }

    @Test func `a complaint about a huge text is short`() {
        let error = #expect(throws: PortSet.ParseError.self) { try PortSet(parsing: String(repeating: "x", count: 100_000)) }
        #expect((error?.description.count ?? .max) < 100)
    }

    @Test func `a set contains its bounds and nothing beside them`() throws {
        let ports = try PortSet(parsing: "80,8000-8010")
        #expect([80, 8000, 8005, 8010].allSatisfy(ports.contains))
        #expect(![1, 79, 81, 7999, 8011, 65535].contains(where: ports.contains))
    }

    @Test func `ranges are kept ascending, disjoint and never adjacent, and without port 0`() {
        #expect(PortSet([10...20, 21...30, 5...6, 0...2, 0...0]).ranges == [1...2, 5...6, 10...30])
        #expect(PortSet([65535...65535, 1...65534]).ranges == [1...65535])
        #expect(PortSet([0...0]).isEmpty)
        #expect(PortSet([]).isEmpty)
    }

    @Test(arguments: [
        ("80,443", "8080", ""), ("80,443", "443,80", "80,443"), ("1-100", "50-150", "50-100"),
        ("1-10,20-30,40-50", "5-45", "5-10,20-30,40-45"), ("5-45", "1-10,20-30,40-50", "5-10,20-30,40-45"),
        ("1-65535", "7", "7"), ("10-20", "20-30", "20"), ("10-20", "21-30", ""),
    ])
    func `an intersection has the ports of both sets`(a: String, b: String, expected: String) throws {
        let (a, b) = (try PortSet(parsing: a), try PortSet(parsing: b))
        #expect(a.intersection(b).description == expected)
        #expect(b.intersection(a) == a.intersection(b))
        #expect(a.intersection(b).isEmpty == expected.isEmpty)
    }
}
