/* SPDX-License-Identifier: GPL-2.0-only */
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

/*
 * One multiplication takes what differs in the last octets of addresses only to the uppermost bits, where the differences of
 * two words cancel each other often enough, whatever the seed: hence the second, by a factor of the word's own.
 */
static __always_inline __u64 fold(__u64 word, __u64 factor)
{
	word *= factor;
	word ^= word >> 32;
	return word * (factor << 7 | 1);
}

/*
 * A name for the 5-tuple: different for different ones but for a chance in 2^64, and not to be guessed without the seed. The
 * words are multiplied side by side, which takes the time of one. Its bits are not evenly mixed: that is for whoever makes a
 * place of it.
 */
static __always_inline __u64 name_words(const __u64 *source, const __u64 *destination, __u64 ports, __u64 seed)
{
	__u64 name = fold(source[1] + seed, 0xbf58476d1ce4e5b9ULL) + fold(destination[1] + seed, 0xd6e8feb86659fd93ULL) +
		     fold(ports ^ seed, 0xff51afd7ed558ccdULL);

	/* IPv4 has nothing in the others. */
	if (source[0] | destination[0])
		name += fold(source[0] ^ seed, 0x9e3779b97f4a7c15ULL) + fold(destination[0] ^ seed, 0x94d049bb133111ebULL);
	/* What says that a cell is free or busy is no name. */
	return name | 2;
}

static __always_inline __u64 name_flow(const struct flow_key *key, __u64 seed)
{
	const __u64 *word = (const __u64 *)key;

	return name_words(word, word + 2, word[4], seed);
}

/* Of both addresses, both ports, the protocol and a seed. */
static __always_inline __u64 hash_flow(const struct flow_key *key, __u64 seed)
{
	return mix(name_flow(key, seed));
}

/* A place in a run of `count` slots, in even shares. */
static __always_inline __u32 hash_place(__u64 hash, __u32 count)
{
	return ((hash & 0xffffffff) * count) >> 32;
}
