/* SPDX-License-Identifier: GPL-2.0-only */
/* Which server a new connection gets: runs of server ids that the daemon made, read by hash, by turn or by load. */
#pragma once

#include "hash.h"
#include "service.h"

static __always_inline __u32 slot_at(__u32 place)
{
	__u32 element = place / RIPTIDE_SLOTS_PER_ELEMENT;
	struct slots *run = bpf_map_lookup_elem(&slots, &element);

	return run ? run->server[place % RIPTIDE_SLOTS_PER_ELEMENT] : RIPTIDE_NO_SERVER;
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

/* The server with the lowest load that was found so far. */
struct candidate {
	__u32 server;
	__u64 load;
};

/*
 * Connections that a server has, by its weight if that counts. What cost and shift make of one connection at weight 1 leaves
 * room for 2^24 of them; equal shares compare as equal up to some hundred times the weight.
 */
#define LOAD_SHIFT 9

static __always_inline __u64 load_of(const struct server_load *load, int weighted)
{
	__s64 connections = riptide_connections(load);

	/* The counts are corrected only now and then: one that is below zero for a while must not look like the highest. */
	if (connections < 0)
		return 0;
	return weighted ? connections * load->cost >> LOAD_SHIFT : (__u64)connections;
}

/* Keeps the better of `best` and `server`. */
static __always_inline void consider(struct candidate *best, __u32 server, int weighted)
{
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);
	__u64 its;

	if (!load)
		return;
	its = load_of(load, weighted);
	if (its >= best->load)
		return;
	best->server = server;
	best->load = its;
}

/* The one to begin with: in shares by weight, or even ones. */
static __always_inline __u32 draw(const struct service *service, struct run members, __u64 hash, int weighted)
{
	return weighted ? schedule_by_hash(service, hash) : slot_at(members.first + hash_place(hash, members.size));
}

/*
 * lc and wlc. The first to be considered is drawn by hash, in shares by weight for wlc, and only a server with a lower load
 * displaces it: so servers that are equally loaded, idle ones too, share evenly and a burst does not go to one of them.
 */
static __always_inline __u32 least_loaded(const struct service *service, __u64 hash, int weighted)
{
	struct candidate best = {.load = ~0ULL};
	struct run members = read_run(&service->members_first);
	__u32 drawn;

	if (!members.size)
		return RIPTIDE_NO_SERVER;
	drawn = draw(service, members, hash, weighted);
	if (drawn)
		consider(&best, drawn, weighted);
	if (members.size > RIPTIDE_COMPARE_ALL) {
		drawn = draw(service, members, mix(hash), weighted);
		if (drawn)
			consider(&best, drawn, weighted);
		return best.server;
	}
	/* A run begins with an element of its own, and what it leaves of the last is filled with its last server. */
	for (__u32 i = 0; i < RIPTIDE_COMPARE_ALL; i += RIPTIDE_SLOTS_PER_ELEMENT) {
		__u32 element = (members.first + i) / RIPTIDE_SLOTS_PER_ELEMENT;
		__u64 *run = bpf_map_lookup_elem(&slots, &element);
		__u64 word;

		if (i >= members.size || !run)
			break;
		word = WORD64(run);
#pragma unroll
		for (__u32 j = 0; j < RIPTIDE_SLOTS_PER_ELEMENT; j++) {
			consider(&best, word & 0xffff, weighted);
			word >>= 16;
		}
	}
	return best.server;
}

/* Global functions, for the verifier's sake: hence the check of the pointer. */
__noinline __u32 schedule_by_weighted_load(const struct service *service, __u64 hash)
{
	return service ? least_loaded(service, hash, 1) : RIPTIDE_NO_SERVER;
}

__noinline __u32 schedule_by_load(const struct service *service, __u64 hash)
{
	return service ? least_loaded(service, hash, 0) : RIPTIDE_NO_SERVER;
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
	connections = riptide_connections(load);
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
		return schedule_by_weighted_load(service, hash);
	case RIPTIDE_SCHEDULER_LC:
		return schedule_by_load(service, hash);
	case RIPTIDE_SCHEDULER_WRR:
	case RIPTIDE_SCHEDULER_RR:
		return schedule_by_turn(service, number);
	default:
		return schedule_by_hash(service, hash);
	}
}
