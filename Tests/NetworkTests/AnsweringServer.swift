import NetworkTypes
import Synchronization
import TestSupport

/// A program on a host that answers with its name on a line: TCP clients get it once connected, and then an echo of what they
/// send; UDP clients get it before the echo of each datagram, from the address that they asked.
final class AnsweringServer: Sendable {
    private struct State {
        var isClosed = false
        var octets = 0
        var connections = 0
    }
    private let name: String
    private let listeners: [TestSocket]
    private let datagrams: [TestSocket]
    private let state = Mutex(State())
    private let thread: WorkerThread

    /// - Parameter udp: on each of `addresses`; TCP ports are open on all addresses.
    init(_ host: Host, tcp: [UInt16] = [], udp: [UInt16] = [], addresses: [IPAddress] = Lab.vips) throws {
        name = host.name
        listeners = try tcp.map { port in
            let socket = try TestSocket(.tcp, in: host.namespace, local: Endpoint(Endpoint.any.address, port))
            try socket.listen()
            return socket
        }
        datagrams = try addresses.flatMap { address in
            try udp.map { try TestSocket(.udp, in: host.namespace, local: Endpoint(address, $0)) }
        }
        thread = try WorkerThread(name: host.name)
        thread.submit { [self] in serve() }
    }

    /// Ends it and closes its sockets, once its thread has seen so.
    func close() {
        state.withLock { $0.isClosed = true }
        try? thread.perform {}
        thread.close()
    }

    /// What its TCP clients have sent so far, and how many have connected.
    var octets: Int { state.withLock { $0.octets } }
    var connections: Int { state.withLock { $0.connections } }

    private func serve() {
        var connections: [ObjectIdentifier: TestSocket] = [:]
        while !state.withLock({ $0.isClosed }) {
            let all = listeners + datagrams + connections.values
            for socket in TestSocket.readable(among: all, within: .milliseconds(50)) {
                if connections[ObjectIdentifier(socket)] != nil {
                    if !echo(socket) { connections[ObjectIdentifier(socket)] = nil }
                } else if socket.kind == .udp {
                    answerDatagrams(socket)
                } else {
                    while let connection = socket.accept() {
                        state.withLock { $0.connections += 1 }
                        if (try? connection.send(Array("\(name)\n".utf8))) != nil {
                            connections[ObjectIdentifier(connection)] = connection
                        }
                    }
                }
            }
        }
    }

    /// Whether the connection goes on.
    private func echo(_ connection: TestSocket) -> Bool {
        guard let bytes = try? connection.receive(within: .zero, capacity: 65_536), !bytes.isEmpty else { return false }
        state.withLock { $0.octets += bytes.count }
        return (try? connection.send(bytes)) != nil
    }

    private func answerDatagrams(_ socket: TestSocket) {
        while let (bytes, sender) = try? socket.receiveFrom(within: .zero, capacity: 65_536) {
            try? socket.send(Array("\(name)\n".utf8) + bytes, to: sender)
        }
    }
}

/// A TCP connection to an ``AnsweringServer``.
struct Conversation {
    let socket: TestSocket
    /// Who answered.
    let server: String

    /// - Throws: ``SocketFailure``, if nobody accepts in time.
    init(
        _ client: Host, to endpoint: Endpoint, from source: IPAddress? = nil, within limit: Duration = .seconds(3)
    ) throws {
        socket = try TestSocket(.tcp, in: client.namespace, local: source.map { Endpoint($0, 0) })
        try socket.connect(to: endpoint, within: limit)
        var greeting: [UInt8] = []
        while greeting.last != 10 {
            guard let part = try socket.receive(within: limit), !part.isEmpty else {
                throw TestFailure("\(endpoint) accepted and then said nothing")
            }
            greeting += part
        }
        server = String(decoding: greeting.dropLast(), as: UTF8.self)
    }

    /// Whether so many octets come back as they were sent.
    func echoes(_ count: Int = 1_000, within limit: Duration = .seconds(2)) throws -> Bool {
        let sent = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try socket.send(sent)
        var back: [UInt8] = []
        while back.count < count {
            guard let part = try socket.receive(within: limit, capacity: 65_536), !part.isEmpty else { return false }
            back += part
        }
        return back == sent
    }
}

extension TestSocket {
    /// Sends a UDP datagram to an ``AnsweringServer`` and awaits its echo.
    ///
    /// - Returns: The name of the server; `nil` if no answer came in time, or not the one that it should be.
    func exchange(_ bytes: [UInt8], within limit: Duration = .seconds(2)) throws -> String? {
        try send(bytes)
        guard let answer = try receive(within: limit, capacity: 65_536), let end = answer.firstIndex(of: 10),
            answer[(end + 1)...].elementsEqual(bytes)
        else { return nil }
        return String(decoding: answer[..<end], as: UTF8.self)
    }
}

extension Host {
    /// The name of the server that answers a UDP datagram; `nil` if none does in time.
    func askUDP(_ endpoint: Endpoint, from source: IPAddress? = nil, within limit: Duration = .seconds(2)) throws -> String? {
        let socket = try TestSocket(.udp, in: namespace, local: source.map { Endpoint($0, 0) })
        try socket.connect(to: endpoint)
        return try socket.exchange([63], within: limit)
    }

    /// The name of the server that answers a new TCP connection.
    func askTCP(_ endpoint: Endpoint, from source: IPAddress? = nil) throws -> String {
        try Conversation(self, to: endpoint, from: source).server
    }
}
