/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors about flows: what a router or an end says of a packet that it got. The packet that it quotes tells the flow; the
 * error goes on to whom it concerns, with addresses and ports, outside and inside, as that end knows them.
 */
#pragma once

#include "answer.h"
#include "flow.h"

/* The packet that an error quotes, as far as it is read: without options and extension headers between. */
struct quotation {
	struct flow_key key; /* as it stands there: the flow's, seen from the other end */
	__u32 l4;            /* offset of the quoted ports in the frame */
};

static __always_inline int is_error(const struct icmp_error *error, int ipv4)
{
	if (ipv4)
		return error->type == ICMP_UNREACHABLE || error->type == ICMP_TIME_EXCEEDED ||
		       error->type == ICMP_PARAMETER_PROBLEM || error->type == ICMP_SOURCE_QUENCH;
	return error->type < 128;
}

/* An error behind more extension headers than that is left to the kernel: offsets in it stay below the masks. */
#define FURTHEST_ERROR 1024

/* Reads what an error quotes; answers whether it is one, about TCP or UDP, of the family that carries it. */
static __always_inline int read_quotation(struct packet *p, struct quotation *q, int ipv4)
{
	__u32 inner = (p->l4 & 0x7ff) + sizeof(struct icmp_error);
	struct icmp_error *error = packet_begin(p) + (p->l4 & 0x7ff);
	struct iphdr *ip = packet_begin(p) + inner;
	struct ipv6hdr *ip6 = packet_begin(p) + inner;
	__u32 *ports;

	if (p->l4 > FURTHEST_ERROR || (void *)(error + 1) > packet_end(p) || !is_error(error, ipv4))
		return 0;
	if (ipv4) {
		if ((void *)(ip + 1) > packet_end(p) || ip->version != 4 || ip->ihl < 5 || !has_ports(ip->protocol) ||
		    ip->frag_off & bpf_htons(0x1fff))
			return 0;
		store_ipv4(q->key.source, ip->saddr);
		store_ipv4(q->key.destination, ip->daddr);
		q->l4 = inner + ip->ihl * 4;
		store_ports(&q->key, 0, ip->protocol);
	} else {
		if ((void *)(ip6 + 1) > packet_end(p) || ip6->version != 6 || !has_ports(ip6->nexthdr))
			return 0;
		copy_address(q->key.source, &ip6->saddr);
		copy_address(q->key.destination, &ip6->daddr);
		q->l4 = inner + sizeof(*ip6);
		store_ports(&q->key, 0, ip6->nexthdr);
	}
	ports = packet_begin(p) + (q->l4 & 0x7ff);
	/* What lies behind the packet's end is not quoted. */
	if ((void *)(ports + 2) > packet_end(p) || q->l4 + 8 > p->l3 + p->length)
		return 0;
	store_ports(&q->key, *ports, q->key.protocol);
	return 1;
}

/* The 5-tuple of the packets that go the other way. */
static __always_inline void reverse_key(struct flow_key *to, const struct flow_key *from)
{
	copy_address(to->source, from->destination);
	copy_address(to->destination, from->source);
	store_ports(to, from->destination_port | (__u32)from->source_port << 16, from->protocol);
}

/* What is to be changed in an error: its own addresses, and those of the packet that it quotes. */
struct correction {
	const __u64 *source; /* null: stays */
	const __u64 *destination;
	const __u64 *quoted_source;
	const __u64 *quoted_destination;
	__u32 quoted_ports;
};

/*
 * Corrects the checksum of the quoted TCP or UDP, if it is in the quotation, by what the sum of addresses and ports changed.
 * Answers by what that changes the sum of the ICMP message.
 */
static __noinline __u16 correct_quoted_checksum(struct packet *p, const struct quotation *q, __u16 delta)
{
	int tcp = q->key.protocol == IPPROTO_TCP;
	__u32 offset = q->l4 + (tcp ? 16 : 6);
	__u16 *check = packet_begin(p) + (offset & 0x7ff);
	__u16 before;

	if ((void *)(check + 1) > packet_end(p) || offset + 2 > p->l3 + p->length || (!tcp && !*check))
		return 0;
	before = *check;
	*check = adjust_checksum(before, delta);
	if (!tcp && !*check)
		*check = 0xffff;
	return fold_sum((__u64)*check + (__u16)~before);
}

/* Whether the error may go on, as any packet that is forwarded. */
static __always_inline int has_time(struct packet *p, int ipv4)
{
	struct iphdr *ip = packet_begin(p) + (p->l3 & 0x3f);

	return (void *)(ip + 1) <= packet_end(p) && (ipv4 ? ip->ttl : ((struct ipv6hdr *)ip)->hop_limit) > 1;
}

static __always_inline void correct_ipv4(struct packet *p, const struct correction *c, const struct quotation *q)
{
	struct iphdr *ip = packet_begin(p) + (p->l3 & 0x3f);
	struct icmp_error *error = packet_begin(p) + (p->l4 & 0x7ff);
	struct iphdr *inner = (void *)(error + 1);
	__u32 *ports = packet_begin(p) + (q->l4 & 0x7ff);
	__u64 before, after;
	__u16 delta;

	if ((void *)(ip + 1) > packet_end(p) || (void *)(inner + 1) > packet_end(p) || (void *)(ports + 1) > packet_end(p))
		return;
	before = (__u64)ip->saddr + ip->daddr;
	ip->ttl -= 1;
	if (c->source)
		ip->saddr = c->source[1] >> 32;
	ip->daddr = c->destination[1] >> 32;
	ip->check = adjust_checksum(ip->check, fold_sum((__u64)ip->saddr + ip->daddr + (__u16)~fold_sum(before)) + TTL_DELTA);

	/* The quoted header's own checksum follows its addresses, so for ICMP's the two changes cancel. */
	before = (__u64)inner->saddr + inner->daddr;
	after = (c->quoted_source[1] >> 32) + (c->quoted_destination[1] >> 32);
	inner->saddr = c->quoted_source[1] >> 32;
	inner->daddr = c->quoted_destination[1] >> 32;
	inner->check = adjust_checksum(inner->check, fold_sum(after + (__u16)~fold_sum(before)));
	delta = fold_sum((__u64)c->quoted_ports + (__u16)~fold_sum(*ports));
	error->checksum = adjust_checksum(error->checksum, delta);
	delta = fold_sum((__u64)delta + fold_sum(after + (__u16)~fold_sum(before)));
	*ports = c->quoted_ports;
	delta = correct_quoted_checksum(p, q, delta);
	error = packet_begin(p) + (p->l4 & 0x7ff);
	if ((void *)(error + 1) > packet_end(p))
		return;
	error->checksum = adjust_checksum(error->checksum, delta);
}

static __always_inline void correct_ipv6(struct packet *p, const struct correction *c, const struct quotation *q)
{
	struct ipv6hdr *ip = packet_begin(p) + (p->l3 & 0x3f);
	struct icmp_error *error = packet_begin(p) + (p->l4 & 0x7ff);
	struct ipv6hdr *inner = (void *)(error + 1);
	__u32 *ports = packet_begin(p) + (q->l4 & 0x7ff);
	__u64 before, quoted_before;
	__u16 delta, outer;

	if ((void *)(ip + 1) > packet_end(p) || (void *)(inner + 1) > packet_end(p) || (void *)(ports + 1) > packet_end(p))
		return;
	ip->hop_limit -= 1;
	before = address_sum(&ip->saddr) + address_sum(&ip->daddr);
	quoted_before = address_sum(&inner->saddr) + address_sum(&inner->daddr) + *ports;
	if (c->source)
		copy_address(&ip->saddr, c->source);
	copy_address(&ip->daddr, c->destination);
	copy_address(&inner->saddr, c->quoted_source);
	copy_address(&inner->daddr, c->quoted_destination);
	*ports = c->quoted_ports;
	delta = fold_sum(address_sum(&inner->saddr) + address_sum(&inner->daddr) + *ports + (__u16)~fold_sum(quoted_before));
	outer = fold_sum(address_sum(&ip->saddr) + address_sum(&ip->daddr) + (__u16)~fold_sum(before));
	outer = fold_sum((__u64)outer + delta + correct_quoted_checksum(p, q, delta));
	error = packet_begin(p) + (p->l4 & 0x7ff);
	if ((void *)(error + 1) > packet_end(p))
		return;
	error->checksum = adjust_checksum(error->checksum, outer);
}

static __always_inline void correct(struct packet *p, const struct correction *c, const struct quotation *q, int ipv4)
{
	if (ipv4)
		correct_ipv4(p, c, q);
	else
		correct_ipv6(p, c, q);
}

/* From the client's side, about what the real server sent: on to the real server. */
static __always_inline __u32 error_to_server(struct packet *p, struct ethernet_header *ethernet, const struct found *found,
					     const struct real_server *server, __u32 number, const struct quotation *q, int ipv4)
{
	struct translation *translation;
	struct correction c = {};

	if (found->flow->mode == RIPTIDE_MODE_DR)
		return send_dr(p, ethernet, server, RIPTIDE_FORWARD_ERROR);
	if (found->flow->mode == RIPTIDE_MODE_TUNNEL)
		return send_tunnel(p, server, number, RIPTIDE_FORWARD_ERROR);
	translation = translation_at(found->place);
	if (!translation)
		return RIPTIDE_DROP_TABLE_CHANGING;
	if (!server->interface)
		return RIPTIDE_DROP_NO_NEIGHBOUR;
	/* The sender keeps its address, which tells the real server where on the way it stands. */
	c.destination = (const __u64 *)translation->destination;
	c.quoted_source = (const __u64 *)translation->destination;
	c.quoted_destination = (const __u64 *)translation->source;
	c.quoted_ports = translation->destination_port | (__u32)translation->source_port << 16;
	if (!has_time(p, ipv4))
		return RIPTIDE_DROP_EXPIRED;
	correct(p, &c, q, ipv4);
	leave(p, ethernet, mac_word(server->mac), mac_word(server->source_mac), server->interface);
	return RIPTIDE_FORWARD_ERROR;
}

/* From the real server's side, about what the client sent: on to the client. */
static __always_inline __u32 error_to_client(struct packet *p, struct ethernet_header *ethernet, const struct found *found,
					     const struct quotation *q, int ipv4)
{
	struct translation *translation = translation_at(found->place);
	const struct flow_key *key = &found->flow->key;
	struct correction c = {};

	if (!translation)
		return RIPTIDE_DROP_TABLE_CHANGING;
	/* The real server itself speaks as the VIP; a router on the way to it, too, since the client cannot know it. */
	c.source = (const __u64 *)key->destination;
	c.destination = (const __u64 *)key->source;
	c.quoted_source = (const __u64 *)key->source;
	c.quoted_destination = (const __u64 *)key->destination;
	c.quoted_ports = key->source_port | (__u32)key->destination_port << 16;
	if (!has_time(p, ipv4))
		return RIPTIDE_DROP_EXPIRED;
	correct(p, &c, q, ipv4);
	leave(p, ethernet, mac_word(translation->client_mac), mac_word(translation->own_mac), translation->client_interface);
	return RIPTIDE_FORWARD_ERROR;
}

/*
 * An ICMP error about a flow goes on; RIPTIDE_PASS_PROTOCOL if it is no error or about no flow, which the kernel may know more
 * of.
 */
static __noinline __u32 relay_error(struct packet *p)
{
	struct ethernet_header *ethernet = packet_begin(p);
	int ipv4 = is_ipv4_mapped(p->key.source);
	struct assignment assigned;
	struct quotation q __attribute__((aligned(8)));
	struct flow_key key __attribute__((aligned(8)));
	struct found found;
	__u64 name;

	if ((void *)(ethernet + 1) > packet_end(p) || p->fragment || !read_quotation(p, &q, ipv4))
		return RIPTIDE_PASS_PROTOCOL;
	if (!addressed_to_us(p, ethernet->destination))
		return RIPTIDE_PASS_OTHER_HOST;
	/* A packet of the real server is quoted by the client's side: turned round it is one of the client's. */
	reverse_key(&key, &q.key);
	name = name_flow(&key, settings.secret);
	p->name = name;
	found = flow_find(&key, name);
	if (!found.flow && settings.beginning_buckets)
		found = beginning_find(&key, name);
	if (found.flow) {
		assigned = flow_server(&found);
		if (!is_served(&assigned))
			return RIPTIDE_PASS_PROTOCOL;
		return error_to_server(p, ethernet, &found, assigned.server, assigned.number, &q, ipv4);
	}
	if (!settings.beginning_buckets)
		return RIPTIDE_PASS_PROTOCOL;
	found = answer_find(&key, name);
	if (!found.flow)
		return RIPTIDE_PASS_PROTOCOL;
	return error_to_client(p, ethernet, &found, &q, ipv4);
}

/* A path that carries less than this is none (RFC 791, RFC 8200 §5): who says so may be lying. */
#define LEAST_MTU_IPV4 576
#define LEAST_MTU_IPV6 1280

/* Offset of the packet inside a tunnel's packet that an error quotes, and where that went; 0 if it is none of ours. */
static __always_inline __u32 quoted_tunnel(struct packet *p, int ipv4, __u64 *server)
{
	__u32 outer = (p->l4 & 0x7ff) + sizeof(struct icmp_error), inner;
	struct iphdr *ip = packet_begin(p) + outer;
	struct ipv6hdr *ip6 = packet_begin(p) + outer;
	struct outer_udp *udp;
	__u32 protocol;

	if (ipv4) {
		if ((void *)(ip + 1) > packet_end(p) || *(__u8 *)ip != 0x45)
			return 0;
		protocol = ip->protocol;
		store_ipv4((__u8 *)server, ip->daddr);
		inner = outer + sizeof(*ip);
	} else {
		if ((void *)(ip6 + 1) > packet_end(p) || ip6->version != 6)
			return 0;
		protocol = ip6->nexthdr;
		copy_address(server, &ip6->daddr);
		inner = outer + sizeof(*ip6);
	}
	if (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6)
		return inner;
	udp = packet_begin(p) + (inner & 0x7ff);
	if (protocol != IPPROTO_UDP || (void *)(udp + 1) > packet_end(p) || udp->destination != bpf_htons(RIPTIDE_GUE_PORT))
		return 0;
	return inner + sizeof(*udp);
}

/* The 5-tuple of the packet at this offset, without options and extension headers; answers whether it could be read. */
static __always_inline int read_inner(struct packet *p, __u32 offset, struct flow_key *key)
{
	struct iphdr *ip = packet_begin(p) + (offset & 0x7ff);
	struct ipv6hdr *ip6 = packet_begin(p) + (offset & 0x7ff);
	__u32 *ports;

	if ((void *)(ip + 1) > packet_end(p))
		return 0;
	if (*(__u8 *)ip == 0x45) {
		store_ipv4(key->source, ip->saddr);
		store_ipv4(key->destination, ip->daddr);
		ports = (void *)(ip + 1);
		if ((void *)(ports + 1) > packet_end(p))
			return 0;
		store_ports(key, *ports, ip->protocol);
		return 1;
	}
	ports = (void *)(ip6 + 1);
	if ((void *)(ports + 1) > packet_end(p) || ip6->version != 6)
		return 0;
	copy_address(key->source, &ip6->saddr);
	copy_address(key->destination, &ip6->daddr);
	store_ports(key, *ports, ip6->nexthdr);
	return 1;
}

/*
 * A router on the way to a real server says that a tunnel's packet was too long for it: what it takes is remembered, and the
 * next client that sends too much is told. Only of a packet of a flow that is known, to the server that has it.
 */
static __noinline int learn_path_mtu(struct packet *p)
{
	int ipv4 = is_ipv4_mapped(p->key.source);
	struct icmp_error *error = packet_begin(p) + (p->l4 & 0x7ff);
	struct flow_key key __attribute__((aligned(8)));
	__u64 address[2];
	struct assignment assigned;
	struct server_load *load;
	struct found found;
	__u32 inner, mtu, number;

	if (p->fragment || (void *)(error + 1) > packet_end(p))
		return 0;
	if (ipv4 ? error->type != ICMP_UNREACHABLE || error->code != ICMP_CODE_TOO_BIG : error->type != ICMPV6_TOO_BIG)
		return 0;
	mtu = bpf_ntohl(error->value);
	if (mtu < (ipv4 ? LEAST_MTU_IPV4 : LEAST_MTU_IPV6))
		return 0;
	inner = quoted_tunnel(p, ipv4, address);
	if (!inner || !read_inner(p, inner, &key))
		return 0;
	found = flow_find(&key, name_flow(&key, settings.secret));
	if (!found.flow || found.flow->mode != RIPTIDE_MODE_TUNNEL)
		return 0;
	assigned = flow_server(&found);
	number = assigned.number;
	load = bpf_map_lookup_elem(&server_loads, &number);
	if (!load || !is_served(&assigned) || ((__u64 *)assigned.server->address)[0] != address[0] ||
	    ((__u64 *)assigned.server->address)[1] != address[1])
		return 0;
	if (!load->path_mtu || mtu < load->path_mtu)
		load->path_mtu = mtu;
	return 1;
}
