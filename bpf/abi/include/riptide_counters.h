/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The catalogue of counters. Every packet that the data plane sees falls under exactly one of them; the drops among them are
 * the reasons for which Riptide drops. `expected` says whether a healthy network shows it.
 */
#pragma once

#include <linux/types.h>

/* X(NAME, "name", expected, "what it means") */
#define RIPTIDE_COUNTERS(X)                                                                                                \
	X(PASS_NOT_IP, "pass.not-ip", 1, "neither IPv4, IPv6 nor ARP: left to the kernel")                                 \
	X(PASS_NEIGHBOUR, "pass.neighbour", 1, "ARP or neighbour discovery that does not ask for a VIP")                   \
	X(PASS_UNPARSED, "pass.unparsed", 1, "headers cut short, or IPv6 with IPv4-mapped addresses")                   \
	X(PASS_NOT_VIP, "pass.not-vip", 1, "the destination is not a VIP")                                                 \
	X(PASS_PORT, "pass.port", 1, "for a VIP, but no service has this port: left to the kernel")                        \
	X(PASS_PROTOCOL, "pass.protocol", 1, "for a VIP, but neither TCP nor UDP: left to the kernel (ping, for one)")     \
	X(PASS_OTHER_HOST, "pass.other-host", 1, "for a service, but the frame was addressed to another machine")          \
	X(FORWARD_FLOW, "forward.flow", 1, "of an established flow")                                                       \
	X(FORWARD_NEW, "forward.new", 1, "began a connection, or repeated its beginning")                                  \
	X(FORWARD_CONFIRMED, "forward.confirmed", 1, "the second of a connection: its flow is remembered from here on")    \
	X(FORWARD_STRAY, "forward.stray", 1, "TCP without SYN and of no known flow: sent where the client or the hash says") \
	X(FORWARD_ANSWER, "forward.answer", 1, "of a real server to its client, translated back")                          \
	X(FORWARD_ERROR, "forward.error", 1, "ICMP error about a flow, sent to whom it concerns")                          \
	X(FORWARD_FRAGMENT, "forward.fragment", 1, "a later fragment, sent after its first")                               \
	X(REPLY_ARP, "reply.arp", 1, "ARP request for a VIP, answered")                                                    \
	X(REPLY_ND, "reply.nd", 1, "neighbour solicitation for a VIP, answered")                                           \
	X(REPLY_REFUSED, "reply.refused", 0, "no real server takes connections: answered by a reset or port unreachable")  \
	X(REPLY_RESET, "reply.reset", 0, "of a TCP flow whose real server is gone: answered by a reset")                   \
	X(REPLY_TOO_BIG, "reply.too-big", 1, "too long for the tunnel: the client was told the length that fits")          \
	X(REPLY_EXPIRED, "reply.expired", 0, "its time to live ran out here: the sender was told")                         \
	X(DROP_NOT_ACTIVE, "drop.not-active", 1, "asked for a VIP while another node owns it")                             \
	X(DROP_MALFORMED, "drop.malformed", 0, "for a VIP, but its headers are cut short or contradict themselves")        \
	X(DROP_FRAGMENT, "drop.fragment", 0, "a fragment for a VIP whose first fragment has not come")                     \
	X(DROP_NO_SERVER, "drop.no-server", 0, "no real server takes connections, and the packet cannot be answered")      \
	X(DROP_SERVER_GONE, "drop.server-gone", 0, "of a TCP flow whose real server was removed, halted or is down")        \
	X(DROP_EXPIRED, "drop.expired", 0, "its time to live ran out here, and nobody may be told")                       \
	X(DROP_TOO_BIG, "drop.too-big", 0, "too long for the tunnel, and nobody may be told") \
	X(DROP_NO_PORT, "drop.no-port", 0, "snat has no free source port for a new connection")                            \
	X(DROP_DENIED, "drop.denied", 1, "of a client that the service does not allow, and of no flow")                    \
	X(DROP_RATE, "drop.rate", 1, "a new connection of a source that begins too many")                                  \
	X(DROP_NO_NEIGHBOUR, "drop.no-neighbour", 0, "the real server's MAC address is not known (yet)")                   \
	X(DROP_VLAN, "drop.vlan", 0, "the real server is in another VLAN than the packet: tags are not changed")            \
	X(DROP_TABLE_CHANGING, "drop.table-changing", 0, "the service changed twice while the packet was being scheduled") \
	X(DROP_NO_ROOM, "drop.no-room", 0, "the driver gave no room to write an answer")

enum riptide_counter {
#define RIPTIDE_COUNTER_NUMBER(NAME, name, expected, text) RIPTIDE_##NAME,
	RIPTIDE_COUNTERS(RIPTIDE_COUNTER_NUMBER)
#undef RIPTIDE_COUNTER_NUMBER
		RIPTIDE_COUNTER_COUNT,
};

struct riptide_counter_description {
	const char *name;
	const char *text;
	__u64 expected;
};

#ifndef __bpf__
/* The description of a counter; a null pointer beyond the last. */
const struct riptide_counter_description *riptide_counter_description(__u32 number);
#endif
