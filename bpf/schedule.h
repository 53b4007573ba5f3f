/* SPDX-License-Identifier: GPL-2.0-only */
/* Which server a new connection gets: runs of server ids that the daemon made, read by hash, by turn or by load. */
#pragma once

#include "hash.h"

static __always_inline __u32 slot_at(__u32 place)
{
	__u32 element = place / RIPTIDE_SLOTS_PER_ELEMENT;
	struct slots *run = bpf_map_lookup_elem(&slots, &element);

	return run ? run->server[place % RIPTIDE_SLOTS_PER_ELEMENT] : RIPTIDE_NO_SERVER;
}

/* By the Maglev table: the same for the same hash, in shares by weight. */
static __always_inline __u32 schedule_by_hash(const struct service *service, __u64 hash)
{
	if (!service->table_size)
		return RIPTIDE_NO_SERVER;
	return slot_at(service->table_first + hash_place(hash, service->table_size));
}

static __always_inline __u32 schedule_by_turn(const struct service *service, __u32 number)
{
	struct service_state *state = bpf_map_lookup_elem(&service_states, &number);

	if (!state || !service->sequence_size)
		return RIPTIDE_NO_SERVER;
	return slot_at(service->sequence_first + __sync_fetch_and_add(&state->turn, 1) % service->sequence_size);
}

struct candidate {
	__u32 server;
	__u64 load;
	__u64 weight;
};

/* Keeps the better of `best` and `server`: fewer connections, for its weight if weights count. */
static __always_inline void consider(struct candidate *best, __u32 server, int weighted)
{
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);
	__u64 connections, weight;

	if (!load || !real || !server)
		return;
	connections = WORD64(&load->established) + WORD64(&load->half_open);
	/* The counts are corrected only now and then: one that is below zero for a while must not look like the highest. */
	if ((__s64)connections < 0)
		connections = 0;
	weight = weighted ? real->weight : 1;
	if (best->server && connections * best->weight >= best->load * weight)
		return;
	best->server = server;
	best->load = connections;
	best->weight = weight;
}

/*
 * lc and wlc. The first to be considered is drawn by hash, in shares by weight for wlc, and only a server with a lower load
 * displaces it: so servers that are equally loaded, idle ones too, share evenly and a burst does not go to one of them.
 *
 * A global function, for the verifier's sake: hence the check of the pointer.
 */
__noinline __u32 schedule_by_load(const struct service *service, __u64 hash, int weighted)
{
	struct candidate best = {};
	__u32 count;

	if (!service || !service->members_count)
		return RIPTIDE_NO_SERVER;
	count = service->members_count;
	if (weighted)
		consider(&best, schedule_by_hash(service, hash), weighted);
	else
		consider(&best, slot_at(service->members_first + hash_place(hash, count)), weighted);
	if (count > RIPTIDE_COMPARE_ALL) {
		hash = mix(hash);
		if (weighted)
			consider(&best, schedule_by_hash(service, hash), weighted);
		else
			consider(&best, slot_at(service->members_first + hash_place(hash, count)), weighted);
		return best.server;
	}
	for (__u32 i = 0; i < RIPTIDE_COMPARE_ALL; i++) {
		if (i >= count)
			break;
		consider(&best, slot_at(service->members_first + i), weighted);
	}
	return best.server;
}

static __always_inline __u32 schedule(const struct service *service, __u32 number, __u64 hash)
{
	switch (service->scheduler) {
	case RIPTIDE_SCHEDULER_WLC:
		return schedule_by_load(service, hash, 1);
	case RIPTIDE_SCHEDULER_LC:
		return schedule_by_load(service, hash, 0);
	case RIPTIDE_SCHEDULER_WRR:
	case RIPTIDE_SCHEDULER_RR:
		return schedule_by_turn(service, number);
	default:
		return schedule_by_hash(service, hash);
	}
}
