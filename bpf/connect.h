/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet of no known flow: is it a service's, and which server gets it? */
#pragma once

#include "admit.h"
#include "flow.h"
#include "half_open.h"
#include "schedule.h"
#include "service.h"

/* Whether the server belongs to the service and takes packets of clients that it knows already. */
enum usable {
	GONE,
	FULL, /* it takes no more connections than it has */
	USABLE,
};

/* Global functions, for the verifier's sake. `generation` 0 is any. */
__noinline int usable(__u32 number, __u32 service, __u32 generation)
{
	struct real_server *server = bpf_map_lookup_elem(&real_servers, &number);

	if (!number || !server || !server->generation || server->service != service ||
	    server->state == RIPTIDE_SERVER_HALT || (generation && generation != server->generation))
		return GONE;
	return is_full(server, number) ? FULL : USABLE;
}

/* What is known of the connection that the packet belongs to or begins. No pointers: it is handed to global functions. */
struct connection {
	__u64 name;
	__u64 now;
	__u64 hash; /* by which its server is chosen */
	struct persistence_key client;
	__u32 server;    /* 0: none yet */
	__u32 service;
	__u32 mode;      /* enum riptide_mode */
	__u32 beginning; /* of a translated flow: its place; else NO_PLACE */
	__u32 stage;     /* the verdict that fits where the connection stands, if all goes well */
	__u8 tcp;
	__u8 begins;     /* the packet may be the first */
	__u8 persistent;
	__u8 remembered; /* the server comes from the persistence table */
	__u8 full;       /* a server was passed over for having all the connections that it may have */
	__u8 scheduled;  /* by the service's scheduler, else by hash, which needs no memory */
	__u8 fallback;   /* the server is the service's fallback */
	__u8 restricted; /* the service does not take every client */
	struct note flow_note;
	struct note client_note;
};

static __always_inline int is_translating(__u32 mode)
{
	return mode == RIPTIDE_MODE_NAT || mode == RIPTIDE_MODE_SNAT;
}

/* In which order a connection's packets come: what this one is. */
static __always_inline __u32 stage_of(const struct connection *c)
{
	int known = c->flow_note.server || c->beginning != NO_PLACE;

	if (c->tcp && !c->begins)
		return known ? RIPTIDE_FORWARD_CONFIRMED : RIPTIDE_FORWARD_STRAY;
	return !c->tcp && known ? RIPTIDE_FORWARD_CONFIRMED : RIPTIDE_FORWARD_NEW;
}

/* What an earlier packet of the connection left, and what of its client. */
__noinline int recall(struct connection *c, struct flow_key *key)
{
	struct service *service;
	__u32 number;

	if (!c || !key)
		return 0;
	number = c->service;
	service = service_at(number);
	if (!service)
		return 0;
	c->mode = service->mode;
	c->persistent = service->persistence_timeout != 0;
	c->client.service = number;
	persistence_client(key, service, c->client.client);
	c->beginning = NO_PLACE;
	c->flow_note.index = NO_PLACE;
	c->flow_note.server = RIPTIDE_NO_SERVER;
	c->client_note.index = NO_PLACE;
	c->client_note.server = RIPTIDE_NO_SERVER;
	c->restricted = service->flags & RIPTIDE_SERVICE_HAS_RULES || service->rate_interval;
	/* Where the client has one server for all, the hash is the client's: a node that just took over finds that server. */
	if (c->persistent || service->scheduler == RIPTIDE_SCHEDULER_SH)
		c->hash = hash_address(c->client.client, settings.schedule_seed);
	else
		c->hash = hash_flow(key, settings.schedule_seed);
	if (c->persistent)
		half_open_find(&c->client_note, mix(c->hash ^ settings.secret ^ (__u64)number << 32), NOTE_CLIENT, c->now);
	if (is_translating(c->mode)) {
		struct found found = beginning_find(key, c->name);

		if (found.flow && usable(found.flow->server, number, found.flow->generation) != GONE) {
			c->beginning = found.place;
			c->server = found.flow->server;
		} else if (found.flow) {
			flow_remove(found.place);
		}
		c->scheduled = c->begins;
	} else {
		half_open_find(&c->flow_note, mix(c->name), NOTE_FLOW, c->now);
		if (usable(c->flow_note.server, number, 0) != GONE)
			c->server = c->flow_note.server;
		c->scheduled = c->begins && c->flow_note.index != NO_PLACE;
	}
	if (c->persistent)
		c->scheduled = c->begins && c->client_note.index != NO_PLACE;
	c->fallback = c->server && c->server == service->fallback;
	c->stage = stage_of(c);
	return 1;
}

/* Takes a server for a connection that is new to it, if it has room. */
static __always_inline int take(struct connection *c, __u32 number, __u32 generation)
{
	int state = usable(number, c->service, generation);

	c->full |= state == FULL;
	c->server = state == USABLE ? number : RIPTIDE_NO_SERVER;
	return state == USABLE;
}

/* A draining server's clients are not kept for longer. */
static __always_inline void refresh_client(struct persistence *entry, __u32 server, __u64 now)
{
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);

	if (real && real->state == RIPTIDE_SERVER_ONLINE)
		WORD64(&entry->seen) = now;
}

/* A server that the client has already. */
static __always_inline int take_clients_own(struct connection *c, const struct service *service)
{
	/* Linux before 6.4 takes no keys out of what a global function is given. */
	struct persistence_key client = c->client;
	struct persistence *entry = bpf_map_lookup_elem(&persistence, &client);

	if (entry && !persistence_expired(entry, service, c->now) && take(c, entry->server, entry->generation)) {
		refresh_client(entry, c->server, c->now);
		c->remembered = 1;
		return 1;
	}
	return take(c, c->client_note.server, 0);
}

/*
 * A server for a connection that has none: the client's own, else a new one. The service may change between the reading of its
 * parts: then it is asked once more. Answers RIPTIDE_DROP_TABLE_CHANGING, or 0 also if there is no server.
 */
__noinline int choose(struct connection *c)
{
	struct service *service;
	__u32 number, server;

	if (!c)
		return 0;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		number = c->service;
		service = service_at(number);
		if (!service)
			return RIPTIDE_DROP_TABLE_CHANGING;
		if (c->persistent && take_clients_own(c, service))
			return 0;
		server = c->scheduled ? schedule(service, number, c->hash) : schedule_by_hash(service, c->hash);
		if (take(c, server, 0))
			return 0;
		if (c->full && take(c, schedule_beside(service, c->hash), 0))
			return 0;
		if (!c->full && service->table_size)
			continue;
		c->fallback = service->fallback && take(c, service->fallback, 0);
		return 0;
	}
	return RIPTIDE_DROP_TABLE_CHANGING;
}

/* There is no server: the client is told at once. */
static __always_inline __u32 refuse(const struct connection *c)
{
	__u32 number = c->service;
	struct service_traffic *traffic = bpf_map_lookup_elem(&service_traffic, &number);

	if (traffic)
		traffic->refused += 1;
	return RIPTIDE_REPLY_REFUSED;
}

/* From here on the persistence table alone tells the client's server: a note beside it would outlive a short time-out. */
static __always_inline void remember_client(const struct connection *c)
{
	__u32 server = c->server;
	struct real_server *real = bpf_map_lookup_elem(&real_servers, &server);
	struct persistence entry = {.seen = c->now, .server = c->server};
	struct persistence_key client = c->client;
	struct persistence *known;

	if (c->remembered || !real)
		return;
	entry.generation = real->generation;
	if (c->client_note.server)
		half_open_clear(&c->client_note);
	known = bpf_map_lookup_elem(&persistence, &client);
	if (known && known->server == server && known->generation == entry.generation)
		refresh_client(known, server, c->now);
	else
		bpf_map_update_elem(&persistence, &client, &entry, BPF_ANY);
}

/* What stays of a packet that was sent on as its stage says. */
__noinline int keep(struct connection *c)
{
	if (!c)
		return 0;
	if (!is_translating(c->mode)) {
		if (c->stage == RIPTIDE_FORWARD_CONFIRMED)
			half_open_clear(&c->flow_note);
		else
			half_open_write(&c->flow_note, c->server, c->now);
	}
	if (!c->persistent || c->fallback)
		return 0;
	if (c->stage == RIPTIDE_FORWARD_CONFIRMED || (!c->tcp && c->client_note.server))
		remember_client(c);
	else if (!c->remembered)
		half_open_write(&c->client_note, c->server, c->now);
	return 0;
}

/* dr and tunnel: the first packet leaves a note, the second a flow. */
static __always_inline __u32 forward_as_is(struct packet *p, struct ethernet_header *ethernet, const struct connection *c,
					   const struct real_server *real)
{
	if (p->fragment)
		note_fragment(p, NO_PLACE, c->server, c->mode, 0);
	if (c->mode == RIPTIDE_MODE_TUNNEL)
		return emit_tunnel(p, real, c->server, c->stage);
	if (!reaches_vlan(p, real->interface, real->vlan))
		return RIPTIDE_DROP_VLAN;
	return emit_dr(p, ethernet, real, c->stage);
}

/* nat and snat: the first packet leaves a beginning, by which the answer finds its way; the second makes it a flow. */
static __always_inline __u32 forward_translated(struct packet *p, struct ethernet_header *ethernet, struct connection *c,
						const struct real_server *real)
{
	struct translation *translation;
	__u32 fresh = c->beginning == NO_PLACE, verdict;

	if (!real->interface)
		return RIPTIDE_DROP_NO_NEIGHBOUR;
	if (!reaches_vlan(p, real->interface, real->vlan))
		return RIPTIDE_DROP_VLAN;
	if (fresh) {
		struct beginning b = {.service = c->service, .mode = c->mode, .server = c->server};

		c->beginning = translation_begin(p, ethernet, &b);
	} else if (c->stage != RIPTIDE_FORWARD_CONFIRMED) {
		beginning_repeated(p, c->beginning);
	}
	if (c->beginning == NO_PORT) {
		__u32 number = c->service;
		struct service_traffic *traffic = bpf_map_lookup_elem(&service_traffic, &number);

		if (traffic)
			traffic->exhausted += 1;
		return RIPTIDE_DROP_NO_PORT;
	}
	translation = translation_at(c->beginning);
	if (!translation)
		return RIPTIDE_DROP_TABLE_CHANGING;
	if (p->fragment)
		note_fragment(p, c->beginning, c->server, c->mode, 0);
	verdict = emit_to_server(p, ethernet, translation, real, c->stage);
	/* A packet that went nowhere began nothing. */
	if (fresh && verdict != c->stage)
		flow_remove(c->beginning);
	return verdict;
}

/* The confirmed connection's flow. */
static __always_inline void enter(const struct packet *p, const struct connection *c)
{
	struct beginning b = {.service = c->service, .mode = c->mode, .server = c->server};

	if (is_translating(c->mode))
		translation_confirm(p, c->beginning);
	else
		flow_begin(p, &b);
}

static __always_inline __u32 forward_connection(struct packet *p, struct ethernet_header *ethernet, struct connection *c)
{
	struct real_server *real;
	__u32 number, verdict;

	c->tcp = p->key.protocol == IPPROTO_TCP;
	c->begins = !c->tcp || (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	c->name = p->name;
	c->now = p->now;
	if (!recall(c, &p->key))
		return RIPTIDE_DROP_TABLE_CHANGING;
	if (!c->server) {
		verdict = c->restricted && c->stage == RIPTIDE_FORWARD_NEW ? refuse_client(c->service, &p->key) : 0;
		if (!verdict)
			verdict = choose(c);
		if (verdict)
			return verdict;
	}
	number = c->server;
	real = bpf_map_lookup_elem(&real_servers, &number);
	if (!number || !real)
		return refuse(c);

	verdict = is_translating(c->mode) ? forward_translated(p, ethernet, c, real) : forward_as_is(p, ethernet, c, real);
	if (verdict != c->stage)
		return verdict;
	if (verdict == RIPTIDE_FORWARD_CONFIRMED)
		enter(p, c);
	keep(c);
	count_traffic(p, number, verdict == RIPTIDE_FORWARD_CONFIRMED ? c->tcp : !c->tcp);
	return verdict;
}

/* A TCP flow whose server is gone, and no new connection: the client is told, if the service wants that. */
static __always_inline __u32 end_orphan(const struct service *service, __u32 place)
{
	if (!(service->flags & RIPTIDE_SERVICE_RESETS_ORPHANS))
		return RIPTIDE_DROP_SERVER_GONE;
	flow_remove(place);
	return RIPTIDE_REPLY_RESET;
}

/* A service has this packet, which begins a connection or belongs to one that has no flow yet. */
static __noinline __u32 begin_connection(struct packet *p, __u32 service)
{
	struct connection c __attribute__((aligned(8))) = {.service = service};
	struct ethernet_header *ethernet = packet_begin(p);

	if ((void *)(ethernet + 1) > packet_end(p))
		return RIPTIDE_DROP_MALFORMED;
	return forward_connection(p, ethernet, &c);
}

/* Sets the service that has the packet and answers RIPTIDE_FORWARD_NEW; else what becomes of it. */
static __noinline __u32 find_connection(struct packet *p, __u32 stale, __u32 *service_number)
{
	struct ethernet_header *ethernet = packet_begin(p);
	struct service *service;
	struct vip *vip;
	__u32 number;

	blur_packet(p);
	vip = find_vip(p->key.destination);
	if (!vip)
		return RIPTIDE_PASS_NOT_VIP;
	number = find_service(vip, p->key.protocol, bpf_ntohs(p->key.destination_port));
	if (!number)
		return RIPTIDE_PASS_PORT;
	if ((void *)(ethernet + 1) > packet_end(p) || !addressed_to_us(p, ethernet->destination))
		return RIPTIDE_PASS_OTHER_HOST;
	service = service_at(number);
	if (!service)
		return RIPTIDE_DROP_TABLE_CHANGING;
	*service_number = number;

	if (stale == NO_PLACE)
		return RIPTIDE_FORWARD_NEW;
	if (p->key.protocol == IPPROTO_TCP && !(p->tcp_flags & TCP_SYN))
		return end_orphan(service, stale);
	/* A flow that no longer holds makes way for its successor. */
	flow_remove(stale);
	return RIPTIDE_FORWARD_NEW;
}

/* `stale` is the place of a flow that the packet belonged to and that no longer holds, or NO_PLACE. */
static __always_inline __u32 connect(struct packet *p, __u32 stale)
{
	__u32 service = 0;
	__u32 verdict = find_connection(p, stale, &service);

	return verdict == RIPTIDE_FORWARD_NEW ? begin_connection(p, service) : verdict;
}
