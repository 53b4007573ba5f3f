/// Which parts of a ``NetworkState`` differ since the last change that was handed out.
package struct NetworkChange: Sendable, Equatable {
    package var links = false
    package var addresses = false
    package var routes = false
    /// Entries that appeared, went, or differ in state or MAC.
    package var neighbours: Set<NeighbourKey> = []

    package init(links: Bool = false, addresses: Bool = false, routes: Bool = false, neighbours: Set<NeighbourKey> = [])
    {
        self.links = links
        self.addresses = addresses
        self.routes = routes
        self.neighbours = neighbours
    }

    package var isEmpty: Bool { !links && !addresses && !routes && neighbours.isEmpty }

    mutating func merge(_ other: NetworkChange) {
        links = links || other.links
        addresses = addresses || other.addresses
        routes = routes || other.routes
        neighbours.formUnion(other.neighbours)
    }
}

/// The changes of a ``NetworkMonitor``, for one consumer. A slow consumer loses none: what happened in the meantime comes as
/// one change. Ends when the monitor is closed.
package struct NetworkChanges: AsyncSequence, Sendable {
    let signals: AsyncStream<Void>
    let board: NetworkBoard

    package struct AsyncIterator: AsyncIteratorProtocol {
        var signals: AsyncStream<Void>.Iterator
        let board: NetworkBoard

        package mutating func next(isolation actor: isolated (any Actor)? = #isolation) async -> NetworkChange? {
            while await signals.next(isolation: actor) != nil {
                if let change = board.takeChange() { return change }
            }
            return nil
        }
    }

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(signals: signals.makeAsyncIterator(), board: board)
    }
}
