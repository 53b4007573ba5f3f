/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows in being: the path of nearly every packet. */
#pragma once

#include "dr.h"
#include "persistence.h"
#include "table.h"

/* A TCP client that gives up with its second packet (a port scan does) has no open flow: it begins as closing. */
static __always_inline __u32 first_state(const struct packet *p)
{
	if (p->key.protocol != IPPROTO_TCP)
		return RIPTIDE_FLOW_UDP;
	return p->tcp_flags & (TCP_FIN | TCP_RST) ? RIPTIDE_FLOW_CLOSING : RIPTIDE_FLOW_ESTABLISHED;
}

static __always_inline void flow_begin(const struct packet *p, __u32 service, __u32 server, __u32 generation)
{
	struct flow flow = {
		.key = p->key,
		.seen = p->now,
		.began = p->now,
		.packets = 1,
		.bytes = p->length,
		.server = server,
		.generation = generation,
		.service = service,
		.state = first_state(p),
	};
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);

	if (flow_enter(&flow, p->name) && load && flow.state != RIPTIDE_FLOW_CLOSING)
		__sync_fetch_and_add(&load->established, 1);
}

/* A flow's server, as the flow knows it. */
struct assignment {
	struct real_server *server; /* null: the flow has just gone, or its server has */
	__u32 number;
	__u32 generation;
};

static __always_inline struct assignment flow_server(const struct found *found, __u64 name)
{
	__u64 word = WORD64(&found->flow->server);
	struct assignment assigned = {.number = word, .generation = word >> 32};

	if (still_there(found, name))
		assigned.server = bpf_map_lookup_elem(&real_servers, &assigned.number);
	return assigned;
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

/* Whether the flow still holds: its server is there and keeps flows, and the client does not begin anew on old ports. */
static __always_inline int flow_holds(const struct packet *p, const struct flow *flow, const struct assignment *assigned)
{
	if (assigned->server->generation != assigned->generation || assigned->server->state == RIPTIDE_SERVER_HALT)
		return 0;
	return !(p->tcp_flags & TCP_SYN) || flow->state != RIPTIDE_FLOW_CLOSING;
}

static __always_inline __u32 flow_packet(struct packet *p, struct ethernet_header *ethernet, struct flow *flow,
					 const struct assignment *assigned)
{
	__u32 verdict = emit_dr(p, ethernet, assigned->server, RIPTIDE_FORWARD_FLOW);

	if (verdict != RIPTIDE_FORWARD_FLOW)
		return verdict;
	if ((p->now ^ flow->seen) >> settings.refresh_shift || p->tcp_flags & (TCP_FIN | TCP_RST))
		flow_event(p, flow, assigned->server->state);
	flow->seen = p->now;
	flow->packets += 1;
	flow->bytes += p->length;
	count_traffic(p, assigned->number, 0);
	return verdict;
}
