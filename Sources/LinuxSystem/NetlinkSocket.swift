internal import CLibNL
internal import CLinux
internal import Glibc

/// A request under construction.
struct NetlinkRequest: ~Copyable {
    let message: OpaquePointer

    /// Takes over a message that libnl-route built.
    init(adopting message: OpaquePointer) { self.message = message }

    /// A request for all objects of a kind, of one address family or of all (0).
    init(dump type: some BinaryInteger, family: Int32 = 0) {
        guard let message = nlmsg_alloc_simple(Int32(type), NLM_F_REQUEST | Int32(NLM_F_DUMP)) else {
            fatalError("out of memory")
        }
        self.message = message
        var header = rtgenmsg(rtgen_family: UInt8(family))
        nlmsg_append(message, &header, MemoryLayout<rtgenmsg>.size, Int32(NLMSG_ALIGNTO))
    }

    deinit { nlmsg_free(message) }
}

/// A NETLINK_ROUTE socket of the network namespace in which it was made.
///
/// `@unchecked Sendable`: the pointer has one owner, the value cannot be copied, every use is exclusive (`mutating`), and
/// libnl ties a socket to no thread.
struct NetlinkSocket: ~Copyable, @unchecked Sendable {
    private let socket: OpaquePointer

    /// - Parameter blocking: whether ``receive(_:)`` waits. It then gives up after five seconds: the kernel answers at once.
    init(blocking: Bool, receiveBuffer bytes: Int? = nil) throws(SystemError) {
        guard let socket = nl_socket_alloc() else { fatalError("out of memory") }
        self.socket = socket
        // Replies are matched here, by sequence; events have none.
        nl_socket_disable_seq_check(socket)
        guard nl_connect(socket, NETLINK_ROUTE) == 0 else {
            throw SystemError(.netlink, "open", "a netlink socket", errno: errno)
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        if let bytes {
            // Without CAP_NET_ADMIN the size is capped by net.core.rmem_max, which overflow handling makes up for.
            if clinux_force_receive_buffer(descriptor, Int32(bytes)) < 0 {
                nl_socket_set_buffer_size(socket, Int32(bytes), 0)
            }
        }
        if blocking {
            var patience = timeval(tv_sec: 5, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        } else {
            nl_socket_set_nonblocking(socket)
        }
        // Larger than any datagram that the kernel makes for a dump, so that reading takes one system call, not two.
        nl_socket_set_msg_buf_size(socket, 65_536)
        nl_socket_disable_msg_peek(socket)
    }

    deinit { nl_socket_free(socket) }

    /// For poll only.
    var descriptor: Int32 { nl_socket_get_fd(socket) }

    mutating func join(_ group: some BinaryInteger) throws(SystemError) {
        guard nl_socket_add_membership(socket, Int32(group)) == 0 else {
            throw SystemError(.netlink, "subscribe to", "netlink group \(group)", errno: errno)
        }
    }

    enum Reception {
        case messages, nothing
        case failed(errno: Int32)
    }

    /// Reads one datagram and hands over its messages. Those that do not come from the kernel are ignored.
    mutating func receive(_ visit: (NetlinkMessage) -> Void) -> Reception {
        var sender = sockaddr_nl()
        var buffer: UnsafeMutablePointer<UInt8>?
        errno = 0
        let count = nl_recv(socket, &sender, &buffer, nil)
        if count == -NLE_AGAIN { return .nothing }
        guard count > 0, let buffer else { return .failed(errno: errno == 0 ? EIO : errno) }
        defer { free(buffer) }
        if sender.nl_pid == 0 {
            NetlinkMessage.forEach(in: UnsafeRawBufferPointer(start: buffer, count: Int(count)), visit)
        }
        return .messages
    }

    /// Sends bytes that are whole requests, without waiting for answers.
    mutating func send(_ bytes: [UInt8]) -> Bool {
        var bytes = bytes
        return bytes.withUnsafeMutableBytes { nl_sendto(socket, $0.baseAddress, $0.count) } >= 0
    }

    /// Sends a request and hands over the messages of its answer. Returns the errno of the kernel's verdict: 0 if it did
    /// what was asked, EINTR if a dump was disturbed by a change and should be repeated.
    ///
    /// Throws if there was no verdict.
    mutating func exchange(
        _ request: borrowing NetlinkRequest, _ visit: (NetlinkMessage) -> Void = { _ in }
    ) throws(SystemError) -> Int32 {
        nl_complete_msg(socket, request.message)
        let sequence = nlmsg_hdr(request.message).pointee.nlmsg_seq
        guard nl_send(socket, request.message) >= 0 else {
            throw SystemError(.netlink, "send", "a netlink request", errno: errno)
        }
        var verdict: Int32?
        var interrupted = false
        while verdict == nil {
            let reception = receive { message in
                guard message.sequence == sequence else { return }
                interrupted = interrupted || message.flags & UInt16(NLM_F_DUMP_INTR) != 0
                if message.isType(NLMSG_ERROR) || message.isType(NLMSG_DONE) {
                    verdict = message.errorNumber
                } else {
                    visit(message)
                }
            }
            switch reception {
            case .messages: break
            case .nothing: throw SystemError(.netlink, "wait for", "the kernel's answer by netlink", errno: ETIMEDOUT)
            case .failed(let errno): throw SystemError(.netlink, "read", "the kernel's answer by netlink", errno: errno)
            }
        }
        return interrupted ? EINTR : verdict ?? 0
    }
}
