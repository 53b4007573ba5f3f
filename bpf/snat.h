/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Source addresses and ports of snat. A port is in use towards one address and port of a real server, by one flow: so what is
 * free is asked of the table itself, and nothing can leak. Each CPU gives away the ports whose number leaves the CPU's own as
 * the remainder, so no two CPUs ever want the same.
 */
#pragma once

#include "translate.h"

#define SNAT_TRIES 64

/* Of nat, which needs another port only where two of a client's flows would look the same to the server. */
#define NAT_FIRST_PORT 1024
#define NAT_PORTS 64000

/* Whether the server already has a flow that looks like this one. */
static __always_inline int port_in_use(const struct flow *flow, const struct translation *translation)
{
	__u64 name = answer_name(flow, translation);

	return find_answer(name) != NO_PLACE;
}

/* Ends the flow that looks like this one to the server, if it is closing. A global function, like the next, for the verifier. */
__noinline int make_way(__u32 place)
{
	struct flow *flow = flow_at(place), *other;
	struct translation *translation = translation_at(place);
	struct flow_bucket *bucket;
	__u32 at, other_place;

	if (!flow || !translation)
		return 0;
	at = find_answer(answer_name(flow, translation));
	if (at == NO_PLACE)
		return 0;
	bucket = bucket_at(at / RIPTIDE_WAYS);
	if (!bucket)
		return 0;
	other_place = WORD64(&bucket->answer[at % RIPTIDE_WAYS]) & PLACE_MASK;
	other = flow_at(other_place);
	if (other && other->state == RIPTIDE_FLOW_CLOSING)
		flow_remove(other_place);
	return 0;
}

/*
 * Sets source and source_port of the translation of the flow at `place` to what no other flow has; answers 0 if that was not
 * found.
 */
__noinline int give_source_port(__u32 place, __u32 service)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	struct flow *flow = flow_at(place);
	struct translation *translation = translation_at(place);
	struct source_pool *pool = bpf_map_lookup_elem(&source_pools, &service);
	__u32 *cursor = bpf_map_lookup_elem(&port_cursors, &zero);
	__u32 first = pool ? pool->first_port : NAT_FIRST_PORT, each = pool ? pool->ports : NAT_PORTS;

	if (!flow || !translation || !cursor || !settings.cpus)
		return 0;
	each /= settings.cpus;
	if (!each)
		return 0;
	for (int try = 0; try < SNAT_TRIES; try++) {
		__u32 turn = *cursor;
		__u32 address = turn / each;

		*cursor = turn + 1;
		if (pool && pool->addresses)
			copy_address(translation->source, pool->address[address % pool->addresses % RIPTIDE_POOL_ADDRESSES]);
		translation->source_port = bpf_htons(first + turn % each * settings.cpus + cpu % settings.cpus);
		if (!port_in_use(flow, translation))
			return 1;
	}
	return 0;
}

/* In nat it is the client's own port, unless the server already has a flow that looks the same. */
static __always_inline int settle_source_port(__u32 place, __u32 service, __u32 mode)
{
	struct flow *flow = flow_at(place);
	struct translation *translation = translation_at(place);

	if (!flow || !translation)
		return 0;
	if (mode == RIPTIDE_MODE_SNAT)
		return give_source_port(place, service);
	if (!port_in_use(flow, translation))
		return 1;
	make_way(place);
	return !port_in_use(flow, translation) || give_source_port(place, service);
}
