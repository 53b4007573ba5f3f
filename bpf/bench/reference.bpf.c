// SPDX-License-Identifier: GPL-2.0-only
/*
 * What Riptide is measured against, in one object:
 *
 *   wrapper     puts the packet back into its first form, then calls one of the programs by tail call. Its own cost, with
 *               `empty` behind it, is taken off all figures.
 *   reference   the least that a load balancer with a flow table can do: parse, one look-up of a 40-byte key in a hash,
 *               rewrite of both MAC addresses, XDP_TX.
 *   generator   makes packets for a run with live frames and sends them out by one interface.
 *   reflect     XDP_TX and nothing else: the most that one interface can do.
 *   redirect    bpf_redirect and nothing else: the most that two interfaces can do.
 *   sink        counts what arrives for one MAC address, and drops it.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define HEADER_SIZE 80 /* Ethernet, IPv6 and TCP fit, and so does IPv4 */
#define TCP_FLAGS_AT 13
#define TCP_SYN 0x02
#define TCP_ACK 0x10

struct packet_template {
	__u8 header[HEADER_SIZE];
	__u32 address_at;   /* offset of the 32-bit word of an address that differs between flows */
	__u32 ports_at;     /* offset of both ports */
	__u32 flow_mask;    /* flows - 1 */
	__u32 first;        /* number of the first packet of the run */
	__u32 begins;       /* not 0: each flow has two packets, a SYN and then an ACK */
	__u32 frame_length; /* not 0: the programs may put a header in front, which is taken off again */
	__u32 program;      /* that the wrapper calls */
	__u32 interface;    /* that the generator sends by */
	__u32 beside;       /* that `redirect` sends by */
	__u32 reserved;     /* zero */
	__u64 sink_mac;     /* six octets, as they lie in memory */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet_template);
} template SEC(".maps");

/* What the packets of a flow have at address_at and ports_at. */
struct flow_words {
	__be32 address;
	__be32 ports;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1048576);
	__type(key, __u32);
	__type(value, struct flow_words);
} flow_words SEC(".maps");

struct counts {
	__u64 made;
	__u64 arrived;
	__u64 strayed;
	/* Of every 4096th arrival: the first such and the last, and how many had arrived by then. */
	__u64 first_time;
	__u64 first_arrived;
	__u64 last_time;
	__u64 last_arrived;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} counted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

struct reference_key {
	__u64 source[2];
	__u64 destination[2];
	__u32 ports;
	__u32 protocol;
};

struct reference_value {
	__u8 mac[6];
	__u16 reserved0;
	__u8 source_mac[6];
	__u16 reserved1;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2097152);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct reference_key);
	__type(value, struct reference_value);
} reference_flows SEC(".maps");

struct ethernet {
	__u8 destination[6];
	__u8 source[6];
	__be16 type;
};

/* Writes the header of the next packet of the round; answers 0 if the packet is too short. */
static __always_inline struct packet_template *restore(struct xdp_md *xdp)
{
	__u32 zero = 0, number, flow;
	struct packet_template *from = bpf_map_lookup_elem(&template, &zero);
	struct counts *counts = bpf_map_lookup_elem(&counted, &zero);
	void *to = (void *)(long)xdp->data, *end = (void *)(long)xdp->data_end;
	void *address, *ports;
	struct flow_words *words;

	if (!from || !counts || to + HEADER_SIZE > end)
		return 0;
	number = from->first + (__u32)counts->made;
	flow = (from->begins ? number >> 1 : number) & from->flow_mask;
	words = bpf_map_lookup_elem(&flow_words, &flow);
	if (!words)
		return 0;
#pragma unroll
	for (int i = 0; i < HEADER_SIZE / 8; i++)
		((__u64 *)to)[i] = ((__u64 *)from->header)[i];
	address = to + (from->address_at & 0x3f);
	ports = to + (from->ports_at & 0x3f);
	if (address + sizeof(__be32) > end || ports + TCP_FLAGS_AT + 1 > end)
		return 0;
	*(__be32 *)address = words->address;
	*(__be32 *)ports = words->ports;
	if (from->begins)
		*(__u8 *)(ports + TCP_FLAGS_AT) = number & 1 ? TCP_ACK : TCP_SYN;
	counts->made += 1;
	return from;
}

/* Takes off what the last run put in front: a call that all programs pay for, whether they did or not. */
static __always_inline void shrink(struct xdp_md *xdp)
{
	__u32 zero = 0;
	struct packet_template *from = bpf_map_lookup_elem(&template, &zero);
	__s64 present = (void *)(long)xdp->data_end - (void *)(long)xdp->data;

	/* Else the compiler would add to a pointer's lower half. */
	barrier_var(present);
	if (from && from->frame_length)
		bpf_xdp_adjust_head(xdp, (int)(present - from->frame_length));
}

SEC("xdp.frags")
int wrapper(struct xdp_md *xdp)
{
	struct packet_template *from;

	shrink(xdp);
	from = restore(xdp);
	if (from)
		bpf_tail_call(xdp, &programs, from->program);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int empty(struct xdp_md *xdp)
{
	return XDP_TX;
}

SEC("xdp.frags")
int reflect(struct xdp_md *xdp)
{
	return XDP_TX;
}

SEC("xdp.frags")
int redirect(struct xdp_md *xdp)
{
	__u32 zero = 0;
	struct packet_template *from = bpf_map_lookup_elem(&template, &zero);

	return from ? bpf_redirect(from->beside, 0) : XDP_ABORTED;
}

static __always_inline int reference_key(struct xdp_md *xdp, struct reference_key *key)
{
	void *end = (void *)(long)xdp->data_end;
	struct ethernet *ethernet = (void *)(long)xdp->data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct ipv6hdr *ip6 = (void *)(ethernet + 1);
	struct tcphdr *tcp;

	if ((void *)(ethernet + 1) > end)
		return 0;
	if (ethernet->type == bpf_htons(0x0800)) {
		if ((void *)(ip + 1) > end || ip->ihl != 5)
			return 0;
		key->source[0] = 0;
		key->source[1] = (__u64)ip->saddr << 32 | bpf_htonl(0xffff);
		key->destination[0] = 0;
		key->destination[1] = (__u64)ip->daddr << 32 | bpf_htonl(0xffff);
		key->protocol = ip->protocol;
		tcp = (void *)(ip + 1);
	} else if (ethernet->type == bpf_htons(0x86dd)) {
		if ((void *)(ip6 + 1) > end)
			return 0;
		key->source[0] = *(__u64 *)&ip6->saddr;
		key->source[1] = ((__u64 *)&ip6->saddr)[1];
		key->destination[0] = *(__u64 *)&ip6->daddr;
		key->destination[1] = ((__u64 *)&ip6->daddr)[1];
		key->protocol = ip6->nexthdr;
		tcp = (void *)(ip6 + 1);
	} else {
		return 0;
	}
	if ((void *)(tcp + 1) > end || key->protocol != IPPROTO_TCP)
		return 0;
	key->ports = *(__u32 *)tcp;
	return 1;
}

SEC("xdp.frags")
int reference(struct xdp_md *xdp)
{
	struct ethernet *ethernet = (void *)(long)xdp->data;
	struct reference_key key;
	struct reference_value *value;

	if (!reference_key(xdp, &key))
		return XDP_PASS;
	value = bpf_map_lookup_elem(&reference_flows, &key);
	if (!value)
		return XDP_PASS;
	if ((void *)(ethernet + 1) > (void *)(long)xdp->data_end)
		return XDP_PASS;
	*(__u32 *)ethernet->destination = *(__u32 *)value->mac;
	*(__u16 *)(ethernet->destination + 4) = *(__u16 *)(value->mac + 4);
	*(__u32 *)ethernet->source = *(__u32 *)value->source_mac;
	*(__u16 *)(ethernet->source + 4) = *(__u16 *)(value->source_mac + 4);
	return XDP_TX;
}

/* Enters the packet's flow into the reference's table. */
SEC("xdp.frags")
int reference_learn(struct xdp_md *xdp)
{
	struct reference_key key;
	struct reference_value value = {.mac = {2, 0, 0, 0, 0, 9}, .source_mac = {2, 0, 0, 0, 0, 1}};

	if (!reference_key(xdp, &key))
		return XDP_PASS;
	bpf_map_update_elem(&reference_flows, &key, &value, BPF_ANY);
	return XDP_TX;
}

SEC("xdp.frags")
int generator(struct xdp_md *xdp)
{
	struct packet_template *from = restore(xdp);

	return from ? bpf_redirect(from->interface, 0) : XDP_ABORTED;
}

SEC("xdp.frags")
int sink(struct xdp_md *xdp)
{
	__u32 zero = 0;
	struct packet_template *wanted = bpf_map_lookup_elem(&template, &zero);
	struct counts *counts = bpf_map_lookup_elem(&counted, &zero);
	__u64 *head = (void *)(long)xdp->data;

	if (!wanted || !counts || (void *)(head + 1) > (void *)(long)xdp->data_end)
		return XDP_DROP;
	if ((*head & 0xffffffffffffULL) == wanted->sink_mac)
		counts->arrived += 1;
	else
		counts->strayed += 1;
	if (!(counts->arrived & 4095)) {
		counts->last_time = bpf_ktime_get_ns();
		counts->last_arrived = counts->arrived;
		if (!counts->first_time) {
			counts->first_time = counts->last_time;
			counts->first_arrived = counts->arrived;
		}
	}
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
