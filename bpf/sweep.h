/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Housekeeping that the daemon starts every few seconds: deletes what has expired, and counts what is left, in the kernel, so
 * that no table is ever copied for it.
 */
#pragma once

#include "flow.h"
#include "half_open.h"
#include "service.h"

struct bpf_map;

static __always_inline __u64 flow_timeout(__u32 state)
{
	switch (state) {
	case RIPTIDE_FLOW_ESTABLISHED:
		return settings.established_timeout;
	case RIPTIDE_FLOW_UDP:
		return settings.udp_timeout;
	case RIPTIDE_FLOW_BEGINNING:
		return settings.syn_timeout;
	default:
		return settings.closing_timeout;
	}
}

static __always_inline void count_flow(__u32 server, __u32 state, struct sweep *sweep)
{
	struct server_load *count = bpf_map_lookup_elem(&recount, &server);

	if (state != RIPTIDE_FLOW_BEGINNING)
		sweep->flows += 1;
	if (!count)
		return;
	if (state == RIPTIDE_FLOW_BEGINNING)
		count->half_open += 1;
	else if (state != RIPTIDE_FLOW_CLOSING)
		count->established += 1;
}

/*
 * A flow that was silent for too long goes. One whose server is gone goes at once, but for TCP's: as long as they are there,
 * what their clients send still is known for what it is.
 */
static __always_inline void sweep_flow(__u32 place, struct sweep *sweep)
{
	struct flow *flow = flow_at(place);
	struct real_server *real;
	__u32 server, state;
	__u64 seen;
	int orphan;

	if (!flow)
		return;
	server = flow->server;
	seen = WORD64(&flow->seen);
	real = bpf_map_lookup_elem(&real_servers, &server);
	orphan = !real || real->generation != flow->generation || real->state == RIPTIDE_SERVER_HALT;
	if (orphan && flow->state == RIPTIDE_FLOW_ESTABLISHED)
		flow_close(flow);
	state = WORD32(&flow->state);
	/* A packet may have come since the sweep began: its time lies ahead of ours. */
	if ((orphan && (state != RIPTIDE_FLOW_CLOSING || !service_at(flow->service))) || (seen < sweep->now && sweep->now - seen > flow_timeout(state))) {
		sweep->flows_expired += state != RIPTIDE_FLOW_BEGINNING;
		flow_remove(place);
		return;
	}
	count_flow(server, state, sweep);
}

static long sweep_bucket(__u32 number, struct sweep *sweep)
{
	__u32 index = sweep->first_bucket + number;
	struct flow_bucket *bucket = bucket_at(index);

	if (!bucket)
		return 1;
	for (__u32 way = 0; way < RIPTIDE_WAYS; way++) {
		__u64 name = WORD64(&bucket->name[way]);

		if (name != RIPTIDE_CELL_FREE && name != RIPTIDE_CELL_BUSY)
			sweep_flow(index * RIPTIDE_WAYS + way, sweep);
	}
	return 0;
}

/* A flow that is known already, since its packets came here first, stays as it is. */
static long adopt_flow(__u32 number, void *unused)
{
	struct adopted *adoptee = bpf_map_lookup_elem(&adopted, &number);
	enum region region = FLOWS;
	struct flow *flow;
	struct translation *translation;
	__u64 name;
	__u32 place;

	if (!adoptee)
		return 1;
	if (adoptee->flow.state == RIPTIDE_FLOW_FREE)
		return 0;
	if (adoptee->flow.state == RIPTIDE_FLOW_BEGINNING)
		region = BEGINNINGS;
	if (region == BEGINNINGS && !settings.beginning_buckets)
		return 0;
	name = name_flow(&adoptee->flow.key, settings.secret);
	if ((region == FLOWS ? find_place(name) : find_beginning(name)) != NO_PLACE)
		return 0;
	place = claim_place(name, region);
	flow = flow_at(place);
	if (!flow)
		return 0;
	*flow = adoptee->flow;
	translation = translation_at(place);
	if (is_translating(flow->mode) && translation) {
		*translation = adoptee->translation;
		expect_answers(place, region);
	}
	publish(place, name);
	return 0;
}

static long sweep_persistence(struct bpf_map *map, const struct persistence_key *key, struct persistence *entry,
			      struct sweep *sweep)
{
	__u32 number = key->service;
	__u32 server = entry->server;
	struct service *service = service_at(number);
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
		half_open_exchange(*index, 0);
		return 0;
	}
	server = there.server;
	count = bpf_map_lookup_elem(&recount, &server);
	if (count && (there.signature & 1) == NOTE_FLOW)
		count->half_open += 1;
	return 0;
}
