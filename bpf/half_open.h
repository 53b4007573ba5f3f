/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Beginnings of connections: which server the first packet got, until the second confirms it. A flow enters the flow table,
 * and a client the persistence table, only when confirmed; so packets from random sources fill nothing that others need.
 *
 * A place that is taken stays taken for settings.half_open_hold. Whoever finds it so writes nothing and is scheduled by hash,
 * again and again alike, until places come free: under a flood only the balance gets coarser.
 */
#pragma once

#include "table.h"

/* Bit 0 of the signature tells what is noted. */
#define NOTE_FLOW 0
#define NOTE_CLIENT 1

/* The first word of what is noted: which connection or client. */
static __always_inline __u32 note_signature(__u64 hash, __u32 kind)
{
	return ((__u32)(hash >> 32) & ~1u) | kind;
}

/* Where a note stands or may be written, and what it says. */
struct note {
	__u32 index;  /* in the map `half_open`; NO_PLACE: all places are taken */
	__u32 server; /* 0: nothing is noted */
};

static __always_inline __u16 half_open_time(__u64 now)
{
	return now >> settings.half_open_shift;
}

/* Of a flow: its name, of which the upper bits, the better mixed ones, give the place. */
static __always_inline __u64 half_open_hash(__u64 name)
{
	return name >> 32 | name << 32;
}

/* The note as one word: server << 32 | index. The global functions are that for the verifier's sake. */
__noinline __u64 half_open_search(__u64 hash, __u32 kind, __u64 now)
{
	__u32 signature = note_signature(hash, kind), free = NO_PLACE;
	/* One unit more than the age: a CPU that is a tick ahead of ours writes what is not yet for us. */
	__u16 time = half_open_time(now) + 1;

#pragma unroll
	for (int way = 0; way < 2; way++) {
		__u32 index = ((__u32)hash ^ way) & settings.half_open_mask;
		struct half_open *place = bpf_map_lookup_elem(&half_open, &index);
		__u64 word;
		__u32 server;
		__u16 age;

		if (!place)
			continue;
		word = WORD64(place);
		server = word >> 32 & 0xffff;
		age = time - (word >> 48);
		if ((__u32)word == signature && server && age <= settings.half_open_lifetime + 1)
			return (__u64)server << 32 | index;
		if (free == NO_PLACE && (!server || age > settings.half_open_hold + 1))
			free = index;
	}
	return free;
}

static __always_inline struct note half_open_find(__u64 hash, __u32 kind, __u64 now)
{
	__u64 word = half_open_search(hash, kind, now);
	struct note note = {.index = word, .server = word >> 32};

	return note;
}

/* Puts a word in the place of another, and takes what was there out of its server's count. */
__noinline int half_open_exchange(__u32 index, __u64 word)
{
	struct half_open *place = bpf_map_lookup_elem(&half_open, &index);
	struct server_load *load;
	__u64 before;
	__u32 server;

	if (!place)
		return 0;
	before = __sync_lock_test_and_set((__u64 *)place, word);
	server = before >> 32 & 0xffff;
	if (!server || (before & 1) != NOTE_FLOW)
		return 0;
	load = bpf_map_lookup_elem(&server_loads, &server);
	if (load)
		riptide_add_connections(load, 0, -1);
	return 0;
}

static __always_inline void half_open_write(__u32 index, __u64 hash, __u32 kind, __u32 server, __u64 now)
{
	struct server_load *load;

	if (index == NO_PLACE)
		return;
	load = bpf_map_lookup_elem(&server_loads, &server);
	if (load && kind == NOTE_FLOW)
		riptide_add_connections(load, 0, 1);
	half_open_exchange(index, (__u64)half_open_time(now) << 48 | (__u64)server << 32 | note_signature(hash, kind));
}

static __always_inline void half_open_clear(__u32 index)
{
	if (index != NO_PLACE)
		half_open_exchange(index, 0);
}

/*
 * Removes the note, which was there a moment ago, by a store that waits for nothing. (If another CPU has just put its own in its
 * place, that connection is scheduled by hash, and the next sweep corrects the count.)
 */
static __always_inline void half_open_forget(__u32 index)
{
	struct half_open *place = bpf_map_lookup_elem(&half_open, &index);

	if (place)
		WORD64(place) = 0;
}
