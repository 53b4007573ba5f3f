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

struct note {
	__u32 index; /* where it stands or may be written, in the map `half_open`; NO_PLACE: all places are taken */
	__u32 signature;
	__u32 server; /* 0: nothing is noted */
};

static __always_inline __u16 half_open_time(__u64 now)
{
	return now >> settings.half_open_shift;
}

/* The global functions are that for the verifier's sake. */
__noinline int half_open_find(struct note *note, __u64 hash, __u32 kind, __u64 now)
{
	if (!note)
		return 0;
	note->index = NO_PLACE;
	note->signature = ((__u32)(hash >> 32) & ~1u) | kind;
	note->server = RIPTIDE_NO_SERVER;
	for (int way = 0; way < 2; way++) {
		__u32 index = ((__u32)hash ^ way) & settings.half_open_mask;
		struct half_open *place = bpf_map_lookup_elem(&half_open, &index);
		struct half_open there;
		__u16 age;

		if (!place)
			continue;
		*(__u64 *)&there = WORD64(place);
		/* One unit more than the age: a CPU that is a tick ahead of ours writes what is not yet for us. */
		age = half_open_time(now) - there.seen + 1;
		if (there.server && there.signature == note->signature && age <= settings.half_open_lifetime + 1) {
			note->index = index;
			note->server = there.server;
			return 1;
		}
		if (note->index == NO_PLACE && (!there.server || age > settings.half_open_hold + 1))
			note->index = index;
	}
	return 0;
}

/* Puts a word in the place of another, and takes what was there out of its server's count. */
__noinline int half_open_exchange(__u32 index, __u64 word)
{
	struct half_open *place = bpf_map_lookup_elem(&half_open, &index);
	struct half_open before;
	struct server_load *load;
	__u32 server;

	if (!place)
		return 0;
	*(__u64 *)&before = __sync_lock_test_and_set((__u64 *)place, word);
	if (!before.server || (before.signature & 1) != NOTE_FLOW)
		return 0;
	server = before.server;
	load = bpf_map_lookup_elem(&server_loads, &server);
	if (load)
		__sync_fetch_and_add(&load->half_open, -1);
	return 0;
}

static __always_inline void half_open_write(const struct note *note, __u32 server, __u64 now)
{
	struct half_open word = {.signature = note->signature, .server = server, .seen = half_open_time(now)};
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);

	if (note->index == NO_PLACE)
		return;
	if (load && (note->signature & 1) == NOTE_FLOW)
		__sync_fetch_and_add(&load->half_open, 1);
	half_open_exchange(note->index, *(__u64 *)&word);
}

static __always_inline void half_open_clear(const struct note *note)
{
	if (note->index != NO_PLACE)
		half_open_exchange(note->index, 0);
}
