import TestSupport

/// A small XDP program of the tests' own, loaded once and attached to as many interfaces as need it.
final class XDPProgram {
    private let scratch: Scratch

    /// - Parameter body: C, without any header.
    private init(_ body: String) throws {
        scratch = try Scratch()
        let object = "\(scratch.files)/program.o"
        let terms = "\n__attribute__((section(\"license\"), used)) char terms[] = \"GPL\";\n"
        try Command.check(
            ["clang", "-target", "bpf", "-O2", "-x", "c", "-c", "-", "-o", object], input: Array((body + terms).utf8))
        // By bpftool, since `ip link set … xdp` leaves folders in /sys/fs/bpf.
        try Command.check(["bpftool", "prog", "load", object, scratch.bpffs, "type", "xdp"])
    }

    /// It stays attached as long as the interface is there.
    func attach(to interface: String, in namespace: TestNamespace) throws {
        try Command.check(
            ["bpftool", "net", "attach", "xdpdrv", "pinned", scratch.bpffs, "dev", interface], in: namespace)
    }

    /// Passes all. A veth end takes what its peer sends by XDP only if it runs an XDP program itself.
    static func passing() throws -> XDPProgram {
        try XDPProgram(
            """
            __attribute__((section("xdp"), used)) int pass(void *context) { return context ? 2 : 2; }
            """)
    }

    /// The end of a tunnel: takes off the outer header of IPIP, in all combinations of families, and of GUE variant 1, as the
    /// kernel's `ipip`, `ip6tnl`, `sit` and `fou` do, which not every kernel has.
    static func unwrapping() throws -> XDPProgram {
        try XDPProgram(
            """
            typedef unsigned char u8;
            typedef unsigned short u16;
            typedef unsigned int u32;
            struct context { u32 data, data_end; };
            static long (*adjust_head)(struct context *, int) = (void *)44;

            /* Octets before the packet inside; 0: this is no tunnel's. */
            static inline int overhead(u8 *network, u8 *end, u16 type)
            {
                int ipv4 = type == 0x0800, header = ipv4 ? 20 : 40, protocol;

                if ((!ipv4 && type != 0x86dd) || network + 40 + 8 > end)
                    return 0;
                protocol = ipv4 ? network[9] : network[6];
                if (protocol == 4 || protocol == 41)
                    return header;
                if (protocol == 17 && network[header + 2] == 6080 >> 8 && network[header + 3] == (6080 & 0xff))
                    return header + 8;
                return 0;
            }

            __attribute__((section("xdp"), used)) int unwrap(struct context *context)
            {
                u8 *frame = (u8 *)(long)context->data, *end = (u8 *)(long)context->data_end;
                u8 macs[12];
                int length;

                if (frame + 14 > end)
                    return 2;
                length = overhead(frame + 14, end, frame[12] << 8 | frame[13]);
                if (!length)
                    return 2;
                __builtin_memcpy(macs, frame, 12);
                if (adjust_head(context, length))
                    return 1;
                frame = (u8 *)(long)context->data;
                end = (u8 *)(long)context->data_end;
                if (frame + 15 > end)
                    return 1;
                __builtin_memcpy(frame, macs, 12);
                frame[12] = frame[14] >> 4 == 4 ? 0x08 : 0x86;
                frame[13] = frame[14] >> 4 == 4 ? 0x00 : 0xdd;
                return 2;
            }
            """)
    }
}
