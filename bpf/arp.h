/* SPDX-License-Identifier: GPL-2.0-only */
/* ARP and IPv6 neighbour solicitations for VIPs, answered here alone, and only while this node owns them. */
#pragma once


#include "link.h"
#include "service.h"

#define ARP_ETHERNET 1
#define ARP_REQUEST 1
#define ARP_REPLY 2

struct arp_packet {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender_address[4];
	__u8 target_mac[6];
	__u8 target_address[4];
};

static __always_inline int owns_vips(const struct packet *p)
{
	__u32 zero = 0;
	struct node *self = bpf_map_lookup_elem(&node, &zero);

	return self && self->active && (!self->lease_until || p->now < self->lease_until);
}

static __always_inline struct interface *ingress_interface(const struct packet *p)
{
	return own_interface(p->xdp->ingress_ifindex);
}

/* Whether a question is for this machine: to all, to a group, or to the interface. A switch may flood what is another's. */
static __always_inline int asks_us(const __u8 *destination, const struct interface *interface)
{
	return destination[0] & 1 || same_mac(destination, interface->mac);
}

static __noinline __u32 answer_arp(struct packet *p)
{
	struct ethernet_header *ethernet = packet_begin(p);
	struct arp_packet *arp = packet_begin(p) + (p->l3 & 0x3f);
	__u8 target[16] __attribute__((aligned(8)));
	struct interface *interface;
	__be32 asked;

	if ((void *)(ethernet + 1) > packet_end(p) || (void *)(arp + 1) > packet_end(p))
		return RIPTIDE_PASS_NEIGHBOUR;
	if (arp->hardware != bpf_htons(ARP_ETHERNET) || arp->protocol != bpf_htons(ETH_P_IP) || arp->hardware_length != 6 ||
	    arp->protocol_length != 4 || arp->operation != bpf_htons(ARP_REQUEST))
		return RIPTIDE_PASS_NEIGHBOUR;
	asked = *(__be32 *)arp->target_address;
	store_ipv4(target, asked);
	interface = ingress_interface(p);
	if (!interface || !asks_us(ethernet->destination, interface) || !find_vip(target))
		return RIPTIDE_PASS_NEIGHBOUR;
	/* An announcement (RFC 5227) asks for the sender's own address: another node's word, not a question. */
	if (*(__be32 *)arp->sender_address == asked)
		return RIPTIDE_PASS_NEIGHBOUR;
	if (!owns_vips(p))
		return RIPTIDE_DROP_NOT_ACTIVE;

	copy_mac(ethernet->destination, arp->sender_mac);
	copy_mac(ethernet->source, interface->mac);
	arp->operation = bpf_htons(ARP_REPLY);
	copy_mac(arp->target_mac, arp->sender_mac);
	*(__be32 *)arp->target_address = *(__be32 *)arp->sender_address;
	copy_mac(arp->sender_mac, interface->mac);
	*(__be32 *)arp->sender_address = asked;
	p->action = XDP_TX;
	return RIPTIDE_REPLY_ARP;
}

/* A neighbour solicitation or advertisement with one link-layer address option (RFC 4861 §4.3, §4.4, §4.6.1). */
struct neighbour_message {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 flags;
	__u8 target[16];
	__u8 option_type;
	__u8 option_length;
	__u8 option_mac[6];
};

#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_TARGET_LINK_LAYER 2
#define ND_SOLICITED 0x40000000
#define ND_OVERRIDE 0x20000000

/* The ones' complement sum of 16-bit words that RFC 4443 §2.3 asks for, of an advertisement whose checksum field is 0. */
static __always_inline __be16 nd_checksum(const struct ipv6hdr *ip, const struct neighbour_message *message)
{
	const __u16 *words = (const void *)&ip->saddr;
	__u32 sum = bpf_htons(sizeof(*message)) + bpf_htons(IPPROTO_ICMPV6);

#pragma unroll
	for (int i = 0; i < 16; i++)
		sum += words[i];
	words = (const void *)message;
#pragma unroll
	for (int i = 0; i < (int)sizeof(*message) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __noinline __u32 answer_neighbour_solicitation(struct packet *p)
{
	struct ethernet_header *ethernet = packet_begin(p);
	__u32 l3 = p->l3 & 0x3f;
	struct ipv6hdr *ip = packet_begin(p) + l3;
	struct neighbour_message *message = (void *)(ip + 1);
	__u8 target[16] __attribute__((aligned(8)));
	__u64 *asker = address_words(p->key.source);
	struct interface *interface;
	__s64 room;
	int probe;

	/* The shortest solicitation has no option. */
	if ((void *)(ethernet + 1) > packet_end(p) || (void *)&message->option_type > packet_end(p))
		return RIPTIDE_PASS_PROTOCOL;
	/* The protocol number may have come with IPv4, too. */
	if (ip->version != 6 || ip->nexthdr != IPPROTO_ICMPV6)
		return RIPTIDE_PASS_PROTOCOL;
	if (message->type != ND_SOLICITATION && message->type != ND_ADVERTISEMENT)
		return RIPTIDE_PASS_PROTOCOL;
	if (message->type != ND_SOLICITATION || message->code != 0 || ip->hop_limit != 255)
		return RIPTIDE_PASS_NEIGHBOUR;
	copy_address(target, message->target);
	interface = ingress_interface(p);
	if (!interface || !asks_us(ethernet->destination, interface) || is_ipv4_mapped(target) || !find_vip(target))
		return RIPTIDE_PASS_NEIGHBOUR;
	if (!owns_vips(p))
		return RIPTIDE_DROP_NOT_ACTIVE;

	/* Whatever options the question had, the answer has one: our MAC address. */
	room = bpf_xdp_get_buff_len(p->xdp);
	if (bpf_xdp_adjust_tail(p->xdp, l3 + sizeof(*ip) + sizeof(*message) - room))
		return RIPTIDE_DROP_NO_ROOM;
	ethernet = packet_begin(p);
	ip = packet_begin(p) + l3;
	message = (void *)(ip + 1);
	if ((void *)(ethernet + 1) > packet_end(p) || (void *)(message + 1) > packet_end(p))
		return RIPTIDE_DROP_NO_ROOM;

	/* Duplicate address detection asks from ::, and all nodes shall hear that the address is taken. */
	probe = asker[0] == 0 && asker[1] == 0;
	if (probe) {
		static const __u8 all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

		copy_mac(ethernet->destination, all_nodes_mac);
		__builtin_memset(&ip->daddr, 0, 16);
		ip->daddr.in6_u.u6_addr8[0] = 0xff;
		ip->daddr.in6_u.u6_addr8[1] = 2;
		ip->daddr.in6_u.u6_addr8[15] = 1;
	} else {
		copy_mac(ethernet->destination, ethernet->source);
		copy_address(&ip->daddr, asker);
	}
	copy_mac(ethernet->source, interface->mac);
	copy_address(&ip->saddr, target);
	ip->payload_len = bpf_htons(sizeof(*message));
	message->type = ND_ADVERTISEMENT;
	message->flags = bpf_htonl(probe ? ND_OVERRIDE : ND_SOLICITED | ND_OVERRIDE);
	message->option_type = ND_TARGET_LINK_LAYER;
	message->option_length = 1;
	copy_mac(message->option_mac, interface->mac);
	message->checksum = 0;
	message->checksum = nd_checksum(ip, message);
	p->action = XDP_TX;
	return RIPTIDE_REPLY_ND;
}
