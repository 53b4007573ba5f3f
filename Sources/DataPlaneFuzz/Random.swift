import PacketKit

typealias Random = SeededGenerator

extension Random {
    /// From 0 up to and without `count`.
    mutating func below(_ count: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % count }

    mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

    /// True in so many of a hundred cases.
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}
