/* SPDX-License-Identifier: GPL-2.0-only */
/* The packet in hand: one struct that every stage reads and that the stages fill in turn. */
#pragma once

#include "maps.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Only names what is meant: the compiler must store or load the whole word at once. */
#define WORD64(pointer) (*(volatile __u64 *)(pointer))
#define WORD32(pointer) (*(volatile __u32 *)(pointer))

enum fragment_part {
	NO_FRAGMENT,
	FIRST_FRAGMENT,
	LATER_FRAGMENT,
};

struct packet {
	struct xdp_md *xdp;
	__u64 now;           /* jiffies */
	struct flow_key key; /* set as far as the headers could be read */
	__u64 name;          /* of the key, of a packet with ports */
	__u32 l3;            /* offset of the IP header or of the ARP packet */
	__u32 l4;            /* offset of the TCP, UDP or ICMP header, if it is in this packet */
	__u32 length;        /* of the IP packet, as its header says */
	__u32 tcp_flags;     /* 0 for UDP */
	__u32 action;        /* XDP_* of a packet that is forwarded or answered */
	__u32 vlan;          /* of the outer tag; 0 without one */
	__u32 limit;         /* octets that fit, of a packet that is too long */
	__u32 fragment;      /* enum fragment_part */
	__u32 identification; /* of a fragment */
} __attribute__((aligned(8)));

/* All of struct packet that is no pointer. */
struct packet_facts {
	__u8 octets[sizeof(struct packet) - sizeof(struct xdp_md *)];
};

/*
 * Makes the verifier forget what it knows of the packet's numbers: it takes a global function for one that writes them all.
 * Else it walks what follows once for each way that they may have come about.
 */
__noinline int blur(struct packet_facts *facts)
{
	barrier_var(facts);
	return 0;
}

static __always_inline void blur_packet(struct packet *p)
{
	blur((struct packet_facts *)&p->now);
}

static __always_inline void *packet_begin(const struct packet *p)
{
	return (void *)(long)p->xdp->data;
}

static __always_inline void *packet_end(const struct packet *p)
{
	return (void *)(long)p->xdp->data_end;
}

/* An address of the key as two words; the key is aligned. */
static __always_inline __u64 *address_words(__u8 *address)
{
	return (__u64 *)address;
}

static __always_inline void copy_address(void *to, const void *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

/*
 * The key is written by whole words: the look-up reads it by words at once, and a word that was written in parts would keep
 * the processor waiting. IPv4 as ::ffff:a.b.c.d; `value` is in network order.
 */
static __always_inline void store_ipv4(__u8 *address, __be32 value)
{
	address_words(address)[0] = 0;
	address_words(address)[1] = (__u64)value << 32 | bpf_htonl(0xffff);
}

static __always_inline int is_ipv4_mapped(__u8 *address)
{
	return address_words(address)[0] == 0 && (__u32)address_words(address)[1] == bpf_htonl(0xffff);
}

/* Both ports, as they stand in a header, and the protocol; the rest of the word is zero. */
static __always_inline void store_ports(struct flow_key *key, __u32 ports, __u32 protocol)
{
	*(__u64 *)&key->source_port = (__u64)protocol << 32 | ports;
}

/* MAC addresses, six octets that need not be aligned. */
static __always_inline int same_mac(const void *a, const void *b)
{
	return *(const __u32 *)a == *(const __u32 *)b && *(const __u16 *)(a + 4) == *(const __u16 *)(b + 4);
}

/* A MAC address that the daemon may be changing: its eight-octet word is read whole. */
static __always_inline __u64 mac_word(const __u8 *mac)
{
	return WORD64(mac);
}

static __always_inline int is_mac(const void *octets, __u64 word)
{
	/* Two octets more are read than compared: there is always more of the frame. */
	return (*(const __u64 *)octets ^ word) << 16 == 0;
}

static __always_inline void store_mac(void *to, __u64 word)
{
	*(__u32 *)to = word;
	*(__u16 *)(to + 4) = word >> 32;
}

static __always_inline void copy_mac(void *to, const void *from)
{
	*(__u32 *)to = *(const __u32 *)from;
	*(__u16 *)(to + 4) = *(const __u16 *)(from + 4);
}
