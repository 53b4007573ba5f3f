/* SPDX-License-Identifier: GPL-2.0-only */
/* Leaving by a link: which frames are ours to forward, and the MAC addresses that they leave with. */
#pragma once

#include "parse.h"

/* What is known of an interface that the program is attached to. */
static __always_inline struct interface *own_interface(__u32 index)
{
	__u32 place = index % RIPTIDE_INTERFACES;
	struct interface *interface = bpf_map_lookup_elem(&interfaces, &place);

	return interface && interface->index == index ? interface : NULL;
}

/* Whether the frame was addressed to this machine: one that a switch floods to us is another's to forward. */
static __always_inline int addressed_to_us(const struct packet *p, const void *destination)
{
	struct interface *interface = own_interface(p->xdp->ingress_ifindex);

	return interface && same_mac(destination, interface->mac);
}

/*
 * The same, where the interface and the address that it most likely came to are known: a flow's packets mostly come by the way
 * of the last, which saves a look-up.
 */
static __always_inline int is_ours(const struct packet *p, const struct ethernet_header *ethernet, __u32 interface, __u64 mac)
{
	return (interface == p->xdp->ingress_ifindex && is_mac(ethernet->destination, mac)) ||
	       addressed_to_us(p, ethernet->destination);
}

/*
 * Whether the frame, with the tags that it has, is one of the link that the next hop is on. A link that has no VLAN of its own
 * takes frames as they came, if they leave by the interface they came in by.
 */
static __always_inline int reaches_vlan(const struct packet *p, __u32 interface, __u32 vlan)
{
	if (vlan)
		return vlan == p->vlan;
	return !p->vlan || interface == p->xdp->ingress_ifindex;
}

/* Sends the frame, of which `ethernet` is the head, to the next hop: MAC addresses as words. */
static __always_inline void leave(struct packet *p, struct ethernet_header *ethernet, __u64 mac, __u64 source_mac,
				  __u32 interface)
{
	p->action = interface == p->xdp->ingress_ifindex ? XDP_TX : bpf_redirect(interface, 0);
	store_mac(ethernet->destination, mac);
	store_mac(ethernet->source, source_mac);
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
