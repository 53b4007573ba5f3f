internal import CLinux
internal import Glibc
internal import LinuxSystem
package import NetworkTypes

/// An address and a port.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package let address: IPAddress
    package let port: UInt16

    package init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    package var description: String { address.family == .ipv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }

    /// Every address of both families, with a port that is free.
    package static let any = Endpoint(IPAddress(high: 0, low: 0), 0)
}

/// What a socket's call failed with.
package struct SocketFailure: Error, CustomStringConvertible, Sendable {
    package let operation: String
    package let number: Int32

    package var description: String { "\(operation): \(SystemError.words(number))" }
    package var isRefusal: Bool { number == ECONNREFUSED }
    package var isTimeout: Bool { number == ETIMEDOUT }
    package var isReset: Bool { number == ECONNRESET }
}

/// A TCP or UDP socket of a namespace. It is an IPv6 socket, which speaks IPv4 by mapped addresses, so that one kind serves
/// both families. Every call has its deadline.
package final class TestSocket: Sendable {
    package enum Kind: Sendable { case tcp, udp }

    package let kind: Kind
    private let descriptor: OwnedDescriptor

    /// - Parameter local: what it is bound to; a TCP socket is bound so that its address can be used anew at once.
    /// - Parameter receiveBuffer: octets, beyond the system's limit if need be.
    package init(
        _ kind: Kind, in namespace: TestNamespace, local: Endpoint? = nil, receiveBuffer: Int? = nil
    ) throws {
        let type = kind == .tcp ? SOCK_STREAM : SOCK_DGRAM
        let flags = Int32(type.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let (raw, number) = try namespace.perform { () -> (Int32, Int32) in
            let raw = socket(AF_INET6, flags, 0)
            return (raw, errno)
        }
        guard raw >= 0 else { throw SocketFailure(operation: "open a socket", number: number) }
        self.kind = kind
        descriptor = OwnedDescriptor(raw)
        setOption(IPPROTO_IPV6, IPV6_V6ONLY, 0)
        if let receiveBuffer { _ = clinux_force_receive_buffer(raw, Int32(receiveBuffer)) }
        guard let local else { return }
        setOption(SOL_SOCKET, SO_REUSEADDR, 1)
        let result = local.withSocketAddress { Glibc.bind(raw, $0, $1) }
        if result != 0 { throw SocketFailure(operation: "bind \(local)", number: errno) }
    }

    private init(_ kind: Kind, _ raw: Int32) {
        self.kind = kind
        descriptor = OwnedDescriptor(raw)
    }

    private func setOption(_ level: some BinaryInteger, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor.rawValue, Int32(level), option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Connects; for UDP this fixes the peer.
    ///
    /// - Throws: ``SocketFailure``, a time-out if nothing answered in time.
    package func connect(to peer: Endpoint, within limit: Duration = .seconds(3)) throws {
        let operation = "connect to \(peer)"
        if peer.withSocketAddress({ Glibc.connect(descriptor.rawValue, $0, $1) }) == 0 { return }
        guard errno == EINPROGRESS else { throw SocketFailure(operation: operation, number: errno) }
        guard wait(for: POLLOUT, within: limit) else { throw SocketFailure(operation: operation, number: ETIMEDOUT) }
        var failure: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ERROR, &failure, &size)
        if failure != 0 { throw SocketFailure(operation: operation, number: failure) }
    }

    package func listen() throws {
        if Glibc.listen(descriptor.rawValue, 512) != 0 { throw SocketFailure(operation: "listen", number: errno) }
    }

    /// A connection that waits to be accepted; `nil` if there is none.
    package func accept() -> TestSocket? {
        let raw = Glibc.accept(descriptor.rawValue, nil, nil)
        guard raw >= 0 else { return nil }
        _ = fcntl(raw, F_SETFL, O_NONBLOCK)
        _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
        return TestSocket(.tcp, raw)
    }

    /// Sends all of it.
    package func send(_ bytes: [UInt8], to peer: Endpoint? = nil) throws {
        var rest = bytes[...]
        repeat {
            let count = rest.withUnsafeBytes { part in
                if let peer {
                    peer.withSocketAddress {
                        sendto(descriptor.rawValue, part.baseAddress, part.count, Int32(MSG_NOSIGNAL), $0, $1)
                    }
                } else {
                    Glibc.send(descriptor.rawValue, part.baseAddress, part.count, Int32(MSG_NOSIGNAL))
                }
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EAGAIN || !wait(for: POLLOUT, within: .seconds(3)) {
                throw SocketFailure(operation: "send", number: errno)
            }
        } while !rest.isEmpty
    }

    /// What has come in: a datagram, or a part of the stream, empty at its end. `nil` if nothing came in time.
    package func receive(within limit: Duration = .seconds(2), capacity: Int = 2048) throws -> [UInt8]? {
        try receiveFrom(within: limit, capacity: capacity)?.bytes
    }

    /// ``receive(within:capacity:)`` with the sender's address.
    package func receiveFrom(
        within limit: Duration = .seconds(2), capacity: Int = 2048
    ) throws -> (bytes: [UInt8], sender: Endpoint)? {
        let deadline = ContinuousClock.now + limit
        while true {
            var sender = sockaddr_in6()
            var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
            var result = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                result = withUnsafeMutablePointer(to: &sender) { sender in
                    sender.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        recvfrom(descriptor.rawValue, buffer.baseAddress, capacity, 0, $0, &size)
                    }
                }
                count = max(0, result)
            }
            if result >= 0 { return (bytes, Endpoint(sender)) }
            guard errno == EAGAIN else { throw SocketFailure(operation: "receive", number: errno) }
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero, wait(for: POLLIN, within: left) else { return nil }
        }
    }

    private func wait(for events: Int32, within limit: Duration) -> Bool {
        let deadline = ContinuousClock.now + limit
        var polled = pollfd(fd: descriptor.rawValue, events: Int16(events), revents: 0)
        while true {
            let left = max(0, ContinuousClock.now.duration(to: deadline) / .milliseconds(1))
            let result = poll(&polled, 1, Int32(left.rounded(.up)))
            if result > 0 { return true }
            if result == 0 && ContinuousClock.now >= deadline { return false }
        }
    }

    /// The sockets among these that have something to read; none if nothing comes in time.
    package static func readable(among sockets: [TestSocket], within limit: Duration) -> [TestSocket] {
        var polled = sockets.map { pollfd(fd: $0.descriptor.rawValue, events: Int16(POLLIN), revents: 0) }
        guard poll(&polled, nfds_t(polled.count), Int32(limit / .milliseconds(1))) > 0 else { return [] }
        return zip(sockets, polled).filter { $0.1.revents != 0 }.map(\.0)
    }
}

extension Endpoint {
    fileprivate func withSocketAddress<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var raw = sockaddr_in6()
        raw.sin6_family = sa_family_t(AF_INET6)
        raw.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &raw.sin6_addr) { $0.copyBytes(from: address.octets) }
        return withUnsafePointer(to: &raw) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
        }
    }

    fileprivate init(_ raw: sockaddr_in6) {
        let octets = withUnsafeBytes(of: raw.sin6_addr) { Array($0) }
        self.init(IPAddress(octets: octets) ?? Endpoint.any.address, UInt16(bigEndian: raw.sin6_port))
    }
}
