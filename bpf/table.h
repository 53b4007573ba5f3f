/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of flows: finding, entering, removing. It is arrays alone, since a look-up in the kernel's hash maps is two calls
 * and takes longer than all else that a packet needs.
 *
 * A cell of a bucket goes FREE or name -> BUSY -> name. Only who has changed it to BUSY, by one atomic exchange, writes the
 * entry; whoever read an entry looks at the cell again afterwards, and has a miss if it has changed. (Without a lock, this
 * counts on loads and on stores keeping their order, as they do on x86; elsewhere a packet might go to the server of the flow
 * that took the place of its own, evicted in that very moment.)
 */
#pragma once

#include "hash.h"

struct found {
	struct flow *flow; /* null: there is none */
	__u64 *cell;
};

static __always_inline __u32 bucket_of(__u64 name, int choice)
{
	return hash_place(choice ? name >> 32 : name, settings.flow_buckets);
}

/* The way that a flow is put into if it is free: then it is found at once. */
static __always_inline __u32 preferred_way(__u64 name)
{
	return name >> 2 & (RIPTIDE_WAYS - 1);
}

static __always_inline int same_key(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *left = (const __u64 *)a, *right = (const __u64 *)b;

	return left[0] == right[0] && left[1] == right[1] && left[2] == right[2] && left[3] == right[3] && left[4] == right[4];
}

/* The place of the flow of this name, or RIPTIDE_NO_PLACE. A global function: the verifier walks its loop once. */
#define NO_PLACE 0xffffffffu

__noinline __u32 find_place(__u64 name)
{
	for (int choice = 0; choice < 2; choice++) {
		__u32 index = bucket_of(name, choice);
		struct flow_bucket *bucket = bpf_map_lookup_elem(&flow_buckets, &index);

		if (!bucket)
			continue;
#pragma unroll
		for (__u32 way = 0; way < RIPTIDE_WAYS; way++)
			if (WORD64(&bucket->name[way]) == name)
				return index * RIPTIDE_WAYS + way;
	}
	return NO_PLACE;
}

static __always_inline struct found flow_find(const struct flow_key *key, __u64 name)
{
	struct found found = {};
	__u32 index = bucket_of(name, 0);
	__u32 way = preferred_way(name);
	__u32 place = index * RIPTIDE_WAYS + way;
	struct flow_bucket *bucket = bpf_map_lookup_elem(&flow_buckets, &index);

	if (!bucket)
		return found;
	if (WORD64(&bucket->name[way]) != name) {
		place = find_place(name);
		if (place == NO_PLACE)
			return found;
		index = place / RIPTIDE_WAYS;
		way = place % RIPTIDE_WAYS;
		bucket = bpf_map_lookup_elem(&flow_buckets, &index);
		if (!bucket)
			return found;
	}
	found.cell = &bucket->name[way];
	found.flow = bpf_map_lookup_elem(&flows, &place);
	if (found.flow && !same_key(&found.flow->key, key))
		found.flow = NULL;
	return found;
}

/* Whether what was read of a flow was its own. */
static __always_inline int still_there(const struct found *found, __u64 name)
{
	return WORD64(found->cell) == name;
}

/* Ends a flow's share of its server's load, once, whoever comes first. */
static __always_inline void flow_close(struct flow *flow)
{
	__u32 server = flow->server;
	__u32 state = *(volatile __u32 *)&flow->state;
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);

	if (state != RIPTIDE_FLOW_ESTABLISHED && state != RIPTIDE_FLOW_UDP)
		return;
	if (__sync_val_compare_and_swap(&flow->state, state, RIPTIDE_FLOW_CLOSING) != state)
		return;
	if (load && real && real->generation == flow->generation)
		__sync_fetch_and_add(&load->established, -1);
}

/* Takes the flow out of the table. Its place is free for another as soon as this is done. */
static __always_inline void flow_remove(const struct found *found, __u64 name)
{
	if (__sync_val_compare_and_swap(found->cell, name, RIPTIDE_CELL_BUSY) != name)
		return;
	flow_close(found->flow);
	found->flow->state = RIPTIDE_FLOW_FREE;
	barrier();
	WORD64(found->cell) = RIPTIDE_CELL_FREE;
}

static __always_inline __u32 free_ways(const struct flow_bucket *bucket)
{
	__u32 count = 0;

#pragma unroll
	for (__u32 way = 0; way < RIPTIDE_WAYS; way++)
		count += WORD64(&bucket->name[way]) == RIPTIDE_CELL_FREE;
	return count;
}

/* A free way of the bucket, the preferred one before others; RIPTIDE_WAYS if there is none. */
static __always_inline __u32 free_way(const struct flow_bucket *bucket, __u64 name)
{
	__u32 preferred = preferred_way(name);

	if (WORD64(&bucket->name[preferred]) == RIPTIDE_CELL_FREE)
		return preferred;
#pragma unroll
	for (__u32 way = 0; way < RIPTIDE_WAYS; way++)
		if (WORD64(&bucket->name[way]) == RIPTIDE_CELL_FREE)
			return way;
	return RIPTIDE_WAYS;
}

/* The place whose flow was longest without a packet, of the two buckets that a name gives. */
static __always_inline __u32 oldest_place(__u64 name)
{
	__u32 oldest = NO_PLACE;
	__u64 since = ~0ULL;

	for (__u32 i = 0; i < 2 * RIPTIDE_WAYS; i++) {
		__u32 place = bucket_of(name, i / RIPTIDE_WAYS) * RIPTIDE_WAYS + i % RIPTIDE_WAYS;
		struct flow *flow = bpf_map_lookup_elem(&flows, &place);

		if (flow && WORD64(&flow->seen) < since) {
			since = WORD64(&flow->seen);
			oldest = place;
		}
	}
	return oldest;
}

/*
 * A place for a flow of this name, which nobody else now has; NO_PLACE if another CPU was quicker. A global function, for the
 * verifier's sake.
 */
__noinline __u32 claim_place(__u64 name)
{
	__u32 index = bucket_of(name, 0), other = bucket_of(name, 1);
	struct flow_bucket *bucket = bpf_map_lookup_elem(&flow_buckets, &index);
	struct flow_bucket *alternative = bpf_map_lookup_elem(&flow_buckets, &other);
	struct flow *flow;
	__u64 before = RIPTIDE_CELL_FREE;
	__u32 place, way, room, zero = 0;

	if (!bucket || !alternative)
		return NO_PLACE;
	/* The emptier of both; a bucket that is nearly empty is good enough. */
	room = free_ways(bucket);
	if (room < RIPTIDE_WAYS - 2 && free_ways(alternative) > room) {
		index = other;
		bucket = alternative;
	}
	way = free_way(bucket, name);
	place = index * RIPTIDE_WAYS + way;
	if (way == RIPTIDE_WAYS) {
		place = oldest_place(name);
		index = place / RIPTIDE_WAYS;
		way = place % RIPTIDE_WAYS;
		bucket = bpf_map_lookup_elem(&flow_buckets, &index);
		if (!bucket)
			return NO_PLACE;
		before = WORD64(&bucket->name[way & (RIPTIDE_WAYS - 1)]);
		if (before == RIPTIDE_CELL_BUSY)
			return NO_PLACE;
	}
	if (__sync_val_compare_and_swap(&bucket->name[way & (RIPTIDE_WAYS - 1)], before, RIPTIDE_CELL_BUSY) != before)
		return NO_PLACE;
	flow = bpf_map_lookup_elem(&flows, &place);
	if (flow && before != RIPTIDE_CELL_FREE) {
		struct table_events *happened = bpf_map_lookup_elem(&table_events, &zero);

		flow_close(flow);
		if (happened)
			happened->flows_evicted += 1;
	}
	return place;
}

/* Enters a flow whose name is not in the table; answers whether it found a place. */
static __always_inline int flow_enter(const struct flow *fresh, __u64 name)
{
	__u32 place = claim_place(name);
	__u32 index = place / RIPTIDE_WAYS;
	struct flow_bucket *bucket = bpf_map_lookup_elem(&flow_buckets, &index);
	struct flow *flow = bpf_map_lookup_elem(&flows, &place);

	if (!bucket || !flow)
		return 0;
	*flow = *fresh;
	barrier();
	WORD64(&bucket->name[place % RIPTIDE_WAYS]) = name;
	return 1;
}
