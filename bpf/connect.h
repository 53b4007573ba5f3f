/* SPDX-License-Identifier: GPL-2.0-only */
/* A packet of no known flow: is it a service's, and which server gets it? */
#pragma once

#include "admit.h"
#include "flow.h"
#include "half_open.h"
#include "schedule.h"
#include "service.h"

/* Whether the server belongs to the service and takes packets of clients that it knows already. `generation` 0 is any. */
static __always_inline int is_usable(const struct real_server *server, __u32 service, __u32 generation)
{
	return server && server->generation && server->service == service && server->state != RIPTIDE_SERVER_HALT &&
	       (!generation || generation == server->generation);
}

static __always_inline int is_usable_number(__u32 number, __u32 service, __u32 generation)
{
	return is_usable(bpf_map_lookup_elem(&real_servers, &number), service, generation);
}

/* What is known of the connection that the packet belongs to or begins. No pointers: it is handed to global functions. */
struct connection {
	__u64 now;
	__u64 turned; /* the name of the flow: see half_open_hash() */
	__u64 hash;  /* of a persistent client: by which its server is chosen */
	struct persistence_key client;
	__u32 server;    /* 0: none yet */
	__u32 service;
	__u32 mode;      /* enum riptide_mode */
	__u32 beginning; /* of a translated flow: its place; else NO_PLACE */
	__u32 stage;     /* the verdict that fits where the connection stands, if all goes well */
	__u32 facts;     /* the service's flags and enum connection_fact */
	struct note flow_note;
	struct note client_note;
};

enum connection_fact {
	IS_TCP = 0x100,
	BEGINS = 0x200,     /* the packet may be the first */
	SCHEDULED = 0x400,  /* by the service's scheduler, else by hash, which needs no memory */
	REMEMBERED = 0x800, /* the server comes from the persistence table */
	PASSED_OVER = 0x1000, /* a server that has all the connections that it may have */
	TO_FALLBACK = 0x2000,
};

/* In which order a connection's packets come: what this one is. */
static __always_inline __u32 stage_of(const struct connection *c)
{
	int known = c->flow_note.server || c->beginning != NO_PLACE;

	if ((c->facts & (IS_TCP | BEGINS)) == IS_TCP)
		return known ? RIPTIDE_FORWARD_CONFIRMED : RIPTIDE_FORWARD_STRAY;
	return !(c->facts & IS_TCP) && known ? RIPTIDE_FORWARD_CONFIRMED : RIPTIDE_FORWARD_NEW;
}

/* What an earlier packet of the connection left, of a flow that is translated. */
static __always_inline void recall_beginning(struct connection *c, const struct packet *p)
{
	struct found found = beginning_find(&p->key, p->name);

	if (c->facts & BEGINS)
		c->facts |= SCHEDULED;
	if (!found.flow)
		return;
	if (is_usable_number(found.flow->server, c->service, found.flow->generation)) {
		c->beginning = found.place;
		c->server = found.flow->server;
	} else {
		flow_remove(found.place);
	}
}

/* The same, of one that is not. */
static __always_inline void recall_note(struct connection *c)
{
	c->flow_note = half_open_find(c->turned, NOTE_FLOW, c->now);
	if (c->facts & BEGINS && c->flow_note.index != NO_PLACE)
		c->facts |= SCHEDULED;
	if (c->flow_note.server && is_usable_number(c->flow_note.server, c->service, 0))
		c->server = c->flow_note.server;
}

/*
 * What is known of the client. Where it has one server for all, the hash is the client's: a node that just took over finds
 * that server. A global function, like the others below that take a connection: for the verifier's sake.
 */
__noinline int recall_client(struct connection *c, struct flow_key *key)
{
	struct service *service;
	__u32 number;

	if (!c || !key)
		return 0;
	number = c->service;
	service = service_at(number);
	if (!service)
		return 0;
	c->client.service = number;
	persistence_client(key, service, c->client.client);
	c->hash = hash_address(c->client.client, settings.schedule_seed);
	c->client_note = half_open_find(mix(c->hash ^ settings.secret ^ (__u64)number << 32), NOTE_CLIENT, c->now);
	c->facts &= ~SCHEDULED;
	if (c->facts & BEGINS && c->client_note.index != NO_PLACE)
		c->facts |= SCHEDULED;
	return 0;
}

/* Takes a server for a connection that is new to it, if it has room. */
static __always_inline int take(struct connection *c, __u32 number, __u32 generation)
{
	struct real_server *server = bpf_map_lookup_elem(&real_servers, &number);

	c->server = RIPTIDE_NO_SERVER;
	if (!is_usable(server, c->service, generation))
		return 0;
	if (is_full(server, number)) {
		c->facts |= PASSED_OVER;
		return 0;
	}
	c->server = number;
	return 1;
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
		c->facts |= REMEMBERED;
		return 1;
	}
	return take(c, c->client_note.server, 0);
}

/* By which a server is chosen. The load does without what all nodes agree on, and by it the hash only breaks ties. */
static __always_inline __u64 hash_of(const struct connection *c, const struct flow_key *key, const struct service *service)
{
	struct persistence_key client __attribute__((aligned(8)));

	if (c->facts & RIPTIDE_SERVICE_PERSISTENT)
		return c->hash;
	if (c->facts & SCHEDULED && (service->scheduler == RIPTIDE_SCHEDULER_WLC || service->scheduler == RIPTIDE_SCHEDULER_LC))
		return c->turned;
	if (service->scheduler != RIPTIDE_SCHEDULER_SH)
		return hash_flow(key, settings.schedule_seed);
	persistence_client(key, service, client.client);
	return hash_address(client.client, settings.schedule_seed);
}

/*
 * A server for a connection that has none: the client's own, else a new one. The service may change between the reading of its
 * parts: then it is asked once more. Answers RIPTIDE_DROP_TABLE_CHANGING, or 0 also if there is no server.
 */
__noinline int choose(struct connection *c, struct flow_key *key, const struct service *service)
{
	__u32 server;
	__u64 hash;

	if (!c || !key || !service)
		return 0;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		if (c->facts & RIPTIDE_SERVICE_PERSISTENT && take_clients_own(c, service))
			return 0;
		hash = hash_of(c, key, service);
		server = c->facts & SCHEDULED ? schedule(service, c->service, hash) : schedule_by_hash(service, hash);
		if (take(c, server, 0))
			return 0;
		if (c->facts & PASSED_OVER && take(c, schedule_beside(service, hash), 0))
			return 0;
		if (!(c->facts & PASSED_OVER) && service->table_size)
			continue;
		if (service->fallback && take(c, service->fallback, 0))
			c->facts |= TO_FALLBACK;
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

	if (c->facts & REMEMBERED || !real)
		return;
	entry.generation = real->generation;
	if (c->client_note.server)
		half_open_clear(c->client_note.index);
	known = bpf_map_lookup_elem(&persistence, &client);
	if (known && known->server == server && known->generation == entry.generation)
		refresh_client(known, server, c->now);
	else
		bpf_map_update_elem(&persistence, &client, &entry, BPF_ANY);
}

/* What stays of a client whose packet was sent on. */
__noinline int keep_client(struct connection *c)
{
	__u64 hash;

	if (!c)
		return 0;
	if (c->stage == RIPTIDE_FORWARD_CONFIRMED || (!(c->facts & IS_TCP) && c->client_note.server)) {
		remember_client(c);
	} else if (!(c->facts & REMEMBERED)) {
		hash = mix(c->hash ^ settings.secret ^ (__u64)c->service << 32);
		half_open_write(c->client_note.index, hash, NOTE_CLIENT, c->server, c->now);
	}
	return 0;
}

/* What stays of a packet that was sent on as its stage says. */
static __always_inline void keep(struct connection *c)
{
	if (!(c->facts & RIPTIDE_SERVICE_TRANSLATES)) {
		if (c->stage == RIPTIDE_FORWARD_CONFIRMED)
			half_open_forget(c->flow_note.index);
		else
			half_open_write(c->flow_note.index, c->turned, NOTE_FLOW, c->server, c->now);
	}
	if ((c->facts & (RIPTIDE_SERVICE_PERSISTENT | TO_FALLBACK)) == RIPTIDE_SERVICE_PERSISTENT)
		keep_client(c);
}

/* dr and tunnel: the first packet leaves a note, the second a flow. */
static __always_inline __u32 forward_as_is(struct packet *p, struct ethernet_header *ethernet, const struct connection *c,
					   const struct real_server *real)
{
	if (p->fragment)
		note_fragment(p, NO_PLACE, c->server, c->mode, 0);
	if (c->mode == RIPTIDE_MODE_TUNNEL)
		return send_tunnel(p, real, c->server, c->stage);
	if (!real->interface)
		return RIPTIDE_DROP_NO_NEIGHBOUR;
	if (!reaches_vlan(p, real->interface, real->vlan))
		return RIPTIDE_DROP_VLAN;
	return send_dr(p, ethernet, real, c->stage);
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
		struct beginning b = {
			.service = c->service, .mode = c->mode, .server = c->server, .generation = real->generation};

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
static __always_inline void enter(const struct packet *p, const struct connection *c, const struct real_server *real)
{
	struct beginning b = {.service = c->service, .mode = c->mode, .server = c->server, .generation = real->generation};

	if (c->facts & RIPTIDE_SERVICE_TRANSLATES) {
		translation_confirm(p, c->beginning);
		return;
	}
	flow_begin(p, &b, c->flow_note.server);
}

/* What is known of the connection before it has a server. */
static __always_inline void recall(struct connection *c, struct packet *p, const struct service *service)
{
	c->turned = half_open_hash(p->name);
	c->now = p->now;
	c->server = RIPTIDE_NO_SERVER;
	c->mode = service->mode;
	c->beginning = NO_PLACE;
	c->flow_note.server = RIPTIDE_NO_SERVER;
	c->facts = service->flags;
	if (p->key.protocol != IPPROTO_TCP)
		c->facts |= BEGINS;
	else
		c->facts |= (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN ? IS_TCP | BEGINS : IS_TCP;
	if (c->facts & RIPTIDE_SERVICE_TRANSLATES)
		recall_beginning(c, p);
	else
		recall_note(c);
	if (c->facts & RIPTIDE_SERVICE_PERSISTENT)
		recall_client(c, &p->key);
	if (c->server && c->server == service->fallback)
		c->facts |= TO_FALLBACK;
	c->stage = stage_of(c);
}

static __always_inline __u32 forward_connection(struct packet *p, struct ethernet_header *ethernet, struct connection *c)
{
	struct service *service = service_at(c->service);
	struct real_server *real;
	__u32 number, verdict;

	if (!service)
		return RIPTIDE_DROP_TABLE_CHANGING;
	recall(c, p, service);
	if (!c->server) {
		verdict = c->facts & RIPTIDE_SERVICE_RESTRICTED ? refuse_client(c->service, &p->key, c->stage == RIPTIDE_FORWARD_NEW) : 0;
		if (!verdict)
			verdict = choose(c, &p->key, service);
		if (verdict)
			return verdict;
	}
	number = c->server;
	real = bpf_map_lookup_elem(&real_servers, &number);
	if (!number || !real)
		return refuse(c);

	verdict = c->facts & RIPTIDE_SERVICE_TRANSLATES ? forward_translated(p, ethernet, c, real)
							: forward_as_is(p, ethernet, c, real);
	if (verdict != c->stage)
		return verdict;
	if (verdict == RIPTIDE_FORWARD_CONFIRMED)
		enter(p, c, real);
	keep(c);
	/* TCP is connected by its second packet, UDP by its first. */
	count_traffic(p, number, (verdict == RIPTIDE_FORWARD_CONFIRMED) == !!(c->facts & IS_TCP));
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
	struct connection c __attribute__((aligned(8)));
	struct ethernet_header *ethernet = packet_begin(p);

	if ((void *)(ethernet + 1) > packet_end(p))
		return RIPTIDE_DROP_MALFORMED;
	if (!addressed_to_us(p, ethernet->destination))
		return RIPTIDE_PASS_OTHER_HOST;
	c.service = service;
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
	*service_number = number;
	if (stale == NO_PLACE)
		return RIPTIDE_FORWARD_NEW;
	if ((void *)(ethernet + 1) > packet_end(p) || !addressed_to_us(p, ethernet->destination))
		return RIPTIDE_PASS_OTHER_HOST;
	service = service_at(number);
	if (!service)
		return RIPTIDE_DROP_TABLE_CHANGING;
	if (p->key.protocol == IPPROTO_TCP && !(p->tcp_flags & TCP_SYN))
		return end_orphan(service, stale);
	/* A flow that no longer holds makes way for its successor. */
	flow_remove(stale);
	return RIPTIDE_FORWARD_NEW;
}

/* Whether a packet that find_connection() says this of may be a real server's. */
static __always_inline int may_be_answer(__u32 verdict, __u32 number)
{
	struct service *service;

	if (verdict != RIPTIDE_FORWARD_NEW)
		return 1;
	service = service_at(number);
	return service && service->flags & RIPTIDE_SERVICE_IS_SOURCE;
}
