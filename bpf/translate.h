/* SPDX-License-Identifier: GPL-2.0-only */
/* Modes nat and snat: addresses and ports of packets are changed on their way to the real server, and back. */
#pragma once

#include "checksum.h"
#include "link.h"
#include "table.h"

/* What packets are changed to, and by what that changes their sums. */
struct rewrite {
	const __u64 *source;
	const __u64 *destination;
	__u32 ports;
	__u16 network_delta;
	__u16 transport_delta;
};

static __always_inline void rewrite_to_server(struct rewrite *r, const struct translation *translation)
{
	r->source = (const __u64 *)translation->source;
	r->destination = (const __u64 *)translation->destination;
	r->ports = *(const __u32 *)&translation->source_port;
	r->network_delta = translation->network_delta;
	r->transport_delta = translation->transport_delta;
}

/* The way back is the same with all signs turned. */
static __always_inline void rewrite_to_client(struct rewrite *r, const struct flow *flow, const struct translation *translation)
{
	r->source = (const __u64 *)flow->key.destination;
	r->destination = (const __u64 *)flow->key.source;
	r->ports = flow->key.destination_port | (__u32)flow->key.source_port << 16;
	r->network_delta = ~translation->network_delta;
	r->transport_delta = ~translation->transport_delta;
}

/* By what the sums change on the way from what the client sends to what the server sees. */
static __always_inline void set_deltas(struct translation *translation, const struct flow_key *key)
{
	__u64 before = network_sum(key->source) + network_sum(key->destination);
	__u64 after = network_sum(translation->source) + network_sum(translation->destination);

	translation->network_delta = fold_sum(after + (__u16)~fold_sum(before));
	before += (__u64)key->source_port + key->destination_port;
	after += (__u64)translation->source_port + translation->destination_port;
	translation->transport_delta = fold_sum(after + (__u16)~fold_sum(before));
}

enum rewritten {
	REWRITTEN,
	TOO_SHORT,
	TIME_IS_OUT,
};

/* The IP header's addresses, its time to live and its checksum. */
static __always_inline enum rewritten rewrite_network(struct packet *p, const struct rewrite *r)
{
	void *l3 = packet_begin(p) + (p->l3 & 0x3f);
	struct ipv6hdr *ip6 = l3;
	struct iphdr *ip = l3;

	if ((void *)(ip + 1) > packet_end(p))
		return TOO_SHORT;
	if (ip->version == 4) {
		if (ip->ttl <= 1)
			return TIME_IS_OUT;
		ip->ttl -= 1;
		ip->saddr = r->source[1] >> 32;
		ip->daddr = r->destination[1] >> 32;
		ip->check = adjust_checksum(ip->check, r->network_delta + TTL_DELTA);
		return REWRITTEN;
	}
	if ((void *)(ip6 + 1) > packet_end(p))
		return TOO_SHORT;
	if (ip6->hop_limit <= 1)
		return TIME_IS_OUT;
	ip6->hop_limit -= 1;
	copy_address(&ip6->saddr, r->source);
	copy_address(&ip6->daddr, r->destination);
	return REWRITTEN;
}

static __always_inline enum rewritten rewrite_transport(struct packet *p, const struct rewrite *r)
{
	void *l4 = packet_begin(p) + (p->l4 & 0x7fff);
	__u16 *check;

	if (p->key.protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;

		if ((void *)(tcp + 1) > packet_end(p))
			return TOO_SHORT;
		check = &tcp->check;
		*check = adjust_checksum(*check, r->transport_delta);
	} else {
		struct udphdr *udp = l4;

		if ((void *)(udp + 1) > packet_end(p))
			return TOO_SHORT;
		check = &udp->check;
		/* None was made (RFC 768), and none is to be sent where one was. */
		if (*check) {
			*check = adjust_checksum(*check, r->transport_delta);
			if (!*check)
				*check = 0xffff;
		}
	}
	*(__u32 *)l4 = r->ports;
	return REWRITTEN;
}

/* Changes the packet; says RIPTIDE_REPLY_EXPIRED or RIPTIDE_DROP_MALFORMED if it cannot, with nothing changed. */
static __always_inline __u32 rewrite(struct packet *p, const struct rewrite *r, __u32 verdict)
{
	enum rewritten done = rewrite_network(p, r);

	if (done == REWRITTEN && p->fragment != LATER_FRAGMENT)
		done = rewrite_transport(p, r);
	if (done == REWRITTEN)
		return verdict;
	return done == TIME_IS_OUT ? RIPTIDE_REPLY_EXPIRED : RIPTIDE_DROP_MALFORMED;
}

/* To the real server. The client's own interface is known from the flow's beginning, which saves a look-up. */
static __always_inline __u32 emit_to_server(struct packet *p, struct ethernet_header *ethernet,
					    const struct translation *translation, const struct real_server *server,
					    __u32 verdict)
{
	struct rewrite r;
	__u32 interface = server->interface;

	if (!is_ours(p, ethernet, translation->client_interface, mac_word(translation->own_mac)))
		return RIPTIDE_PASS_OTHER_HOST;
	if (!interface)
		return RIPTIDE_DROP_NO_NEIGHBOUR;
	if (!reaches_vlan(p, interface, server->vlan))
		return RIPTIDE_DROP_VLAN;
	rewrite_to_server(&r, translation);
	verdict = rewrite(p, &r, verdict);
	if (verdict >= RIPTIDE_FORWARD_FLOW && verdict < RIPTIDE_REPLY_ARP)
		leave(p, ethernet, mac_word(server->mac), mac_word(server->source_mac), interface);
	return verdict;
}

/* Back to the client, by the way that its packets came. */
static __always_inline __u32 emit_to_client(struct packet *p, struct ethernet_header *ethernet, const struct flow *flow,
					    const struct translation *translation, const struct real_server *server)
{
	struct rewrite r;
	__u32 verdict;

	if (!is_ours(p, ethernet, server->interface, mac_word(server->source_mac)))
		return RIPTIDE_PASS_OTHER_HOST;
	if (!reaches_vlan(p, translation->client_interface, translation->client_vlan))
		return RIPTIDE_DROP_VLAN;
	rewrite_to_client(&r, flow, translation);
	verdict = rewrite(p, &r, RIPTIDE_FORWARD_ANSWER);
	if (verdict == RIPTIDE_REPLY_EXPIRED)
		return RIPTIDE_DROP_EXPIRED;
	if (verdict == RIPTIDE_FORWARD_ANSWER)
		leave(p, ethernet, mac_word(translation->client_mac), mac_word(translation->own_mac),
		      translation->client_interface);
	return verdict;
}
