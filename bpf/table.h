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

#define NO_PLACE 0xffffffffu
#define PLACE_MASK ((1ULL << RIPTIDE_PLACE_BITS) - 1)

/* The buckets that a name gives: two for flows, one for beginnings of translated flows. */
enum region {
	FLOWS,
	BEGINNINGS,
};

#define CHOICES 2

/*
 * The upper half of the name gives the place: in the lower one, clients and VIPs that differ in an address's last octet alone
 * differ little. The second choice is one of the RIPTIDE_BUCKET_GROUP buckets around the first, which are a page of memory:
 * whoever finds nothing has looked at both, and pays for one.
 */
static __always_inline __u32 bucket_of(__u64 name, int choice, enum region region)
{
	__u32 first;

	if (region == BEGINNINGS)
		return settings.flow_buckets + hash_place(name >> 32, settings.beginning_buckets);
	first = hash_place(name >> 32, settings.flow_buckets);
	return choice ? first ^ ((name >> 40 & (RIPTIDE_BUCKET_GROUP - 1)) | 1) : first;
}

static __always_inline int choices(enum region region)
{
	return region == FLOWS ? CHOICES : 1;
}

/* The way that a flow is put into if it is free: then it is found at once. */
static __always_inline __u32 preferred_way(__u64 name)
{
	return name >> 34 & (RIPTIDE_WAYS - 1);
}

static __always_inline struct flow_bucket *bucket_at(__u32 index)
{
	return bpf_map_lookup_elem(&flow_buckets, &index);
}

static __always_inline struct flow *flow_at(__u32 place)
{
	return bpf_map_lookup_elem(&flows, &place);
}

static __always_inline struct translation *translation_at(__u32 place)
{
	return bpf_map_lookup_elem(&translations, &place);
}

/* Fetches memory that will be wanted. */
static __always_inline void touch(const void *there)
{
	(void)WORD64(there);
}

struct found {
	struct flow *flow; /* null: there is none */
	__u64 *cell;
	__u64 word; /* what the cell held */
	__u32 place;
};

/* Whether what was read of a flow was its own. */
static __always_inline int still_there(const struct found *found)
{
	return WORD64(found->cell) == found->word;
}

/* --- finding ------------------------------------------------------------------------------------------------------------ */

static __always_inline int same_key(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *left = (const __u64 *)a, *right = (const __u64 *)b;

	return left[0] == right[0] && left[1] == right[1] && left[2] == right[2] && left[3] == right[3] && left[4] == right[4];
}

/* Whether any of a bucket's cells has the name, but for its lowest bits. */
static __always_inline int has_name(const __u64 *cells, __u64 name, __u32 ignored_bits)
{
#pragma unroll
	for (__u32 way = 0; way < RIPTIDE_WAYS; way++)
		if ((WORD64(&cells[way]) ^ name) >> ignored_bits == 0)
			return 1;
	return 0;
}

static __always_inline __u32 way_of(const __u64 *cells, __u64 name, __u32 ignored_bits)
{
#pragma unroll
	for (__u32 way = 0; way < RIPTIDE_WAYS; way++)
		if ((WORD64(&cells[way]) ^ name) >> ignored_bits == 0)
			return way;
	return RIPTIDE_WAYS;
}

static __always_inline const __u64 *cells_of(const struct flow_bucket *bucket, int answers)
{
	return answers ? bucket->answer : bucket->name;
}

/*
 * Where the name stands among the names or the answers: the index of the bucket times ways plus the way, or NO_PLACE. Mostly it
 * stands nowhere, so that is found out first.
 */
static __always_inline __u32 search(__u64 name, __u32 region, int answers, __u32 ignored_bits)
{
#pragma unroll
	for (int choice = 0; choice < CHOICES; choice++) {
		__u32 index, way;
		struct flow_bucket *bucket;

		if (choice >= choices(region))
			break;
		index = bucket_of(name, choice, region);
		bucket = bucket_at(index);
		if (!bucket || !has_name(cells_of(bucket, answers), name, ignored_bits))
			continue;
		way = way_of(cells_of(bucket, answers), name, ignored_bits);
		if (way < RIPTIDE_WAYS)
			return index * RIPTIDE_WAYS + way;
	}
	return NO_PLACE;
}

/* The place of the flow of this name, or NO_PLACE. Global functions: the verifier walks them once. */
__noinline __u32 find_place(__u64 name)
{
	return search(name, FLOWS, 0, 0);
}

__noinline __u32 find_beginning(__u64 name)
{
	return search(name, BEGINNINGS, 0, 0);
}

/* Where the answer of this name stands. */
__noinline __u32 find_answer(__u64 name)
{
	__u32 at = search(name, FLOWS, 1, RIPTIDE_PLACE_BITS);

	return at == NO_PLACE ? search(name, BEGINNINGS, 1, RIPTIDE_PLACE_BITS) : at;
}

static __always_inline struct found flow_in_place(const struct flow_key *key, __u64 name, __u32 place)
{
	struct found found = {.place = place, .word = name};
	struct flow_bucket *bucket = bucket_at(place / RIPTIDE_WAYS);

	if (!bucket)
		return found;
	found.cell = &bucket->name[place % RIPTIDE_WAYS];
	found.flow = flow_at(place);
	if (found.flow && !same_key(&found.flow->key, key))
		found.flow = NULL;
	return found;
}

/* Whether the name stands in its first bucket, which is this one, or in its second. */
static __always_inline int is_known(const struct flow_bucket *bucket, __u64 name)
{
	if (has_name(bucket->name, name, 0))
		return 1;
	bucket = bucket_at(bucket_of(name, 1, FLOWS));
	return bucket && has_name(bucket->name, name, 0);
}

/*
 * The flow that a client's packet belongs to. The memory of the place where it most likely is, or will be, is on its way while
 * the bucket's comes.
 */
static __always_inline struct found flow_find(const struct flow_key *key, __u64 name)
{
	__u32 index = bucket_of(name, 0, FLOWS);
	__u32 way = preferred_way(name);
	__u32 place = index * RIPTIDE_WAYS + way;
	struct flow_bucket *bucket = bucket_at(index);
	struct flow *flow = flow_at(place);
	struct found found = {.word = name};

	if (!bucket || !flow)
		return found;
	touch(flow);
	if (WORD64(&bucket->name[way]) != name) {
		if (!is_known(bucket, name))
			return found;
		place = find_place(name);
		if (place == NO_PLACE)
			return found;
		return flow_in_place(key, name, place);
	}
	found.place = place;
	found.cell = &bucket->name[way];
	found.flow = same_key(&flow->key, key) ? flow : NULL;
	return found;
}

/* The beginning of a translated flow. */
static __always_inline struct found beginning_find(const struct flow_key *key, __u64 name)
{
	struct found found = {};
	__u32 place = find_beginning(name);

	if (place == NO_PLACE)
		return found;
	return flow_in_place(key, name, place);
}

static __always_inline int is_answer_cell(__u64 cell, __u64 name)
{
	return (cell ^ name) >> RIPTIDE_PLACE_BITS == 0;
}

/* Whether an answer with this 5-tuple is one to the flow. */
static __always_inline int answers(const struct flow_key *key, const struct flow *flow, const struct translation *translation)
{
	const __u64 *here = (const __u64 *)key, *there = (const __u64 *)translation;

	return here[0] == there[2] && here[1] == there[3] && here[2] == there[0] && here[3] == there[1] &&
	       key->source_port == translation->destination_port && key->destination_port == translation->source_port &&
	       key->protocol == flow->key.protocol;
}

static __always_inline struct found answer_in_cell(const struct flow_key *key, __u64 *cell)
{
	struct found found = {.cell = cell, .word = WORD64(cell)};
	struct translation *translation;

	found.place = found.word & PLACE_MASK;
	found.flow = flow_at(found.place);
	translation = translation_at(found.place);
	if (!found.flow || !translation || !answers(key, found.flow, translation))
		found.flow = NULL;
	return found;
}

/* The flow that a real server's packet is an answer to, if it stands where it is put first: nearly all do. */
static __always_inline struct found answer_find_first(const struct flow_key *key, __u64 name)
{
	struct flow_bucket *bucket = bucket_at(bucket_of(name, 0, FLOWS));
	__u32 way = preferred_way(name);
	struct found none = {};

	if (!bucket || !is_answer_cell(WORD64(&bucket->answer[way]), name))
		return none;
	return answer_in_cell(key, &bucket->answer[way]);
}

/* The same, wherever it stands. */
static __always_inline struct found answer_find(const struct flow_key *key, __u64 name)
{
	__u32 at = find_answer(name);
	struct flow_bucket *bucket = bucket_at(at / RIPTIDE_WAYS);
	struct found none = {};

	if (!bucket)
		return none;
	return answer_in_cell(key, &bucket->answer[at % RIPTIDE_WAYS]);
}

/* --- entering and removing ---------------------------------------------------------------------------------------------- */

/* The name of the answers to a translated flow. */
static __always_inline __u64 answer_name(const struct flow *flow, const struct translation *translation)
{
	__u64 ports = translation->destination_port | (__u32)translation->source_port << 16;

	return name_words((const __u64 *)translation->destination, (const __u64 *)translation->source,
			  (__u64)flow->key.protocol << 32 | ports, settings.secret);
}

static __always_inline int is_translating(__u32 mode)
{
	return mode == RIPTIDE_MODE_NAT || mode == RIPTIDE_MODE_SNAT;
}

/* Takes away what leads from the answers to the flow at this place. A global function, for the verifier's sake. */
__noinline int forget_answers(__u32 place)
{
	struct flow *flow = flow_at(place);
	struct translation *translation = translation_at(place);
	enum region region;
	__u64 name, word;

	if (!flow || !translation)
		return 0;
	name = answer_name(flow, translation);
	/* Flows and beginnings have their answers among their own kind. */
	region = place / RIPTIDE_WAYS >= settings.flow_buckets ? BEGINNINGS : FLOWS;
	word = (name & ~PLACE_MASK) | place;
	for (int choice = 0; choice < CHOICES; choice++) {
		struct flow_bucket *bucket;

		if (choice >= choices(region))
			break;
		bucket = bucket_at(bucket_of(name, choice, region));
		if (!bucket)
			continue;
#pragma unroll
		for (__u32 way = 0; way < RIPTIDE_WAYS; way++)
			if (WORD64(&bucket->answer[way]) == word) {
				__sync_val_compare_and_swap(&bucket->answer[way], word, RIPTIDE_CELL_FREE);
				return 1;
			}
	}
	return 0;
}

/* Ends a flow's share of its server's load, once, whoever comes first. */
static __always_inline void flow_close(struct flow *flow)
{
	__u32 server = flow->server;
	__u32 state = WORD32(&flow->state);
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);

	if (state == RIPTIDE_FLOW_FREE || state == RIPTIDE_FLOW_CLOSING)
		return;
	if (__sync_val_compare_and_swap(&flow->state, state, RIPTIDE_FLOW_CLOSING) != state)
		return;
	if (!load || !real)
		return;
	/* A number that gets a new server keeps its count of beginnings; that of flows begins anew. */
	if (state == RIPTIDE_FLOW_BEGINNING)
		riptide_add_connections(load, 0, -1);
	else if (real->generation == flow->generation)
		riptide_add_connections(load, -1, 0);
}

/* Empties the place of a flow whose cell is BUSY by our hand. */
static __always_inline void vacate(struct flow *flow, __u32 place)
{
	__u32 server = flow->server;
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);

	flow_close(flow);
	if (is_translating(flow->mode)) {
		forget_answers(place);
		if (flow->mode == RIPTIDE_MODE_SNAT && load && real && real->generation == flow->generation)
			__sync_fetch_and_add(&load->source_ports, -1);
	}
	WORD32(&flow->state) = RIPTIDE_FLOW_FREE;
}

/*
 * Takes the flow out of the table; its cell stays BUSY, by our hand. Answers whether it did: another CPU may have been
 * quicker. A global function, like those below: for the verifier's sake, and because stacks are small.
 */
__noinline int take_out(__u32 place)
{
	struct flow_bucket *bucket = bucket_at(place / RIPTIDE_WAYS);
	struct flow *flow = flow_at(place);
	__u64 *cell, name;

	if (!bucket || !flow)
		return 0;
	cell = &bucket->name[place % RIPTIDE_WAYS];
	name = WORD64(cell);
	if (name == RIPTIDE_CELL_FREE || name == RIPTIDE_CELL_BUSY)
		return 0;
	if (__sync_val_compare_and_swap(cell, name, RIPTIDE_CELL_BUSY) != name)
		return 0;
	vacate(flow, place);
	return 1;
}

/* Makes the flow that was written to a claimed place known. */
static __always_inline void publish(__u32 place, __u64 name)
{
	struct flow_bucket *bucket = bucket_at(place / RIPTIDE_WAYS);

	barrier();
	if (bucket)
		WORD64(&bucket->name[place % RIPTIDE_WAYS]) = name;
}

/* Takes the flow out of the table. Its place is free for another as soon as this is done. */
static __always_inline void flow_remove(__u32 place)
{
	if (take_out(place))
		publish(place, RIPTIDE_CELL_FREE);
}

/* Counted without a branch, of which the verifier would follow each combination. */
static __always_inline __u32 free_ways(const __u64 *cells)
{
	__u32 taken = 0;

#pragma unroll
	for (__u32 way = 0; way < RIPTIDE_WAYS; way++) {
		__u64 word = WORD64(&cells[way]);
		__u64 negative = -word;

		barrier_var(negative);
		taken += (word | negative) >> 63;
	}
	return RIPTIDE_WAYS - taken;
}

/* A free way of the bucket, the preferred one before others; RIPTIDE_WAYS if there is none. */
static __always_inline __u32 free_way(const __u64 *cells, __u64 name)
{
	__u32 preferred = preferred_way(name);

	if (WORD64(&cells[preferred]) == RIPTIDE_CELL_FREE)
		return preferred;
#pragma unroll
	for (__u32 way = 0; way < RIPTIDE_WAYS; way++)
		if (WORD64(&cells[way]) == RIPTIDE_CELL_FREE)
			return way;
	return RIPTIDE_WAYS;
}

/* The place whose flow was longest without a packet, of the buckets that a name gives. A global function: stacks are small. */
__noinline __u32 oldest_place(__u64 name, __u32 region)
{
	__u32 oldest = NO_PLACE;
	__u64 since = ~0ULL;

	for (__u32 i = 0; i < CHOICES * RIPTIDE_WAYS; i++) {
		__u32 place, choice = i / RIPTIDE_WAYS;
		struct flow *flow;

		if (choice >= (__u32)choices(region))
			break;
		place = bucket_of(name, choice, region) * RIPTIDE_WAYS + i % RIPTIDE_WAYS;
		flow = flow_at(place);
		if (flow && WORD64(&flow->seen) < since) {
			since = WORD64(&flow->seen);
			oldest = place;
		}
	}
	return oldest;
}

static __always_inline void count_eviction(enum region region)
{
	__u32 zero = 0;
	struct table_events *events = bpf_map_lookup_elem(&table_events, &zero);

	if (!events)
		return;
	if (region == FLOWS)
		events->flows_evicted += 1;
	else
		events->beginnings_evicted += 1;
}

/* Whether the bucket is nearly empty, by a sample: the way that would be taken, and one other. */
static __always_inline int seems_roomy(const __u64 *cells, __u32 way)
{
	return WORD64(&cells[way]) == RIPTIDE_CELL_FREE && WORD64(&cells[way ^ 4]) == RIPTIDE_CELL_FREE;
}

/* The bucket for a new flow: the emptier of both. A global function: stacks are small. */
__noinline __u32 roomier_bucket(__u64 name)
{
	__u32 index = bucket_of(name, 0, FLOWS), other;
	struct flow_bucket *bucket = bucket_at(index), *alternative;

	if (!bucket)
		return index;
	other = bucket_of(name, 1, FLOWS);
	alternative = bucket_at(other);
	return alternative && free_ways(alternative->name) > free_ways(bucket->name) ? other : index;
}

/* A place for a flow of this name, whose cell is BUSY until publish(); NO_PLACE if another CPU was quicker. */
__noinline __u32 claim_place(__u64 name, __u32 region)
{
	__u32 index = region == FLOWS ? roomier_bucket(name) : bucket_of(name, 0, region), way, place;
	struct flow_bucket *bucket = bucket_at(index);

	if (!bucket)
		return NO_PLACE;
	way = free_way(bucket->name, name);
	if (way < RIPTIDE_WAYS) {
		__u64 *cell = &bucket->name[way];

		if (__sync_val_compare_and_swap(cell, RIPTIDE_CELL_FREE, RIPTIDE_CELL_BUSY) != RIPTIDE_CELL_FREE)
			return NO_PLACE;
		return index * RIPTIDE_WAYS + way;
	}
	place = oldest_place(name, region);
	if (!take_out(place))
		return NO_PLACE;
	count_eviction(region);
	return place;
}

/* The same. Mostly the bucket is nearly empty, and nobody else wants the place. */
static __always_inline __u32 claim(__u64 name, __u32 region)
{
	__u32 index = bucket_of(name, 0, region), way = preferred_way(name);
	struct flow_bucket *bucket = bucket_at(index);

	if (!bucket)
		return NO_PLACE;
	if (seems_roomy(bucket->name, way) &&
	    __sync_val_compare_and_swap(&bucket->name[way], RIPTIDE_CELL_FREE, RIPTIDE_CELL_BUSY) == RIPTIDE_CELL_FREE)
		return index * RIPTIDE_WAYS + way;
	return claim_place(name, region);
}

/*
 * Makes the answers to the flow at a claimed place lead to it; a flow that stood in the way makes way as a whole. A global
 * function, for the verifier's sake.
 */
__noinline int expect_answers(__u32 place, __u32 region)
{
	struct flow *flow = flow_at(place);
	struct translation *translation = translation_at(place);
	struct flow_bucket *bucket, *alternative;
	__u64 name, before;
	__u32 way;

	if (!flow || !translation)
		return 0;
	name = answer_name(flow, translation);
	bucket = bucket_at(bucket_of(name, 0, region));
	alternative = bucket_at(bucket_of(name, 1, region));
	if (!bucket)
		return 0;
	if (region == FLOWS && alternative && free_ways(alternative->answer) > free_ways(bucket->answer))
		bucket = alternative;
	way = free_way(bucket->answer, name);
	if (way == RIPTIDE_WAYS) {
		way = preferred_way(name);
		flow_remove(WORD64(&bucket->answer[way]) & PLACE_MASK);
	}
	way &= RIPTIDE_WAYS - 1;
	before = WORD64(&bucket->answer[way]);
	return __sync_val_compare_and_swap(&bucket->answer[way], before, (name & ~PLACE_MASK) | place) == before;
}
