/* SPDX-License-Identifier: GPL-2.0-only */
/* Direct routing: the frame goes on to the real server's MAC address, and nothing else of it changes. */
#pragma once

#include "link.h"

/*
 * Sends the packet on as one of `verdict`, or says why not. Where it leaves by the interface it came in by, the server's
 * source MAC is that interface's own, which saves a look-up.
 */
static __always_inline __u32 emit_dr(struct packet *p, struct ethernet_header *ethernet, const struct real_server *server,
				     __u32 verdict)
{
	__u64 source = mac_word(server->source_mac);
	__u32 interface = server->interface;

	if (interface == p->xdp->ingress_ifindex && is_mac(ethernet->destination, source))
		;
	else if (!addressed_to_us(p, ethernet->destination))
		return RIPTIDE_PASS_OTHER_HOST;
	else if (!interface)
		return RIPTIDE_DROP_NO_NEIGHBOUR;
	leave(p, ethernet, mac_word(server->mac), source, interface);
	return verdict;
}
