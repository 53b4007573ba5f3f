/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of a packet: stages return a counter, and only conclude() makes an XDP action of it, so none goes uncounted. */
#pragma once

#include "packet.h"

static __always_inline int conclude(struct packet *p, __u32 verdict)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &verdict);

	if (counter)
		*counter += 1;
	if (verdict < RIPTIDE_FORWARD_FLOW)
		return XDP_PASS;
	if (verdict < RIPTIDE_DROP_NOT_ACTIVE)
		return p->action;
	return XDP_DROP;
}
