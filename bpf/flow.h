/* SPDX-License-Identifier: GPL-2.0-only */
/* Flows in being: the path of nearly every packet. */
#pragma once

#include "dr.h"
#include "persistence.h"

/* The flow that the packet belongs to. */
static __always_inline struct flow *flow_find(const struct packet *p)
{
	struct flow *flow = bpf_map_lookup_elem(&flows, &p->id);
	const __u64 *there, *here = (const __u64 *)&p->key;

	if (!flow)
		return NULL;
	there = (const __u64 *)&flow->key;
	if (there[0] != here[0] || there[1] != here[1] || there[2] != here[2] || there[3] != here[3] || there[4] != here[4])
		return NULL;
	return flow;
}

/* Ends a flow's share of its server's load, once, whoever comes first. */
static __always_inline void flow_end(struct flow *flow, __u32 open_state)
{
	__u32 server = flow->server;
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);
	struct server_load *load = bpf_map_lookup_elem(&server_loads, &server);

	if (__sync_val_compare_and_swap(&flow->state, open_state, RIPTIDE_FLOW_CLOSING) != open_state)
		return;
	if (load && real && real->generation == flow->generation)
		__sync_fetch_and_add(&load->established, -1);
}

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

	if (bpf_map_update_elem(&flows, &p->id, &flow, BPF_NOEXIST) == 0 && load && flow.state != RIPTIDE_FLOW_CLOSING)
		__sync_fetch_and_add(&load->established, 1);
}

/* What is to be done once in a while: told apart so that the common packet does not pay for it. */
static __noinline int flow_event(const struct packet *p, struct flow *flow, __u32 server_state)
{
	if ((p->now ^ flow->seen) >> settings.refresh_shift && server_state == RIPTIDE_SERVER_ONLINE)
		persistence_refresh(p, flow->service, flow->server);
	if (p->tcp_flags & (TCP_FIN | TCP_RST))
		flow_end(flow, RIPTIDE_FLOW_ESTABLISHED);
	return 0;
}

/* Whether the flow still holds: its server is there and keeps flows, and the client does not begin anew on old ports. */
static __always_inline int flow_holds(const struct packet *p, const struct flow *flow, const struct real_server *server)
{
	if (server->generation != flow->generation || server->state == RIPTIDE_SERVER_HALT)
		return 0;
	return !(p->tcp_flags & TCP_SYN) || flow->state != RIPTIDE_FLOW_CLOSING;
}

static __always_inline __u32 flow_packet(struct packet *p, struct ethernet_header *ethernet, struct flow *flow,
					 const struct real_server *server)
{
	__u32 verdict = emit_dr(p, ethernet, server, RIPTIDE_FORWARD_FLOW);

	if (verdict != RIPTIDE_FORWARD_FLOW)
		return verdict;
	if ((p->now ^ flow->seen) >> settings.refresh_shift || p->tcp_flags & (TCP_FIN | TCP_RST))
		flow_event(p, flow, server->state);
	flow->seen = p->now;
	flow->packets += 1;
	flow->bytes += p->length;
	count_traffic(p, flow->server, 0);
	return verdict;
}
