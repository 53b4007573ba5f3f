/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows in being: the path of nearly every packet. */
#pragma once

#include "dr.h"
#include "fragment.h"
#include "persistence.h"
#include "snat.h"
#include "translate.h"
#include "tunnel.h"

/* A TCP client that gives up with its second packet (a port scan does) has no open flow: it begins as closing. */
static __always_inline __u32 first_state(const struct packet *p)
{
	if (p->key.protocol != IPPROTO_TCP)
		return RIPTIDE_FLOW_UDP;
	return p->tcp_flags & (TCP_FIN | TCP_RST) ? RIPTIDE_FLOW_CLOSING : RIPTIDE_FLOW_ESTABLISHED;
}

/* A connection is confirmed; `noted` is the server that its note counts for, 0 if there is none. */
static __always_inline void count_confirmed(__u32 server, __u32 noted, __u32 state)
{
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);

	if (load)
		riptide_add_connections(load, state != RIPTIDE_FLOW_CLOSING, server == noted ? -1 : 0);
	if (!noted || noted == server)
		return;
	load = bpf_map_lookup_elem(&server_loads, &noted);
	if (load)
		riptide_add_connections(load, 0, -1);
}

static __always_inline void count_established(__u32 server, __u32 state)
{
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);

	if (load && state != RIPTIDE_FLOW_CLOSING)
		riptide_add_connections(load, 1, 0);
}

/* Where a flow begins. */
struct beginning {
	__u32 service;
	__u32 mode;
	__u32 server;
	__u32 generation; /* of the server */
};

static __always_inline void fill_flow(struct flow *flow, const struct packet *p, const struct beginning *b, __u32 state)
{
	flow->key = p->key;
	flow->seen = p->now;
	flow->began = p->now;
	flow->packets = 1;
	flow->bytes = p->length;
	flow->answer_packets = 0;
	flow->answer_bytes = 0;
	flow->server = b->server;
	flow->generation = b->generation;
	flow->service = b->service;
	flow->state = state;
	*(__u64 *)&flow->mode = b->mode;
}

/* The flow of a confirmed connection, in a mode that translates nothing. */
static __noinline int flow_begin(const struct packet *p, const struct beginning *b, __u32 noted)
{
	__u32 place = claim(p->name, FLOWS);
	struct flow *flow = flow_at(place);

	__u32 state = first_state(p);

	if (!flow)
		return 0;
	/* Before the flow is written: a locked operation would wait for its memory, and a store does not. */
	count_confirmed(b->server, noted, state);
	fill_flow(flow, p, b, state);
	publish(place, p->name);
	return 0;
}

#define NO_PORT (NO_PLACE - 1)

static __always_inline void fill_translation(struct translation *translation, const struct packet *p,
					     const struct ethernet_header *ethernet, const struct real_server *real)
{
	copy_address(translation->source, p->key.source);
	translation->source_port = p->key.source_port;
	copy_address(translation->destination, real->address);
	translation->destination_port = real->port ? real->port : p->key.destination_port;
	copy_mac(translation->client_mac, ethernet->source);
	copy_mac(translation->own_mac, ethernet->destination);
	translation->client_vlan = p->vlan;
	translation->client_interface = p->xdp->ingress_ifindex;
}

/* Fills the claimed place of a translated flow's beginning, but for what depends on the source port. */
static __noinline int fill_beginning(const struct packet *p, const struct ethernet_header *ethernet, const struct beginning *b,
				     __u32 place)
{
	__u32 server = b->server;
	struct flow *flow = flow_at(place);
	struct translation *translation = translation_at(place);
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);

	if (!flow || !translation || !real)
		return 0;
	fill_flow(flow, p, b, RIPTIDE_FLOW_BEGINNING);
	fill_translation(translation, p, ethernet, real);
	if (b->mode == RIPTIDE_MODE_SNAT)
		copy_address(translation->source, real->source);
	return 1;
}

/* The rest. */
static __always_inline void complete_beginning(const struct packet *p, const struct beginning *b, __u32 place)
{
	__u32 server = b->server;
	struct translation *translation = translation_at(place);
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);

	if (!translation || !load)
		return;
	set_deltas(translation, &p->key);
	if (b->mode == RIPTIDE_MODE_SNAT)
		__sync_fetch_and_add(&load->source_ports, 1);
	riptide_add_connections(load, 0, 1);
}

/*
 * The beginning of a translated flow: its first packet has come, and the answer must find its way. Answers its place; NO_PLACE
 * if there was none, NO_PORT if no source port was free.
 */
static __always_inline __u32 translation_begin(const struct packet *p, const struct ethernet_header *ethernet,
					       const struct beginning *b)
{
	__u32 place = claim(p->name, BEGINNINGS);
	struct flow *flow;

	if (place == NO_PLACE)
		return NO_PLACE;
	if (!fill_beginning(p, ethernet, b, place) || !settle_source_port(place, b->service, b->mode)) {
		flow = flow_at(place);
		if (flow)
			flow->state = RIPTIDE_FLOW_FREE;
		publish(place, RIPTIDE_CELL_FREE);
		return NO_PORT;
	}
	complete_beginning(p, b, place);
	expect_answers(place, BEGINNINGS);
	publish(place, p->name);
	return place;
}

/* The first packet came again. */
static __always_inline void beginning_repeated(const struct packet *p, __u32 place)
{
	struct flow *flow = flow_at(place);

	if (!flow)
		return;
	flow->seen = p->now;
	flow->packets += 1;
	flow->bytes += p->length;
}

/* A beginning that was confirmed becomes a flow. */
static __noinline int translation_confirm(const struct packet *p, __u32 beginning)
{
	__u32 place = claim_place(p->name, FLOWS);
	struct flow *flow = flow_at(place), *from = flow_at(beginning);
	struct translation *translation = translation_at(place), *from_translation = translation_at(beginning);
	__u32 server, state;
	struct server_load *load;

	if (!flow || !translation || !from || !from_translation)
		return 0;
	/* Before the flow is written: a locked operation would wait for its memory, and a store does not. */
	state = first_state(p);
	server = from->server;
	count_established(server, state);
	load = bpf_map_lookup_elem(&server_loads, &server);
	if (load && from->mode == RIPTIDE_MODE_SNAT)
		__sync_fetch_and_add(&load->source_ports, 1);
	*flow = *from;
	*translation = *from_translation;
	flow->seen = p->now;
	flow->state = state;
	flow->packets += 1;
	flow->bytes += p->length;
	expect_answers(place, FLOWS);
	publish(place, p->name);
	flow_remove(beginning);
	return 0;
}

/* A flow's server, as the flow knows it. */
struct assignment {
	struct real_server *server; /* null: the flow has just gone, or its server has */
	__u32 number;
	__u32 generation;
};

static __always_inline struct assignment flow_server(const struct found *found)
{
	__u64 word = WORD64(&found->flow->server);
	struct assignment assigned = {.number = word, .generation = word >> 32};

	if (still_there(found))
		assigned.server = bpf_map_lookup_elem(&real_servers, &assigned.number);
	return assigned;
}

/* Whether the flow's server is there and keeps flows. */
static __always_inline int is_served(const struct assignment *assigned)
{
	return assigned->server && assigned->server->generation == assigned->generation &&
	       assigned->server->state != RIPTIDE_SERVER_HALT;
}

/* What is to be done once in a while: told apart so that the common packet does not pay for it. */
static __noinline int flow_event(const struct packet *p, struct flow *flow, __u32 server_state)
{
	if ((p->now ^ flow->seen) >> settings.refresh_shift && server_state == RIPTIDE_SERVER_ONLINE)
		persistence_refresh(p, flow->service, flow->server);
	if (p->tcp_flags & (TCP_FIN | TCP_RST))
		flow_close(flow);
	return 0;
}

/* Whether the flow still holds: it is served, and the client does not begin anew on old ports. */
static __always_inline int flow_holds(const struct packet *p, const struct flow *flow, const struct assignment *assigned)
{
	return is_served(assigned) && (!(p->tcp_flags & TCP_SYN) || flow->state != RIPTIDE_FLOW_CLOSING);
}

/* A packet of a client. */
static __always_inline __u32 flow_packet(struct packet *p, struct ethernet_header *ethernet, const struct found *found,
					 const struct assignment *assigned)
{
	struct flow *flow = found->flow;
	__u32 verdict;

	if (flow->mode == RIPTIDE_MODE_DR) {
		verdict = emit_dr(p, ethernet, assigned->server, RIPTIDE_FORWARD_FLOW);
	} else if (flow->mode == RIPTIDE_MODE_TUNNEL) {
		verdict = emit_tunnel(p, ethernet, assigned->server, assigned->number, RIPTIDE_FORWARD_FLOW);
	} else {
		struct translation *translation = translation_at(found->place);

		if (!translation)
			return RIPTIDE_DROP_TABLE_CHANGING;
		verdict = emit_to_server(p, ethernet, translation, assigned->server, RIPTIDE_FORWARD_FLOW);
	}
	if (verdict != RIPTIDE_FORWARD_FLOW)
		return verdict;
	if (p->fragment)
		note_fragment(p, found->place, assigned->number, flow->mode, 0);
	if ((p->now ^ flow->seen) >> settings.refresh_shift || p->tcp_flags & (TCP_FIN | TCP_RST))
		flow_event(p, flow, assigned->server->state);
	flow->seen = p->now;
	flow->packets += 1;
	flow->bytes += p->length;
	count_traffic(p, assigned->number, 0);
	return verdict;
}

/* A packet of a real server to a client. */
static __always_inline __u32 answer_packet(struct packet *p, struct ethernet_header *ethernet, const struct found *found,
					   const struct assignment *assigned)
{
	struct flow *flow = found->flow;
	struct translation *translation = translation_at(found->place);
	struct server_traffic *traffic;
	__u32 number = assigned->number, verdict;

	if (!translation)
		return RIPTIDE_DROP_TABLE_CHANGING;
	if (p->fragment)
		note_fragment(p, found->place, number, flow->mode, 1);
	verdict = emit_to_client(p, ethernet, flow, translation, assigned->server);
	if (verdict != RIPTIDE_FORWARD_ANSWER)
		return verdict;
	if (p->tcp_flags & (TCP_FIN | TCP_RST) && flow->state != RIPTIDE_FLOW_BEGINNING)
		flow_close(flow);
	flow->seen = p->now;
	flow->answer_packets += 1;
	flow->answer_bytes += p->length;
	traffic = bpf_map_lookup_elem(&server_traffic, &number);
	if (traffic) {
		traffic->answer_packets += 1;
		traffic->answer_bytes += p->length;
	}
	return verdict;
}
