/* SPDX-License-Identifier: GPL-2.0-only */
/* From the destination to the service: the VIP, then its port ranges by bisection. */
#pragma once

#include "packet.h"

static __always_inline struct vip *find_vip(const __u8 *address)
{
	return bpf_map_lookup_elem(&vips, address);
}

/* The service of this number; null if there is none. */
static __always_inline struct service *service_at(__u32 number)
{
	struct service *service = bpf_map_lookup_elem(&services, &number);

	return service && service->mode ? service : NULL;
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
	if (protocol == IPPROTO_TCP)
		return find_range(vip->tcp_first, vip->tcp_count, port);
	return find_range(vip->udp_first, vip->udp_count, port);
}
