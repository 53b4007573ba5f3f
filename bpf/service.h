/* SPDX-License-Identifier: GPL-2.0-only */
/* From the destination to the service: the VIP, then its port ranges by bisection. */
#pragma once

#include "packet.h"

#define NO_VIP 0xffffffffu

static __always_inline struct vip *vip_at(__u32 place)
{
	return bpf_map_lookup_elem(&vips, &place);
}

static __always_inline int is_free_place(const struct vip *vip)
{
	const __u64 *words = (const __u64 *)vip->address;

	return !(words[0] | words[1]);
}

static __always_inline int is_vip(const struct vip *vip, __u64 first, __u64 second)
{
	const __u64 *words = (const __u64 *)vip->address;

	return words[0] == first && words[1] == second;
}

/* The place of a VIP that is not at the first; NO_VIP if there is none. A global function: the verifier walks its loop once. */
__noinline __u32 find_vip_behind(__u64 first, __u64 second)
{
	__u32 place = riptide_vip_place(first, second);

	for (__u32 i = 1; i < RIPTIDE_VIP_TRIES; i++) {
		__u32 there = (place + i) % RIPTIDE_VIP_PLACES;
		struct vip *vip = vip_at(there);

		if (!vip || is_free_place(vip))
			break;
		if (is_vip(vip, first, second))
			return there;
	}
	return NO_VIP;
}

/* Mostly one look, at one cache line. */
static __always_inline struct vip *find_vip(const __u8 *address)
{
	const __u64 *words = (const __u64 *)address;
	struct vip *vip = vip_at(riptide_vip_place(words[0], words[1]));

	/* What a free place holds, and a removed one, is nobody's address. */
	if (!vip || is_free_place(vip) || words[0] == ~0ULL)
		return NULL;
	if (is_vip(vip, words[0], words[1]))
		return vip;
	return vip_at(find_vip_behind(words[0], words[1]));
}

/* The service of this number; null if there is none. */
static __always_inline struct service *service_at(__u32 number)
{
	struct service *service = bpf_map_lookup_elem(&services, &number);

	return service && service->mode ? service : NULL;
}

/* A run's place and size: one word, since the daemon may be changing both. */
struct run {
	__u32 first;
	__u32 size;
};

static __always_inline struct run read_run(const __u32 *first)
{
	__u64 word = WORD64(first);
	struct run run = {.first = word, .size = word >> 32};

	return run;
}

/*
 * The number of the service that has the port, of a run of ranges; 0 if none has. A global function: the verifier walks its
 * loop once, apart from all that comes before and after.
 */
__noinline __u32 find_range(__u32 first, __u32 count, __u16 port)
{
	for (int i = 0; i < 17 && count; i++) {
		__u32 half = count / 2;
		__u32 middle = first + half;
		struct port_range *range = bpf_map_lookup_elem(&port_ranges, &middle);

		if (!range)
			return 0;
		if (port < range->first) {
			count = half;
		} else if (port > range->last) {
			first = middle + 1;
			count -= half + 1;
		} else {
			return range->service;
		}
	}
	return 0;
}

static __always_inline __u32 find_service(const struct vip *vip, __u32 protocol, __u16 port)
{
	struct run run = read_run(protocol == IPPROTO_TCP ? &vip->tcp_first : &vip->udp_first);
	struct port_range *range;

	if (run.size != 1)
		return find_range(run.first, run.size, port);
	/* Most have one port, or one range. */
	range = bpf_map_lookup_elem(&port_ranges, &run.first);
	return range && port >= range->first && port <= range->last ? range->service : 0;
}
