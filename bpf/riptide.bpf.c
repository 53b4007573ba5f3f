// SPDX-License-Identifier: GPL-2.0-only
/* The entry points of the data plane. */
#include "arp.h"
#include "connect.h"
#include "flow.h"
#include "fragment.h"
#include "icmp.h"
#include "parse.h"
#include "sweep.h"
#include "verdict.h"

/* A packet that has no ports to look up: left to the kernel unless it belongs to a flow, or is for a VIP and cannot be right. */
static __noinline __u32 without_ports(struct packet *p, __u32 parsed)
{
	__u32 verdict;

	if (parsed == PARSED_NOTHING)
		return RIPTIDE_PASS_UNPARSED;
	blur_packet(p);
	if (parsed == PARSED_PROTOCOL &&
	    p->key.protocol == (is_ipv4_mapped(p->key.source) ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		verdict = p->key.protocol == IPPROTO_ICMPV6 ? answer_neighbour_solicitation(p) : RIPTIDE_PASS_PROTOCOL;
		if (verdict == RIPTIDE_PASS_PROTOCOL)
			verdict = relay_error(p);
		if (verdict != RIPTIDE_PASS_PROTOCOL)
			return verdict;
		/* The kernel hears of it too. */
		learn_path_mtu(p);
	}
	if (parsed == PARSED_FRAGMENT) {
		verdict = follow_fragment(p);
		if (verdict != RIPTIDE_DROP_FRAGMENT)
			return verdict;
	}
	if (!find_vip(p->key.destination))
		return RIPTIDE_PASS_NOT_VIP;
	if (parsed == PARSED_FRAGMENT)
		return RIPTIDE_DROP_FRAGMENT;
	return parsed == PARSED_PROTOCOL ? RIPTIDE_PASS_PROTOCOL : RIPTIDE_DROP_MALFORMED;
}

/* The drop in the place of an answer that may not be sent. */
static __always_inline __u32 unanswered(__u32 verdict)
{
	switch (verdict) {
	case RIPTIDE_REPLY_TOO_BIG:
		return RIPTIDE_DROP_TOO_BIG;
	case RIPTIDE_REPLY_EXPIRED:
		return RIPTIDE_DROP_EXPIRED;
	case RIPTIDE_REPLY_RESET:
		return RIPTIDE_DROP_SERVER_GONE;
	default:
		return RIPTIDE_DROP_NO_SERVER;
	}
}

/*
 * What the balancer itself has to tell the sender of a packet: nothing about an ICMP error, and nothing to what is no single
 * host (RFC 1122 §3.2.2, RFC 4443 §2.4).
 */
static __noinline __u32 answer(struct packet *p, __u32 verdict)
{
	blur_packet(p);
	if (!has_ports(p->key.protocol) || !is_host(p->key.source))
		return unanswered(verdict);
	switch (verdict) {
	case RIPTIDE_REPLY_TOO_BIG:
		return answer_error(p, TOO_BIG, p->limit, verdict);
	case RIPTIDE_REPLY_EXPIRED:
		return answer_error(p, TIME_OUT, 0, verdict);
	case RIPTIDE_REPLY_RESET:
		return answer_reset(p, verdict);
	default:
		if (p->key.protocol == IPPROTO_TCP)
			return answer_reset(p, verdict);
		return answer_error(p, PORT_REFUSED, 0, verdict);
	}
}

/* A real server's packet, of which the flow did not stand where it is looked for first; else `otherwise`. */
static __noinline __u32 late_answer(struct packet *p, __u32 otherwise)
{
	struct ethernet_header *ethernet = packet_begin(p);
	struct found found = answer_find(&p->key, p->name);
	struct assignment assigned;

	if (!found.flow || (void *)(ethernet + 1) > packet_end(p))
		return otherwise;
	assigned = flow_server(&found);
	return is_served(&assigned) ? answer_packet(p, ethernet, &found, &assigned) : otherwise;
}

/*
 * A packet of no flow, or of one that no longer holds, at the place `stale`. What no service has may be an answer; and what one
 * has, if the service's address is also one that snat speaks from.
 */
static __always_inline __u32 connect(struct packet *p, __u32 stale)
{
	__u32 service = 0;
	__u32 verdict = find_connection(p, stale, &service);

	if (settings.beginning_buckets && stale == NO_PLACE && may_be_answer(verdict, service)) {
		__u32 answered = late_answer(p, RIPTIDE_FORWARD_NEW);

		if (answered != RIPTIDE_FORWARD_NEW)
			return answered;
	}
	return verdict == RIPTIDE_FORWARD_NEW ? begin_connection(p, service) : verdict;
}

static __always_inline __u32 handle(struct packet *p)
{
	struct ethernet_header *ethernet = packet_begin(p);
	struct assignment assigned;
	struct found found;
	enum parsed parsed;
	__u32 stale = NO_PLACE;

	switch (parse_ethernet(p)) {
	case bpf_htons(ETH_P_IP):
		parsed = parse_ipv4(p);
		break;
	case bpf_htons(ETH_P_IPV6):
		parsed = parse_ipv6(p);
		break;
	case bpf_htons(ETH_P_ARP):
		return answer_arp(p);
	default:
		return RIPTIDE_PASS_NOT_IP;
	}
	if (parsed != PARSED_FLOW)
		return without_ports(p, parsed);

	p->name = name_flow(&p->key, settings.secret);
	found = flow_find(&p->key, p->name);
	if (found.flow) {
		assigned = flow_server(&found);
		if (flow_holds(p, found.flow, &assigned))
			return flow_packet(p, ethernet, &found, &assigned);
		stale = found.place;
	} else if (settings.beginning_buckets) {
		found = answer_find_first(&p->key, p->name);
		if (found.flow) {
			assigned = flow_server(&found);
			if (is_served(&assigned))
				return answer_packet(p, ethernet, &found, &assigned);
		}
	}
	return connect(p, stale);
}

SEC("xdp.frags")
int riptide(struct xdp_md *xdp)
{
	struct packet packet;
	__u32 verdict;

	/* The rest is written as it becomes known; enum parsed tells how much of it there is. */
	packet.xdp = xdp;
	packet.now = bpf_jiffies64();
	verdict = handle(&packet);
	if (verdict >= RIPTIDE_REPLY_REFUSED && verdict < RIPTIDE_DROP_NOT_ACTIVE)
		verdict = answer(&packet, verdict);
	return conclude(&packet, verdict);
}

SEC("syscall")
int sweep(struct sweep *sweep)
{
	struct sweep result = {
		.first_bucket = sweep->first_bucket,
		.bucket_count = sweep->bucket_count,
		.now = bpf_jiffies64(),
	};

	if (result.first_bucket == 0) {
		bpf_for_each_map_elem(&half_open, sweep_half_open, &result, 0);
		bpf_for_each_map_elem(&persistence, sweep_persistence, &result, 0);
	}
	bpf_loop(result.bucket_count, sweep_bucket, &result, 0);
	*sweep = result;
	return 0;
}

/* Enters flows that another table held, for a new table or a new node. */
SEC("syscall")
int adopt(struct adoption *adoption)
{
	bpf_loop(adoption->count, adopt_flow, NULL, 0);
	return 0;
}

/* The data plane's clock, for the daemon to compare with its own. */
SEC("syscall")
int clock(struct sweep *sweep)
{
	sweep->now = bpf_jiffies64();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
