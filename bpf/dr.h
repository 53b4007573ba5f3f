/* SPDX-License-Identifier: GPL-2.0-only */
/* Direct routing: the frame goes on to the real server's MAC address, and nothing else of it changes. */
#pragma once

#include "parse.h"

/* Whether the frame was addressed to this machine: one that a switch floods to us is another's to forward. */
static __always_inline int addressed_to_us(const struct packet *p, const void *destination)
{
	__u32 index = p->xdp->ingress_ifindex;
	struct interface *interface = bpf_map_lookup_elem(&interfaces, &index);

	return interface && same_mac(destination, interface->mac);
}

/*
 * Whether the frame, with the tags that it has, is one of the server's link. A server whose own link has no VLAN gets frames
 * as they came, if they leave by the interface they came in by.
 */
static __always_inline int reaches_vlan(const struct packet *p, const struct real_server *server)
{
	if (server->vlan)
		return server->vlan == p->vlan;
	return !p->vlan || server->interface == p->xdp->ingress_ifindex;
}

/*
 * Sends the packet on as one of `verdict`, or says why not. `ethernet` is the head of the frame, known to be whole. Where it leaves by the interface it came in by, the server's
 * source MAC is that interface's own, which saves a look-up.
 */
static __always_inline __u32 emit_dr(struct packet *p, struct ethernet_header *ethernet, const struct real_server *server,
				     __u32 verdict)
{
	__u64 source = mac_word(server->source_mac);
	__u32 interface = server->interface;

	if (interface == p->xdp->ingress_ifindex) {
		if (!is_mac(ethernet->destination, source) && !addressed_to_us(p, ethernet->destination))
			return RIPTIDE_PASS_OTHER_HOST;
		p->action = XDP_TX;
	} else {
		if (!addressed_to_us(p, ethernet->destination))
			return RIPTIDE_PASS_OTHER_HOST;
		if (!interface)
			return RIPTIDE_DROP_NO_NEIGHBOUR;
		p->action = bpf_redirect(interface, 0);
	}
	store_mac(ethernet->destination, mac_word(server->mac));
	store_mac(ethernet->source, source);
	return verdict;
}

static __always_inline void count_traffic(const struct packet *p, __u32 server, __u64 connections)
{
	struct server_traffic *traffic = bpf_map_lookup_elem(&server_traffic, &server);

	if (!traffic)
		return;
	traffic->packets += 1;
	traffic->bytes += p->length;
	traffic->connections += connections;
}
