/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Source addresses and ports of snat. A port is in use towards one address and port of a real server, by one flow: so what is
 * free is asked of the table itself, and nothing can leak. Each CPU gives away the ports whose number leaves the CPU's own as
 * the remainder, so no two CPUs ever want the same.
 */
#pragma once

#include "translate.h"

#define SNAT_TRIES 64

static __always_inline int port_in_use(const struct flow *flow, const struct translation *translation)
{
	__u64 name = answer_name(flow, translation);

	return find_answer(name, FLOWS) != NO_PLACE || find_answer(name, BEGINNINGS) != NO_PLACE;
}

/*
 * Sets source and source_port of the translation of the flow at `place` to what no other flow has; answers 0 if that was not
 * found. A global function, for the verifier's sake.
 */
__noinline int give_source_port(__u32 place, __u32 service)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	struct flow *flow = flow_at(place);
	struct translation *translation = translation_at(place);
	struct source_pool *pool = bpf_map_lookup_elem(&source_pools, &service);
	__u32 *cursor = bpf_map_lookup_elem(&port_cursors, &zero);
	__u32 each;

	if (!flow || !translation || !pool || !cursor || !settings.cpus)
		return 0;
	each = pool->ports / settings.cpus;
	if (!each)
		return 0;
	for (int try = 0; try < SNAT_TRIES; try++) {
		__u32 turn = *cursor;
		__u32 address = turn / each;

		*cursor = turn + 1;
		if (pool->addresses)
			copy_address(translation->source, pool->address[address % pool->addresses % RIPTIDE_POOL_ADDRESSES]);
		translation->source_port = bpf_htons(pool->first_port + turn % each * settings.cpus + cpu % settings.cpus);
		if (!port_in_use(flow, translation))
			return 1;
	}
	return 0;
}
