/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments. The first has ports and goes the way of any packet; where it went is noted for the later ones, which have nothing
 * but addresses and an identification. A later fragment that overtakes its first is dropped.
 */
#pragma once

#include "dr.h"
#include "translate.h"
#include "tunnel.h"

/* How long an identification means the same packet (RFC 8200 §4.5 gives reassembly as long). */
#define FRAGMENT_SECONDS 60

static __always_inline void fragment_key(struct fragment_key *key, const struct packet *p)
{
	copy_address(key->source, p->key.source);
	copy_address(key->destination, p->key.destination);
	key->identification = p->identification;
	key->protocol = p->key.protocol;
}

/* Notes where a first fragment goes; `place` is of its flow, if that translates. */
static __noinline int note_fragment(const struct packet *p, __u32 place, __u32 server, __u32 mode, __u32 is_answer)
{
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);
	struct translation *translation = translation_at(place);
	struct flow *flow = flow_at(place);
	struct fragment_key key __attribute__((aligned(8)));
	struct fragment note __attribute__((aligned(8))) = {.seen = p->now, .server = server, .mode = mode, .is_answer = is_answer};

	if (!real)
		return 0;
	note.generation = real->generation;
	if (is_translating(mode) && translation && flow) {
		note.link = *translation;
		if (is_answer) {
			copy_address(note.link.source, flow->key.destination);
			copy_address(note.link.destination, flow->key.source);
			note.link.network_delta = ~translation->network_delta;
		}
	} else {
		*(__u64 *)note.link.source = p->name;
	}
	fragment_key(&key, p);
	bpf_map_update_elem(&fragments, &key, &note, BPF_ANY);
	return 0;
}

static __always_inline __u32 follow_translated(struct packet *p, struct ethernet_header *ethernet, struct fragment *note,
					       const struct real_server *server)
{
	struct rewrite r = {
		.source = (const __u64 *)note->link.source,
		.destination = (const __u64 *)note->link.destination,
		.network_delta = note->link.network_delta,
	};
	__u32 verdict;

	if (!addressed_to_us(p, ethernet->destination))
		return RIPTIDE_PASS_OTHER_HOST;
	if (!note->is_answer && !server->interface)
		return RIPTIDE_DROP_NO_NEIGHBOUR;
	verdict = rewrite(p, &r, RIPTIDE_FORWARD_FRAGMENT);
	if (verdict != RIPTIDE_FORWARD_FRAGMENT)
		return RIPTIDE_DROP_EXPIRED;
	if (note->is_answer)
		leave(p, ethernet, mac_word(note->link.client_mac), mac_word(note->link.own_mac), note->link.client_interface);
	else
		leave(p, ethernet, mac_word(server->mac), mac_word(server->source_mac), server->interface);
	return verdict;
}

/* A later fragment goes where its first went; RIPTIDE_DROP_FRAGMENT if that is not known. */
static __noinline __u32 follow_fragment(struct packet *p)
{
	struct ethernet_header *ethernet = packet_begin(p);
	struct real_server *server;
	struct server_traffic *traffic;
	struct fragment_key key __attribute__((aligned(8)));
	struct fragment *note;
	__u32 number, verdict;

	if ((void *)(ethernet + 1) > packet_end(p))
		return RIPTIDE_DROP_FRAGMENT;
	fragment_key(&key, p);
	note = bpf_map_lookup_elem(&fragments, &key);
	if (!note || (__s64)(p->now - note->seen) > (__s64)FRAGMENT_SECONDS * settings.hz)
		return RIPTIDE_DROP_FRAGMENT;
	number = note->server;
	server = bpf_map_lookup_elem(&real_servers, &number);
	if (!server || server->generation != note->generation || server->state == RIPTIDE_SERVER_HALT)
		return RIPTIDE_DROP_SERVER_GONE;
	/* By which a tunnel chooses its path: the first fragment's. */
	p->name = *(__u64 *)note->link.source;
	if (note->mode == RIPTIDE_MODE_DR)
		verdict = emit_dr(p, ethernet, server, RIPTIDE_FORWARD_FRAGMENT);
	else if (note->mode == RIPTIDE_MODE_TUNNEL)
		verdict = emit_tunnel(p, ethernet, server, number, RIPTIDE_FORWARD_FRAGMENT);
	else
		verdict = follow_translated(p, ethernet, note, server);
	if (verdict != RIPTIDE_FORWARD_FRAGMENT)
		return verdict;
	traffic = bpf_map_lookup_elem(&server_traffic, &number);
	if (traffic && note->is_answer) {
		traffic->answer_packets += 1;
		traffic->answer_bytes += p->length;
	} else if (traffic) {
		traffic->packets += 1;
		traffic->bytes += p->length;
	}
	return verdict;
}
