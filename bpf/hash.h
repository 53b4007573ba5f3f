/* Hashes of flows and clients. All nodes with the same seed choose alike. */
#pragma once

#include "packet.h"

static __always_inline __u64 mix(__u64 value)
{
	value ^= value >> 32;
	value *= 0x9fb21c651e98df25ULL;
	value ^= value >> 32;
	value *= 0xd6e8feb86659fd93ULL;
	return value ^ value >> 32;
}

static __always_inline __u64 hash_address(const __u8 *address, __u64 seed)
{
	const __u64 *word = (const __u64 *)address;

	return mix(mix(seed ^ word[0]) + word[1]);
}

/* Of both addresses, both ports and the protocol. */
static __always_inline __u64 hash_flow(const struct flow_key *key)
{
	const __u64 *word = (const __u64 *)key;

	return mix(hash_address(key->destination, hash_address(key->source, settings.schedule_seed)) ^ word[4]);
}

/* A place in a run of `count` slots, in even shares. */
static __always_inline __u32 hash_place(__u64 hash, __u32 count)
{
	return ((hash & 0xffffffff) * count) >> 32;
}
