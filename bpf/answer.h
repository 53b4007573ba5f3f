/* SPDX-License-Identifier: GPL-2.0-only */
/* Answers that the balancer gives itself, in the VIP's name, out of the packet that asked for them: TCP resets and ICMP errors. */
#pragma once

#include "checksum.h"
#include "link.h"

/* Octets of the packet that an ICMP error quotes: its headers, and enough for the sender to know the connection. */
#define QUOTED 96

/* Whether the address may be one host's: no group's, and not unspecified. */
static __always_inline int is_host(__u8 *address)
{
	if (is_ipv4_mapped(address))
		return address[12] < 224 && *(__u32 *)(address + 12);
	return address[0] != 0xff && (address_words(address)[0] || address_words(address)[1]);
}

/* The frame goes back to where it came from. */
static __always_inline void turn_round(struct packet *p, struct ethernet_header *ethernet)
{
	__u8 mac[6] __attribute__((aligned(4)));

	copy_mac(mac, ethernet->destination);
	copy_mac(ethernet->destination, ethernet->source);
	copy_mac(ethernet->source, mac);
	p->action = XDP_TX;
}

/* Makes the frame `length` octets long from the IP header on; all of its buffers count, if it has several. */
static __always_inline int set_length(struct packet *p, __u32 length)
{
	__s64 present = bpf_xdp_get_buff_len(p->xdp);

	return bpf_xdp_adjust_tail(p->xdp, (int)((p->l3 & 0x3f) + length - present));
}

static __always_inline __u64 sum_words(const __u32 *words, int count)
{
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

static __always_inline void write_ipv4(struct iphdr *ip, __be32 source, __be32 destination, __u32 length, __u32 protocol)
{
	ip->version = 4;
	ip->ihl = 5;
	ip->tos = 0;
	ip->tot_len = bpf_htons(length);
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = 64;
	ip->protocol = protocol;
	ip->check = 0;
	ip->saddr = source;
	ip->daddr = destination;
	ip->check = ~fold_sum(sum_words((const __u32 *)ip, sizeof(*ip) / 4));
}

static __always_inline void write_ipv6(struct ipv6hdr *ip, const void *source, const void *destination, __u32 length,
				       __u32 protocol)
{
	*(__be32 *)ip = bpf_htonl(6u << 28);
	ip->payload_len = bpf_htons(length);
	ip->nexthdr = protocol;
	ip->hop_limit = 64;
	copy_address(&ip->saddr, source);
	copy_address(&ip->daddr, destination);
}

static __always_inline __u64 pseudo_sum(const struct packet *p, __u32 length, __u32 protocol)
{
	return network_sum(p->key.source) + network_sum(p->key.destination) + bpf_htons(length) + bpf_htons(protocol);
}

/* Answers a TCP segment by a reset (RFC 9293 §3.5.2), as its receiver would. Never another reset. */
static __noinline __u32 answer_reset(struct packet *p, __u32 verdict)
{
	__u32 l3 = p->l3 & 0x3f, l4 = p->l4 & 0x7fff;
	int ipv4 = is_ipv4_mapped(p->key.source);
	struct tcphdr *tcp = packet_begin(p) + l4;
	struct ethernet_header *ethernet;
	__be32 sequence = 0, acknowledged = 0;
	void *network;
	__u32 header, flags;

	if ((void *)(tcp + 1) > packet_end(p))
		return RIPTIDE_DROP_MALFORMED;
	if (p->tcp_flags & TCP_RST)
		return verdict == RIPTIDE_REPLY_RESET ? RIPTIDE_DROP_SERVER_GONE : RIPTIDE_DROP_NO_SERVER;
	if (p->tcp_flags & TCP_ACK) {
		sequence = tcp->ack_seq;
		flags = TCP_RST;
	} else {
		__u32 length = p->length - (l4 - p->l3) - tcp->doff * 4;

		length += !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
		acknowledged = bpf_htonl(bpf_ntohl(tcp->seq) + length);
		flags = TCP_RST | TCP_ACK;
	}
	header = ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	if (set_length(p, header + sizeof(*tcp)))
		return RIPTIDE_DROP_NO_ROOM;
	ethernet = packet_begin(p);
	network = packet_begin(p) + l3;
	if ((void *)(ethernet + 1) > packet_end(p) || network + sizeof(struct iphdr) + sizeof(*tcp) > packet_end(p) ||
	    network + header + sizeof(*tcp) > packet_end(p))
		return RIPTIDE_DROP_NO_ROOM;
	turn_round(p, ethernet);
	tcp = network + header;
	if (ipv4)
		write_ipv4(network, address_words(p->key.destination)[1] >> 32,
			   address_words(p->key.source)[1] >> 32, header + sizeof(*tcp), IPPROTO_TCP);
	else
		write_ipv6(network, p->key.destination, p->key.source, sizeof(*tcp), IPPROTO_TCP);
	tcp->source = p->key.destination_port;
	tcp->dest = p->key.source_port;
	tcp->seq = sequence;
	tcp->ack_seq = acknowledged;
	((__u16 *)tcp)[6] = bpf_htons(5 << 12 | flags);
	tcp->window = 0;
	tcp->check = 0;
	tcp->urg_ptr = 0;
	tcp->check = ~fold_sum(pseudo_sum(p, sizeof(*tcp), IPPROTO_TCP) + sum_words((const __u32 *)tcp, sizeof(*tcp) / 4));
	return verdict;
}

/* Types and codes of RFC 792 and RFC 4443. */
#define ICMP_UNREACHABLE 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER_PROBLEM 12
#define ICMP_CODE_PORT 3
#define ICMP_CODE_TOO_BIG 4
#define ICMPV6_UNREACHABLE 1
#define ICMPV6_TOO_BIG 2
#define ICMPV6_TIME_EXCEEDED 3
#define ICMPV6_CODE_PORT 4

/* What an ICMP error says; its numbers differ between the families. */
enum complaint {
	TOO_BIG,      /* RFC 1191, RFC 8201 */
	TIME_OUT,     /* time to live exceeded in transit */
	PORT_REFUSED, /* port unreachable */
};

struct icmp_error {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 value;
};

static __always_inline __u32 complaint_type(enum complaint complaint, int ipv4)
{
	switch (complaint) {
	case TOO_BIG:
		return ipv4 ? ICMP_UNREACHABLE << 8 | ICMP_CODE_TOO_BIG : ICMPV6_TOO_BIG << 8;
	case TIME_OUT:
		return ipv4 ? ICMP_TIME_EXCEEDED << 8 : ICMPV6_TIME_EXCEEDED << 8;
	default:
		return ipv4 ? ICMP_UNREACHABLE << 8 | ICMP_CODE_PORT : ICMPV6_UNREACHABLE << 8 | ICMPV6_CODE_PORT;
	}
}

/*
 * Tells the sender of the packet what is wrong, in the name of the address that it was sent to. Of the packet as much is
 * quoted as tells which it was: what is longer than QUOTED octets is cut.
 */
static __noinline __u32 answer_error(struct packet *p, enum complaint complaint, __u32 mtu, __u32 verdict)
{
	__u32 l3 = p->l3 & 0x3f, quoted = p->length < QUOTED ? p->length & ~3u : QUOTED;
	int ipv4 = is_ipv4_mapped(p->key.source);
	__u32 header = ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	__u32 type = complaint_type(complaint, ipv4);
	struct ethernet_header *ethernet;
	struct icmp_error *error;
	void *network;
	__u32 front = header + sizeof(*error);
	__u64 head, middle, tail, sum;
	__u32 *word;

	/* No error is sent about a later fragment (RFC 1122 §3.2.2). */
	if (p->fragment == LATER_FRAGMENT)
		return complaint == TOO_BIG ? RIPTIDE_DROP_TOO_BIG : RIPTIDE_DROP_EXPIRED;
	if (set_length(p, quoted))
		return RIPTIDE_DROP_NO_ROOM;
	ethernet = packet_begin(p);
	if ((void *)ethernet + 24 > packet_end(p))
		return RIPTIDE_DROP_NO_ROOM;
	turn_round(p, ethernet);
	head = ((__u64 *)ethernet)[0];
	middle = ((__u64 *)ethernet)[1];
	tail = ((__u64 *)ethernet)[2];
	if (bpf_xdp_adjust_head(p->xdp, -(int)front))
		return RIPTIDE_DROP_NO_ROOM;
	ethernet = packet_begin(p);
	network = packet_begin(p) + l3;
	/* With what is quoted, IPv4 is at least as long. */
	if ((void *)ethernet + 24 > packet_end(p) || network + sizeof(struct ipv6hdr) + sizeof(*error) > packet_end(p))
		return RIPTIDE_DROP_NO_ROOM;
	error = network + header;
	((__u64 *)ethernet)[0] = head;
	((__u64 *)ethernet)[1] = middle;
	/* What belongs to the IP header is written after this. */
	((__u64 *)ethernet)[2] = tail;
	if (ipv4)
		write_ipv4(network, address_words(p->key.destination)[1] >> 32, address_words(p->key.source)[1] >> 32,
			   front + quoted, IPPROTO_ICMP);
	else
		write_ipv6(network, p->key.destination, p->key.source, sizeof(*error) + quoted, IPPROTO_ICMPV6);
	*(__u32 *)error = bpf_htonl(type << 16);
	error->value = bpf_htonl(mtu);
	sum = ipv4 ? 0 : pseudo_sum(p, sizeof(*error) + quoted, IPPROTO_ICMPV6);
	word = (__u32 *)error;
	for (__u32 i = 0; i < (sizeof(*error) + QUOTED) / 4; i++, word++) {
		if ((void *)(word + 1) > packet_end(p))
			break;
		sum += *word;
	}
	error->checksum = ~fold_sum(sum);
	return verdict;
}
