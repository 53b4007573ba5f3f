/* SPDX-License-Identifier: GPL-2.0-only */
/* From the frame to struct packet: Ethernet, up to two VLAN tags, IPv4 with options, IPv6 with extension headers, TCP, UDP. */
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "packet.h"

#define MAX_VLAN_TAGS 2
#define MAX_EXTENSION_HEADERS 8

/* How far the headers could be read. All but PARSED_NOTHING know the destination address. */
enum parsed {
	PARSED_FLOW,      /* the key is complete */
	PARSED_PROTOCOL,  /* neither TCP nor UDP */
	PARSED_FRAGMENT,  /* a later fragment, whose ports are not known */
	PARSED_MALFORMED, /* cut short or contradictory */
	PARSED_NOTHING,
};

/* As ETH_P_*; the kernel's own struct ethhdr is packed, which makes the compiler read it octet by octet. */
struct ethernet_header {
	__u8 destination[6];
	__u8 source[6];
	__be16 type;
};

struct vlan_tag {
	__be16 control;
	__be16 ethertype;
};

/* The ethertype behind the tags, and p->l3; 0 if the frame ends before it. */
static __always_inline __be16 parse_ethernet(struct packet *p)
{
	struct ethernet_header *ethernet = packet_begin(p);
	__u32 offset = sizeof(*ethernet);
	__be16 type;

	p->vlan = 0;

	if ((void *)(ethernet + 1) > packet_end(p))
		return 0;
	type = ethernet->type;
#pragma unroll
	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_tag *tag = packet_begin(p) + offset;

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > packet_end(p))
			return 0;
		type = tag->ethertype;
		if (i == 0)
			p->vlan = bpf_ntohs(tag->control) & 0xfff;
		offset += sizeof(*tag);
	}
	p->l3 = offset;
	return type;
}

static __always_inline int has_ports(__u32 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/* `before` is how much of the IP packet comes before the header: what it says of its own length must leave room for it. */
static __always_inline enum parsed parse_transport(struct packet *p, void *header, __u32 before, __u8 protocol)
{
	struct tcphdr *tcp = header;
	struct udphdr *udp = header;

	p->l4 = p->l3 + before;
	if (protocol == IPPROTO_TCP && (void *)(tcp + 1) <= packet_end(p) && before + sizeof(*tcp) <= p->length) {
		p->tcp_flags = ((__u8 *)tcp)[13];
	} else if (protocol == IPPROTO_UDP && (void *)(udp + 1) <= packet_end(p) && before + sizeof(*udp) <= p->length) {
		p->tcp_flags = 0;
	} else {
		store_ports(&p->key, 0, protocol);
		return has_ports(protocol) ? PARSED_MALFORMED : PARSED_PROTOCOL;
	}
	/* Both ports at once: they stand first in both headers. */
	store_ports(&p->key, *(__u32 *)header, protocol);
	return PARSED_FLOW;
}

static __always_inline enum parsed parse_ipv4(struct packet *p)
{
	struct iphdr *ip = packet_begin(p) + p->l3;
	__u32 header_length;

	if ((void *)(ip + 1) > packet_end(p))
		return PARSED_NOTHING;
	store_ipv4(p->key.source, ip->saddr);
	store_ipv4(p->key.destination, ip->daddr);
	p->length = bpf_ntohs(ip->tot_len);
	/* Version 4 and no options, as nearly all have: one comparison for both. */
	header_length = sizeof(*ip);
	if (*(__u8 *)ip != 0x45) {
		header_length = ip->ihl * 4;
		if (ip->version != 4 || header_length < sizeof(*ip))
			return PARSED_MALFORMED;
	}
	if (p->length < header_length)
		return PARSED_MALFORMED;
	p->fragment = NO_FRAGMENT;
	if (ip->frag_off & bpf_htons(0x3fff)) {
		p->identification = ip->id;
		p->fragment = FIRST_FRAGMENT;
		if (ip->frag_off & bpf_htons(0x1fff)) {
			p->fragment = LATER_FRAGMENT;
			store_ports(&p->key, 0, ip->protocol);
			return has_ports(ip->protocol) ? PARSED_FRAGMENT : PARSED_PROTOCOL;
		}
	}
	return parse_transport(p, (void *)ip + header_length, header_length, ip->protocol);
}

struct extension_header {
	__u8 next;
	__u8 length; /* in units of 8 octets beyond the first 8; of 4 octets less 2 in an authentication header */
	__be16 fragment;
	__be32 identification;
};

/* Offset in a routing header. */
#define SEGMENTS_LEFT 3

/* What lies behind the extension headers: offset of the transport header, its protocol, and whether it may be read. */
struct behind_extensions {
	__u16 offset;
	__u8 protocol;
	__u8 parsed : 4; /* enum parsed */
	__u8 fragment : 4; /* enum fragment_part */
	__u32 identification;
};

/*
 * Walks the extension headers; the result is a struct behind_extensions in one word. A global function: the verifier walks
 * its loop once, apart from all that comes before and after.
 */
__noinline __u64 skip_extension_headers(struct xdp_md *xdp, __u32 offset, __u32 next)
{
	struct behind_extensions behind = {.parsed = PARSED_FLOW};

	for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		struct extension_header *header;

		/* Two tags, IPv6 and eight headers of at most 2 KiB: a bound that the verifier can see. */
		offset &= 0x7fff;
		behind.offset = offset;
		behind.protocol = next;
		switch (next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case IPPROTO_AH:
		case IPPROTO_FRAGMENT:
			break;
		default:
			return *(__u64 *)&behind;
		}
		header = (void *)(long)xdp->data + offset;
		if ((void *)(header + 1) > (void *)(long)xdp->data_end)
			break;
		/* The destination is only the next on the packet's way: nothing here is said of the last (RFC 8200 §4.4). */
		if (next == IPPROTO_ROUTING && ((__u8 *)header)[SEGMENTS_LEFT]) {
			behind.parsed = PARSED_PROTOCOL;
			return *(__u64 *)&behind;
		}
		if (next == IPPROTO_FRAGMENT) {
			/* An atomic fragment (RFC 6946) is a whole packet; only the first of others has what comes next. */
			if (header->fragment & bpf_htons(0xfff9)) {
				behind.identification = header->identification;
				behind.fragment = FIRST_FRAGMENT;
			}
			if (header->fragment & bpf_htons(0xfff8)) {
				behind.fragment = LATER_FRAGMENT;
				behind.parsed = PARSED_FRAGMENT;
				behind.protocol = header->next;
				return *(__u64 *)&behind;
			}
			offset += 8;
		} else if (next == IPPROTO_AH) {
			offset += (header->length + 2) * 4;
		} else {
			offset += (header->length + 1) * 8;
		}
		next = header->next;
	}
	behind.parsed = PARSED_MALFORMED;
	return *(__u64 *)&behind;
}

/* Apart, since few packets come here. */
static __noinline enum parsed parse_extension_headers(struct packet *p, __u32 next)
{
	struct behind_extensions behind;

	*(__u64 *)&behind = skip_extension_headers(p->xdp, p->l3 + sizeof(struct ipv6hdr), next);
	p->fragment = behind.fragment;
	p->identification = behind.identification;
	if (behind.parsed == PARSED_FLOW)
		return parse_transport(p, packet_begin(p) + (behind.offset & 0x7fff), behind.offset - p->l3, behind.protocol);
	store_ports(&p->key, 0, behind.protocol);
	if (behind.parsed == PARSED_FRAGMENT && !has_ports(behind.protocol))
		return PARSED_PROTOCOL;
	return behind.parsed;
}

static __always_inline enum parsed parse_ipv6(struct packet *p)
{
	struct ipv6hdr *ip = packet_begin(p) + p->l3;

	if ((void *)(ip + 1) > packet_end(p))
		return PARSED_NOTHING;
	copy_address(p->key.source, &ip->saddr);
	copy_address(p->key.destination, &ip->daddr);
	/* What stands for IPv4 in the maps must not come in as IPv6; on a wire it never should. */
	if (is_ipv4_mapped(p->key.source) || is_ipv4_mapped(p->key.destination))
		return PARSED_NOTHING;
	p->length = bpf_ntohs(ip->payload_len) + sizeof(*ip);
	p->fragment = NO_FRAGMENT;
	if (ip->version != 6)
		return PARSED_MALFORMED;
	if (ip->nexthdr == IPPROTO_TCP || ip->nexthdr == IPPROTO_UDP)
		return parse_transport(p, ip + 1, sizeof(*ip), ip->nexthdr);
	return parse_extension_headers(p, ip->nexthdr);
}
