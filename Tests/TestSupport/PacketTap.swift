internal import CLinux
internal import Glibc
internal import LinuxSystem

/// A raw socket on one interface of a namespace: sends frames as they are and sees every frame that comes in, VLAN tags
/// included, before the kernel's own protocols; never those that its own side sends.
package struct PacketTap: ~Copyable, Sendable {
    private let socket: OwnedDescriptor
    private let interface: UInt32

    /// Frames are kept from this moment on.
    package init(_ namespace: TestNamespace, interface name: String) throws {
        let (descriptor, interface) = try namespace.perform { () throws -> (Int32, UInt32) in
            let index = try NetworkNamespace.interfaceIndex(named: name)
            return (clinux_packet_open(index, CLINUX_PACKET_ALL), index)
        }
        guard descriptor >= 0 else { throw TestFailure("open a tap on \(name): \(SystemError.words(-descriptor))") }
        socket = OwnedDescriptor(descriptor)
        self.interface = interface
    }

    package func send(_ frame: [UInt8]) throws {
        let result = clinux_packet_send(socket.rawValue, interface, frame, frame.count)
        // A full queue loses the frame, as a full wire would.
        if result == -ENOBUFS { return }
        if result < 0 { throw TestFailure("send a frame of \(frame.count) octets: \(SystemError.words(-result))") }
    }

    /// The next frame that has come in and matches; those before it are thrown away. `nil` if none came in time.
    package func receive(
        within limit: Duration = .seconds(2), where matches: ([UInt8]) -> Bool = { _ in true }
    ) throws -> [UInt8]? {
        let deadline = ContinuousClock.now + limit
        while true {
            var frame = [UInt8](repeating: 0, count: 65_600)
            let count = clinux_packet_receive(socket.rawValue, &frame, frame.count)
            if count >= 0 {
                frame.removeSubrange(count...)
                if matches(frame) { return frame }
                continue
            }
            guard count == -Int(EAGAIN) else { throw TestFailure("read a tap: \(SystemError.words(Int32(-count)))") }
            let left = ContinuousClock.now.duration(to: deadline)
            if left <= .zero { return nil }
            var polled = pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0)
            poll(&polled, 1, Int32(max(1, min(1000, left / .milliseconds(1)))))
        }
    }

    /// Throws away what has come in so far.
    package func discard() throws {
        while try receive(within: .zero) != nil {}
    }
}
