import ControlAPI
import FoundationEssentials
import NIOCore

/// Makes JSON of answers. Those with a list that may be long are encoded an element at a time: the encoder builds a tree of
/// what it is given, which for ten thousand real servers is larger than all that the daemon keeps.
struct AnswerEncoder {
    private let encoder: JSONEncoder

    init() {
        encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    }

    func encode(_ answer: any Encodable) throws -> ByteBuffer {
        guard let long = answer as? any LongAnswer else { return ByteBuffer(bytes: try encoder.encode(answer)) }
        return try encode(long: long)
    }

    private func encode<Answer: LongAnswer>(long answer: Answer) throws -> ByteBuffer {
        var shell = answer
        let elements = shell.takeElements()
        let frame = try encoder.encode(shell)
        // Quotation marks within strings are escaped, so this stands only where the empty list is.
        let marker = Data("\"\(Answer.listKey)\":[]".utf8)
        guard let place = frame.firstRange(of: marker) else { return ByteBuffer(bytes: try encoder.encode(answer)) }
        let list = frame.index(before: place.upperBound)
        var buffer = ByteBuffer(bytes: frame[..<list])
        for (index, element) in elements.enumerated() {
            if index > 0 { buffer.writeStaticString(",") }
            buffer.writeBytes(try encoder.encode(element))
        }
        buffer.writeBytes(frame[list...])
        return buffer
    }
}

/// An answer that is an object with one list that may be long.
protocol LongAnswer: Encodable {
    associatedtype Element: Encodable
    /// Under which the list stands.
    static var listKey: String { get }
    /// Empties the list and answers what was in it.
    mutating func takeElements() -> [Element]
}

extension Status: LongAnswer {
    static let listKey = "services"
    mutating func takeElements() -> [ServiceStatus] { exchange(&services) }
}

extension ServiceList: LongAnswer {
    static let listKey = "services"
    mutating func takeElements() -> [ServiceStatus] { exchange(&services) }
}

extension FlowPage: LongAnswer {
    static let listKey = "flows"
    mutating func takeElements() -> [Flow] { exchange(&flows) }
}

extension PersistenceList: LongAnswer {
    static let listKey = "entries"
    mutating func takeElements() -> [PersistenceEntry] { exchange(&entries) }
}

private func exchange<Element>(_ list: inout [Element]) -> [Element] {
    defer { list = [] }
    return list
}
