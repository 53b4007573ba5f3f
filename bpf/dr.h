/* SPDX-License-Identifier: GPL-2.0-only */
/* Direct routing: the frame goes on to the real server's MAC address, and nothing else of it changes. */
#pragma once

#include "link.h"

/* Sends the packet, which is ours, on as one of `verdict`, or says why not. */
static __always_inline __u32 send_dr(struct packet *p, struct ethernet_header *ethernet, const struct real_server *server,
				     __u32 verdict)
{
	if (!server->interface)
		return RIPTIDE_DROP_NO_NEIGHBOUR;
	leave(p, ethernet, mac_word(server->mac), mac_word(server->source_mac), server->interface);
	return verdict;
}

/* The same of any packet. */
static __always_inline __u32 emit_dr(struct packet *p, struct ethernet_header *ethernet, const struct real_server *server,
				     __u32 verdict)
{
	__u64 source = mac_word(server->source_mac);
	__u32 interface = server->interface;

	if (!is_ours(p, ethernet, interface, source))
		return RIPTIDE_PASS_OTHER_HOST;
	return send_dr(p, ethernet, server, verdict);
}
