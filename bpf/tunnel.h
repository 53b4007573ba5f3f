/* SPDX-License-Identifier: GPL-2.0-only */
/* Mode tunnel: the packet travels to the real server inside another, over any number of routers. */
#pragma once

#include "checksum.h"
#include "hash.h"
#include "link.h"

#define OUTER_TTL 64

struct outer_udp {
	__be16 source;
	__be16 destination;
	__be16 length;
	__be16 checksum;
};

/* How many octets the outer headers take. */
static __always_inline __u32 tunnel_overhead(const struct real_server *server)
{
	__u32 network = is_ipv4_mapped((__u8 *)server->address) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	return network + (server->encapsulation == RIPTIDE_ENCAPSULATION_GUE ? sizeof(struct outer_udp) : 0);
}

/* The longest packet that fits into the tunnel. */
static __always_inline __u32 tunnel_mtu(const struct real_server *server, __u32 number)
{
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &number);
	__u32 mtu = server->mtu;

	if (load && load->path_mtu && load->path_mtu < mtu)
		mtu = load->path_mtu;
	return mtu - tunnel_overhead(server);
}

static __always_inline void write_outer_ipv4(struct iphdr *outer, const struct real_server *server, __u32 length, __u32 tos,
					     __u32 protocol)
{
	outer->version = 4;
	outer->ihl = 5;
	outer->tos = tos;
	outer->tot_len = bpf_htons(length);
	outer->id = 0;
	outer->frag_off = bpf_htons(0x4000);
	outer->ttl = OUTER_TTL;
	outer->protocol = protocol;
	outer->saddr = *(__be32 *)(server->source + 12);
	outer->daddr = *(__be32 *)(server->address + 12);
	outer->check = ~fold_sum((__u64)server->outer_sum + bpf_htons(length) + bpf_htons(protocol) + bpf_htons(tos));
}

static __always_inline void write_outer_ipv6(struct ipv6hdr *outer, const struct real_server *server, __u32 length, __u32 tos,
					     __u32 protocol)
{
	*(__be32 *)outer = bpf_htonl(6u << 28 | tos << 20);
	outer->payload_len = bpf_htons(length - sizeof(*outer));
	outer->nexthdr = protocol;
	outer->hop_limit = OUTER_TTL;
	copy_address(&outer->saddr, server->source);
	copy_address(&outer->daddr, server->address);
}

/* The source port tells flows apart, for routers and receivers that spread by ports (RFC 7510 §3). */
static __always_inline void write_outer_udp(struct outer_udp *udp, __u32 hash, __u32 length)
{
	udp->source = bpf_htons(0xc000 | (hash & 0x3fff));
	udp->destination = bpf_htons(RIPTIDE_GUE_PORT);
	udp->length = bpf_htons(length);
	/* The packet inside has its own (RFC 6935). */
	udp->checksum = 0;
}

/*
 * Counts down the time to live of the packet that will be inside, and answers its type of service and its family; -1 if its
 * time is out.
 */
static __always_inline int prepare_inner(struct packet *p, __u32 *tos, int *ipv4)
{
	void *l3 = packet_begin(p) + (p->l3 & 0x3f);
	struct ipv6hdr *ip6 = l3;
	struct iphdr *ip = l3;

	if ((void *)(ip + 1) > packet_end(p))
		return -1;
	*ipv4 = ip->version == 4;
	if (*ipv4) {
		if (ip->ttl <= 1)
			return -1;
		ip->ttl -= 1;
		ip->check = adjust_checksum(ip->check, TTL_DELTA);
		*tos = ip->tos;
		return 0;
	}
	if ((void *)(ip6 + 1) > packet_end(p) || ip6->hop_limit <= 1)
		return -1;
	ip6->hop_limit -= 1;
	*tos = bpf_ntohl(*(__be32 *)ip6) >> 20 & 0xff;
	return 0;
}

/* Wraps the packet, whose Ethernet header and tags stay in front, and sends it on. */
static __always_inline __u32 wrap(struct packet *p, const struct real_server *server, __u32 tos, int inner_ipv4, __u32 verdict)
{
	int outer_ipv4 = is_ipv4_mapped((__u8 *)server->address);
	int gue = server->encapsulation == RIPTIDE_ENCAPSULATION_GUE;
	__u32 overhead = tunnel_overhead(server);
	__u32 protocol = gue ? IPPROTO_UDP : inner_ipv4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	__u16 ethertype = outer_ipv4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	__u32 l3 = p->l3 & 0x3f;
	struct ethernet_header *ethernet;
	__u64 tags = 0;
	void *outer;

	/* What stands between the MAC addresses and the ethertype: none, one or two tags. */
	ethernet = packet_begin(p);
	if ((void *)ethernet + 22 > packet_end(p))
		return RIPTIDE_DROP_MALFORMED;
	tags = *(__u64 *)((void *)ethernet + 12);
	if (bpf_xdp_adjust_head(p->xdp, -(int)overhead))
		return RIPTIDE_DROP_NO_ROOM;
	ethernet = packet_begin(p);
	if ((void *)ethernet + 22 > packet_end(p))
		return RIPTIDE_DROP_MALFORMED;
	if (l3 == 18)
		*(__u32 *)((void *)ethernet + 12) = tags;
	else if (l3 == 22)
		*(__u64 *)((void *)ethernet + 12) = tags;
	else
		l3 = sizeof(*ethernet);
	*(__u16 *)((void *)ethernet + l3 - 2) = ethertype;
	outer = (void *)ethernet + l3;
	if (outer + overhead > packet_end(p))
		return RIPTIDE_DROP_MALFORMED;
	if (outer_ipv4) {
		write_outer_ipv4(outer, server, p->length + overhead, tos, protocol);
		outer += sizeof(struct iphdr);
	} else {
		write_outer_ipv6(outer, server, p->length + overhead, tos, protocol);
		outer += sizeof(struct ipv6hdr);
	}
	if (gue)
		write_outer_udp(outer, mix(p->name), p->length + sizeof(struct outer_udp));
	leave(p, ethernet, mac_word(server->mac), mac_word(server->source_mac), server->interface);
	return verdict;
}

/* Sends the packet, which is ours, on as one of `verdict`, or says why not. */
static __noinline __u32 send_tunnel(struct packet *p, const struct real_server *server, __u32 number, __u32 verdict)
{
	__u32 tos = 0;
	int inner_ipv4 = 0;

	if (!server->interface)
		return RIPTIDE_DROP_NO_NEIGHBOUR;
	if (!reaches_vlan(p, server->interface, server->vlan))
		return RIPTIDE_DROP_VLAN;
	p->limit = tunnel_mtu(server, number);
	if (p->length > p->limit)
		return RIPTIDE_REPLY_TOO_BIG;
	if (prepare_inner(p, &tos, &inner_ipv4))
		return RIPTIDE_REPLY_EXPIRED;
	return wrap(p, server, tos, inner_ipv4, verdict);
}

/* The same of any packet. */
static __always_inline __u32 emit_tunnel(struct packet *p, const struct ethernet_header *ethernet,
					 const struct real_server *server, __u32 number, __u32 verdict)
{
	if (!is_ours(p, ethernet, server->interface, mac_word(server->source_mac)))
		return RIPTIDE_PASS_OTHER_HOST;
	return send_tunnel(p, server, number, verdict);
}
