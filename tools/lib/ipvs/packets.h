/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What packets.c tells packets.bpf.c, and what it is told. */
#pragma once

#include <linux/types.h>

/* A frame: Ethernet, IPv4, TCP and ten octets of payload. */
#define FRAME_WORDS 8
#define FRAME_SIZE (8 * FRAME_WORDS)
#define AT_IP 14
#define AT_IP_CHECKSUM 24
#define AT_SOURCE 26 /* its lower bits tell flows apart */
#define AT_TCP 34
#define AT_TCP_FLAGS 46
#define AT_TCP_CHECKSUM 50

/* Header length and flags of TCP, as a word lies in memory. */
#define WORD_SYN 0x0250
#define WORD_ACK 0x1050

/*
 * A tunnel's outer header goes in front of the frame. With this much room beyond what XDP asks for, a veth need not copy the
 * packet that has become longer.
 */
#define SPARE_ROOM 32

/* Packets of flow 0 come before and after those that are measured: the path is warm at the first, and busy to the last. */
struct run {
	__u64 frame[FRAME_WORDS];
	__u64 seen[FRAME_WORDS]; /* the first that arrived */
	__u64 before;
	__u64 count; /* of those that are measured */
	__u64 made;
	__u64 arrived;
	__u64 began; /* nanoseconds, which are instructions here */
	__u64 ended;
	__u32 first_flow;
	__u32 flow_mask; /* flows - 1 */
	__u32 ip_sum;    /* of the frame with flow 0 and without flags */
	__u32 tcp_sum;
	__u32 interface; /* that the packets leave by */
	__u32 tcp_flags; /* WORD_* */
};
