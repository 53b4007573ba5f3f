/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Housekeeping that the daemon starts every few seconds: deletes what has expired, and counts what is left, in the kernel, so
 * that no table is ever copied for it.
 */
#pragma once

#include "flow.h"
#include "half_open.h"

struct bpf_map;

static __always_inline __u64 flow_timeout(const struct flow *flow)
{
	switch (flow->state) {
	case RIPTIDE_FLOW_ESTABLISHED:
		return settings.established_timeout;
	case RIPTIDE_FLOW_UDP:
		return settings.udp_timeout;
	default:
		return settings.closing_timeout;
	}
}

static __always_inline void sweep_flow(const struct found *found, __u64 name, struct sweep *sweep)
{
	struct flow *flow = found->flow;
	__u32 server = flow->server;
	__u32 state = flow->state;
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);
	__u64 seen = WORD64(&flow->seen);
	int gone = !real || real->generation != flow->generation || real->state == RIPTIDE_SERVER_HALT;
	struct server_load *count;

	/* A packet may have come since the sweep began: its time lies ahead of ours. */
	if (gone || (seen < sweep->now && sweep->now - seen > flow_timeout(flow))) {
		flow_remove(found, name);
		sweep->flows_expired += 1;
		return;
	}
	sweep->flows += 1;
	count = bpf_map_lookup_elem(&recount, &server);
	if (count && state != RIPTIDE_FLOW_CLOSING)
		count->established += 1;
}

static long sweep_bucket(__u32 number, struct sweep *sweep)
{
	__u32 index = sweep->first_bucket + number;
	struct flow_bucket *bucket = bpf_map_lookup_elem(&flow_buckets, &index);

	if (!bucket)
		return 1;
	for (__u32 way = 0; way < RIPTIDE_WAYS; way++) {
		__u64 name = WORD64(&bucket->name[way]);
		__u32 place = index * RIPTIDE_WAYS + way;
		struct found found = {.cell = &bucket->name[way]};

		if (name == RIPTIDE_CELL_FREE || name == RIPTIDE_CELL_BUSY)
			continue;
		found.flow = bpf_map_lookup_elem(&flows, &place);
		if (found.flow)
			sweep_flow(&found, name, sweep);
	}
	return 0;
}

/* A flow that is known already, since its packets came here first, stays as it is. */
static long adopt_flow(__u32 number, void *unused)
{
	struct flow *flow = bpf_map_lookup_elem(&adopted, &number);
	__u64 name;

	if (!flow)
		return 1;
	name = name_flow(&flow->key, settings.secret);
	if (flow->state != RIPTIDE_FLOW_FREE && find_place(name) == NO_PLACE)
		flow_enter(flow, name);
	return 0;
}

static long sweep_persistence(struct bpf_map *map, const struct persistence_key *key, struct persistence *entry,
			      struct sweep *sweep)
{
	__u32 number = key->service;
	__u32 server = entry->server;
	struct service *service = bpf_map_lookup_elem(&services, &number);
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);

	if (!service || !real || real->generation != entry->generation ||
	    persistence_expired(entry, service, sweep->now)) {
		bpf_map_delete_elem(&persistence, key);
		sweep->persistence_expired += 1;
	} else {
		sweep->persistence += 1;
	}
	return 0;
}

static long sweep_half_open(struct bpf_map *map, const __u32 *index, struct half_open *place, struct sweep *sweep)
{
	struct half_open there;
	struct server_load *count;
	__u32 server;
	__u16 age;

	*(__u64 *)&there = WORD64(place);
	if (!there.server)
		return 0;
	age = half_open_time(sweep->now) - there.seen;
	/* An age of more than half the clock's range is a note from just after the sweep began. */
	if (age > settings.half_open_lifetime && age < 0x8000) {
		half_open_exchange(place, 0);
		return 0;
	}
	server = there.server;
	count = bpf_map_lookup_elem(&recount, &server);
	if (count && (there.signature & 1) == NOTE_FLOW)
		count->half_open += 1;
	return 0;
}
