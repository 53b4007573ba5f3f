/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet of no known flow: is it a service's, and which server gets it? */
#pragma once

#include "flow.h"
#include "half_open.h"
#include "schedule.h"
#include "service.h"

/* The server if it belongs to the service and takes packets of clients that it knows already. */
static __always_inline struct real_server *server_of(__u32 number, __u32 service)
{
	struct real_server *server = bpf_map_lookup_elem(&real_servers, &number);

	if (!number || !server || !server->generation || server->service != service)
		return NULL;
	return server->state == RIPTIDE_SERVER_HALT ? NULL : server;
}

/* What is known of the connection that the packet belongs to or begins. */
struct connection {
	__u32 service_number;
	__u32 server;
	struct service *service;
	struct real_server *real;
	struct persistence_key client;
	struct note flow_note;
	struct note client_note;
	__u64 flow_hash;
	__u64 client_hash;
	__u32 remembered; /* the server comes from the persistence table */
};

/* A server that the connection or its client has already. */
static __always_inline void recall(const struct packet *p, struct connection *c)
{
	struct persistence *entry;

	c->server = c->flow_note.server;
	c->real = server_of(c->server, c->service_number);
	if (c->real || !c->service->persistence_timeout)
		return;
	entry = bpf_map_lookup_elem(&persistence, &c->client);
	if (entry && !persistence_expired(entry, c->service, p->now)) {
		c->server = entry->server;
		c->real = server_of(c->server, c->service_number);
		if (c->real && c->real->generation == entry->generation) {
			if (c->real->state == RIPTIDE_SERVER_ONLINE)
				WORD64(&entry->seen) = p->now;
			c->remembered = 1;
			return;
		}
	}
	c->server = c->client_note.server;
	c->real = server_of(c->server, c->service_number);
}

/* A server for a connection of which nothing is known. */
static __always_inline void choose(const struct packet *p, struct connection *c, int begins)
{
	int persistent = c->service->persistence_timeout != 0;
	const struct note *memory = persistent ? &c->client_note : &c->flow_note;
	/* Where the client has one server for all, the hash is the client's: a node that just took over finds that server. */
	int by_client = persistent || c->service->scheduler == RIPTIDE_SCHEDULER_SH;
	__u64 hash = by_client ? c->client_hash : c->flow_hash;

	if (begins && memory->place)
		c->server = schedule(c->service, c->service_number, hash);
	else
		c->server = schedule_by_hash(c->service, hash);
	c->real = server_of(c->server, c->service_number);
}

/* From here on the persistence table alone tells the client's server: a note beside it would outlive a short time-out. */
static __always_inline void remember_client(const struct packet *p, const struct connection *c)
{
	struct persistence entry = {.seen = p->now, .server = c->server, .generation = c->real->generation};
	struct persistence *known;

	if (c->remembered)
		return;
	if (c->client_note.server)
		half_open_clear(&c->client_note);
	known = bpf_map_lookup_elem(&persistence, &c->client);
	if (known && known->server == c->server && known->generation == c->real->generation) {
		if (c->real->state == RIPTIDE_SERVER_ONLINE)
			WORD64(&known->seen) = p->now;
		return;
	}
	bpf_map_update_elem(&persistence, &c->client, &entry, BPF_ANY);
}

static __always_inline __u32 refuse(const struct connection *c)
{
	struct service_traffic *traffic = bpf_map_lookup_elem(&service_traffic, &c->service_number);

	if (c->service->table_size)
		return RIPTIDE_DROP_TABLE_CHANGING;
	if (traffic)
		traffic->refused += 1;
	return RIPTIDE_DROP_NO_SERVER;
}

static __always_inline __u32 begin_connection(struct packet *p, struct ethernet_header *ethernet, struct connection *c)
{
	int tcp = p->key.protocol == IPPROTO_TCP;
	int begins = !tcp || (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	int persistent = c->service->persistence_timeout != 0;
	__u32 verdict;

	c->flow_hash = hash_flow(&p->key, settings.schedule_seed);
	persistence_client(p, c->service, c->client.client);
	c->client_hash = hash_address(c->client.client, settings.schedule_seed);
	c->flow_note = half_open_find(mix(p->name), NOTE_FLOW, p->now);
	if (persistent)
		c->client_note = half_open_find(
			mix(c->client_hash ^ settings.secret ^ (__u64)c->service_number << 32), NOTE_CLIENT, p->now);

	recall(p, c);
	if (!c->real)
		choose(p, c, begins);
	/* The service may have changed between the reading of its parts: what it is now decides. */
	if (!c->real) {
		c->service = bpf_map_lookup_elem(&services, &c->service_number);
		if (!c->service)
			return RIPTIDE_DROP_TABLE_CHANGING;
		choose(p, c, begins);
	}
	if (!c->real)
		return refuse(c);

	if (!reaches_vlan(p, c->real))
		return RIPTIDE_DROP_VLAN;

	if (tcp && !begins)
		verdict = c->flow_note.server ? RIPTIDE_FORWARD_CONFIRMED : RIPTIDE_FORWARD_STRAY;
	else
		verdict = !tcp && c->flow_note.server ? RIPTIDE_FORWARD_CONFIRMED : RIPTIDE_FORWARD_NEW;
	verdict = emit_dr(p, ethernet, c->real, verdict);

	switch (verdict) {
	case RIPTIDE_FORWARD_CONFIRMED:
		flow_begin(p, c->service_number, c->server, c->real->generation);
		half_open_clear(&c->flow_note);
		if (persistent)
			remember_client(p, c);
		count_traffic(p, c->server, tcp);
		break;
	case RIPTIDE_FORWARD_NEW:
	case RIPTIDE_FORWARD_STRAY:
		if (persistent && !tcp && c->client_note.server)
			remember_client(p, c);
		else if (persistent && !c->remembered && c->client_note.place)
			half_open_write(&c->client_note, c->server, p->now);
		if (c->flow_note.place)
			half_open_write(&c->flow_note, c->server, p->now);
		count_traffic(p, c->server, !tcp);
		break;
	}
	return verdict;
}

static __noinline __u32 connect(struct packet *p)
{
	struct ethernet_header *ethernet = packet_begin(p);
	struct connection c __attribute__((aligned(8))) = {};
	struct found stale;
	struct vip *vip = find_vip(p->key.destination);

	if (!vip)
		return RIPTIDE_PASS_NOT_VIP;
	c.service_number = find_service(vip, p->key.protocol, bpf_ntohs(p->key.destination_port));
	if (!c.service_number)
		return RIPTIDE_PASS_PORT;
	if ((void *)(ethernet + 1) > packet_end(p) || !addressed_to_us(p, ethernet->destination))
		return RIPTIDE_PASS_OTHER_HOST;
	c.service = bpf_map_lookup_elem(&services, &c.service_number);
	if (!c.service)
		return RIPTIDE_DROP_TABLE_CHANGING;

	/* A flow that no longer holds makes way for its successor. */
	stale = flow_find(&p->key, p->name);
	if (stale.flow)
		flow_remove(&stale, p->name);
	c.client.service = c.service_number;
	return begin_connection(p, ethernet, &c);
}
