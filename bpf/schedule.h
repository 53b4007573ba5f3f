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

/* By the Maglev table: the same for the same hash, in shares by weight. */
static __always_inline __u32 schedule_by_hash(const struct service *service, __u64 hash)
{
	struct run table = read_run(&service->table_first);

	return table.size ? slot_at(table.first + hash_place(hash, table.size)) : RIPTIDE_NO_SERVER;
}

static __always_inline __u32 schedule_by_turn(const struct service *service, __u32 number)
{
	struct service_state *state = bpf_map_lookup_elem(&service_states, &number);
	struct run sequence = read_run(&service->sequence_first);

	if (!state || !sequence.size)
		return RIPTIDE_NO_SERVER;
	return slot_at(sequence.first + __sync_fetch_and_add(&state->turn, 1) % sequence.size);
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
	__u64 connections, weight;

	if (!load || !server)
		return;
	connections = WORD64(&load->established) + WORD64(&load->half_open);
	/* The counts are corrected only now and then: one that is below zero for a while must not look like the highest. */
	if ((__s64)connections < 0)
		connections = 0;
	weight = weighted ? load->weight : 1;
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
	struct run members;
	__u32 count;

	if (!service)
		return RIPTIDE_NO_SERVER;
	members = read_run(&service->members_first);
	count = members.size;
	if (!count)
		return RIPTIDE_NO_SERVER;
	if (weighted)
		consider(&best, schedule_by_hash(service, hash), weighted);
	else
		consider(&best, slot_at(members.first + hash_place(hash, count)), weighted);
	if (count > RIPTIDE_COMPARE_ALL) {
		hash = mix(hash);
		if (weighted)
			consider(&best, schedule_by_hash(service, hash), weighted);
		else
			consider(&best, slot_at(members.first + hash_place(hash, count)), weighted);
		return best.server;
	}
	/* A run begins with an element of its own. */
	for (__u32 i = 0; i < RIPTIDE_COMPARE_ALL; i += RIPTIDE_SLOTS_PER_ELEMENT) {
		__u32 element = (members.first + i) / RIPTIDE_SLOTS_PER_ELEMENT;
		struct slots *run = bpf_map_lookup_elem(&slots, &element);

		if (i >= count || !run)
			break;
#pragma unroll
		for (__u32 j = 0; j < RIPTIDE_SLOTS_PER_ELEMENT; j++)
			if (i + j < count)
				consider(&best, run->server[j], weighted);
	}
	return best.server;
}

static __always_inline int is_full(const struct real_server *server, __u32 number)
{
	struct server_load *load;
	__s64 connections;

	if (!server->max_connections)
		return 0;
	load = bpf_map_lookup_elem(&server_loads, &number);
	if (!load)
		return 0;
	connections = WORD64(&load->established) + WORD64(&load->half_open);
	return connections >= (__s64)server->max_connections;
}

#define MEMBERS_TRIED 256

/*
 * A member that has room for one more connection, the first from a place by hash on; 0 if none has. A global function, for the
 * verifier's sake: hence the check of the pointer.
 */
__noinline __u32 schedule_beside(const struct service *service, __u64 hash)
{
	struct run members;
	__u32 count, first;

	if (!service)
		return RIPTIDE_NO_SERVER;
	members = read_run(&service->members_first);
	count = members.size;
	first = hash_place(hash, count);
	for (__u32 i = 0; i < MEMBERS_TRIED; i++) {
		struct real_server *real;
		__u32 server;

		if (i >= count)
			break;
		server = slot_at(members.first + (first + i) % count);
		real = bpf_map_lookup_elem(&real_servers, &server);
		if (real && real->generation && !is_full(real, server))
			return server;
	}
	return RIPTIDE_NO_SERVER;
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
