/* From the destination to the service: the VIP, then its port ranges by bisection. */
#pragma once

#include "packet.h"

static __always_inline struct vip *find_vip(const __u8 *address)
{
	return bpf_map_lookup_elem(&vips, address);
}

/* The number of the service that has the port; 0 if none has. */
static __always_inline __u32 find_service(const struct vip *vip, __u32 protocol, __u16 port)
{
	__u32 first = protocol == IPPROTO_TCP ? vip->tcp_first : vip->udp_first;
	__u32 count = protocol == IPPROTO_TCP ? vip->tcp_count : vip->udp_count;

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
