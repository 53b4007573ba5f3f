/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The contract between the data plane (bpf/) and the daemon: keys and values of the maps, and the settings that a program
 * is loaded with. C includes it, Swift imports it; nothing of it is written a second time.
 *
 * Rules: fixed widths, every pad a named field, sizes asserted below. Addresses are 16 octets in network
 * order, IPv4 as ::ffff:a.b.c.d. Ports that come from packets are network order (be16 in their name's comment); ports that
 * are configuration are host order. Times are jiffies; struct settings holds how many make a second.
 *
 * A changed layout, or catalogue of counters, needs a new RIPTIDE_LAYOUT: it is part of the pin directory's name, so that two versions of Riptide never
 * share a map that they read differently.
 */
#pragma once

#include <linux/types.h>

#define RIPTIDE_LAYOUT 3u

/* Longest name of a service or a real server, with its final zero. */
#define RIPTIDE_NAME_SIZE 48u

/* How many real servers a service may have for lc and wlc to compare them all; beyond, they compare two. */
#define RIPTIDE_COMPARE_ALL 16u

/* Real server 0 is none: ids begin at 1 and fit 16 bits. */
#define RIPTIDE_NO_SERVER 0u
#define RIPTIDE_MAX_SERVERS 65535u

/* Slots of 16 bits that lie in one element of the map `slots`. */
#define RIPTIDE_SLOTS_PER_ELEMENT 4u

/* --- flows: what is done with their packets --------------------------------------------------------------------------- */

/* Flows that one bucket holds. */
#define RIPTIDE_WAYS 8u

/* The number of buckets for flows is a multiple of this. */
#define RIPTIDE_BUCKET_GROUP 32u

/* What a cell of a bucket holds instead of a name, which is never one of these. */
#define RIPTIDE_CELL_FREE 0ULL
#define RIPTIDE_CELL_BUSY 1ULL /* the flow is being written */

/*
 * Where flows are found: a flow lies in one of two buckets that its name gives. Way `w` of bucket `b` is named here, and its
 * entry is element b * RIPTIDE_WAYS + w of `flows`: so a look-up reads one cache line to find or to miss, and one to compare.
 */
struct flow_bucket {
	__u64 name[RIPTIDE_WAYS]; /* a hash of the 5-tuple and settings.secret */
	/*
	 * Of flows whose addresses are translated: where the answer of the real server leads. By the name of the answer's own
	 * 5-tuple, of which the upper bits stand here, and in the lower RIPTIDE_PLACE_BITS the place of the flow in `flows`.
	 */
	__u64 answer[RIPTIDE_WAYS];
};

#define RIPTIDE_PLACE_BITS 25u

/* The 5-tuple, as the client's packets have it. */
struct flow_key {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;      /* be16 */
	__u16 destination_port; /* be16 */
	__u8 protocol;
	__u8 reserved[3]; /* zero */
};

/*
 * Beginnings of translated flows lie in buckets of their own, behind the others: the answer to the first packet must find its
 * way, but a flood of first packets must not displace flows.
 */
enum riptide_flow_state {
	RIPTIDE_FLOW_FREE = 0,        /* there is no flow here */
	RIPTIDE_FLOW_ESTABLISHED = 1, /* TCP, confirmed by a segment after the SYN */
	RIPTIDE_FLOW_CLOSING = 2,     /* TCP, after a FIN or RST */
	RIPTIDE_FLOW_UDP = 3,
	RIPTIDE_FLOW_BEGINNING = 4, /* translated, and only its first packet has come */
};

/* The first 64 octets are what a packet reads, the others what it writes: a cache line each. */
struct flow {
	struct flow_key key;
	__u32 server;
	__u32 generation; /* of the server, when the flow began */
	__u32 service;
	__u32 state; /* enum riptide_flow_state */
	__u8 mode;   /* enum riptide_mode */
	__u8 reserved0[7]; /* zero */
	__u64 seen;  /* jiffies of the last packet */
	__u64 began; /* jiffies of the first */
	__u64 packets;
	__u64 bytes; /* of IP packets, from the IP header on */
	__u64 answer_packets; /* of the real server, where they come by */
	__u64 answer_bytes;
	__u8 reserved1[16]; /* zero */
};

/* What the real server sees of a flow in the modes nat and snat, and where the client is. At the flow's place in its map. */
struct translation {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;      /* be16 */
	__u16 destination_port; /* be16 */
	__u16 network_delta;    /* what is added to the sum of an IPv4 header: towards the real server */
	__u16 transport_delta;  /* the same of TCP and UDP, with their pseudo-header */
	__u8 client_mac[6];     /* that the client's packets come from: a router's, mostly */
	__u16 client_vlan;
	__u8 own_mac[6]; /* that they are sent to */
	__u16 reserved0; /* zero */
	__u32 client_interface;
	__u32 reserved1; /* zero */
};

/* Where the parts of a fragmented packet go, by what they have in common; only the first has ports. */
struct fragment_key {
	__u8 source[16];
	__u8 destination[16];
	__u32 identification;
	__u32 protocol;
};

struct fragment {
	struct translation link; /* addresses, and for an answer the client's MAC addresses; in dr and tunnel the flow's name alone */
	__u64 seen;              /* jiffies of the first fragment */
	__u32 server;
	__u32 generation;
	__u8 mode;
	__u8 is_answer;
	__u8 reserved[6]; /* zero */
};

/*
 * half_open: the first packet of a flow, or of a persistent client, whose second has not come. Direct-mapped by a hash,
 * two ways; one 8-byte word, so that it is read and written whole.
 */
struct half_open {
	__u32 signature; /* of the hash; with `server` 0 the place is free */
	__u16 server;
	__u16 seen; /* jiffies >> settings.half_open_shift, the low 16 bits */
};

/* --- services ----------------------------------------------------------------------------------------------------------- */

/*
 * An address that is answered for, and where its ports lie in `port_ranges`: ascending, disjoint, one run a protocol. It stands
 * at riptide_vip_place(), or within RIPTIDE_VIP_TRIES places behind, with none between that was always free.
 */
struct vip {
	__u8 address[16]; /* zero: free; all ones: it was removed from here */
	__u32 tcp_first;
	__u32 tcp_count;
	__u32 udp_first;
	__u32 udp_count;
};

#define RIPTIDE_VIP_PLACES 16384u
#define RIPTIDE_VIP_TRIES 64u

static inline __u32 riptide_vip_place(__u64 first, __u64 second)
{
	return (__u32)(((first + second * 0x9e3779b97f4a7c15ULL) * 0xd6e8feb86659fd93ULL) >> 50);
}

struct port_range {
	__u16 first; /* host order */
	__u16 last;
	__u32 service;
};

enum riptide_mode {
	RIPTIDE_MODE_DR = 1,
	RIPTIDE_MODE_NAT = 2,
	RIPTIDE_MODE_SNAT = 3,
	RIPTIDE_MODE_TUNNEL = 4,
};

enum riptide_encapsulation {
	RIPTIDE_ENCAPSULATION_IPIP = 0,
	RIPTIDE_ENCAPSULATION_GUE = 1,
};

#define RIPTIDE_GUE_PORT 6080u

/* Of a service. */
#define RIPTIDE_SERVICE_RESETS_ORPHANS 1u /* TCP whose real server is gone is answered by a reset */
#define RIPTIDE_SERVICE_HAS_RULES 2u      /* clients are looked up in `client_rules` */
#define RIPTIDE_SERVICE_DENIES 4u         /* clients without a rule are denied */
#define RIPTIDE_SERVICE_IS_SOURCE 8u      /* snat speaks from its address: packets to its ports may be answers */
/* What follows from other members, in one place for the packets that ask all of it. */
#define RIPTIDE_SERVICE_PERSISTENT 16u
#define RIPTIDE_SERVICE_RESTRICTED 32u /* there are rules for clients, or a rate */
#define RIPTIDE_SERVICE_TRANSLATES 64u /* mode nat or snat */

enum riptide_scheduler {
	RIPTIDE_SCHEDULER_WLC = 1,
	RIPTIDE_SCHEDULER_LC = 2,
	RIPTIDE_SCHEDULER_WRR = 3,
	RIPTIDE_SCHEDULER_RR = 4,
	RIPTIDE_SCHEDULER_SH = 5,
	RIPTIDE_SCHEDULER_MAGLEV = 6,
};

/* The three runs of slots hold ids of the servers that take new connections; all are empty when there is none. */
struct service {
	__u8 address[16];
	__u8 persistence_mask[16]; /* of persistence_prefix bits */
	__u32 table_first; /* Maglev table, shares by weight */
	__u32 table_size;
	__u32 sequence_first; /* the turn of rr and wrr */
	__u32 sequence_size;
	__u32 members_first; /* each once, for lc and wlc */
	__u32 members_count;
	__u32 persistence_timeout; /* seconds; 0 is off */
	__u8 persistence_prefix;   /* bits of the 16 octets: 96 more than configured for IPv4 */
	__u8 mode;                 /* enum riptide_mode */
	__u8 scheduler;            /* enum riptide_scheduler */
	__u8 flags;                /* RIPTIDE_SERVICE_ */
	__u32 fallback;            /* the server for when there is none; 0: the client is refused */
	__u32 rate_interval;       /* microseconds from one new connection of a source address to the next; 0: no limit */
	__u32 rate_burst;          /* microseconds that a source may be ahead of that */
	__u32 reserved;            /* zero */
	char name[RIPTIDE_NAME_SIZE];
};

/* The addresses and ports that snat gives to a service's flows. */
#define RIPTIDE_POOL_ADDRESSES 8u

struct source_pool {
	__u8 address[RIPTIDE_POOL_ADDRESSES][16];
	__u32 addresses; /* 0: each server's own `source` */
	__u16 first_port; /* host order */
	__u16 ports;
};

/* Whether clients may begin connections: the longest prefix counts. */
struct client_rule_key {
	__u32 length; /* bits of what follows: 32 of the service and those of the prefix */
	__u32 service;
	__u8 address[16];
};

enum riptide_client_rule {
	RIPTIDE_CLIENT_ALLOWED = 1,
	RIPTIDE_CLIENT_DENIED = 2,
};

/* How fast a source address begins connections with a service. */
struct rate_key {
	__u8 source[16];
	__u32 service;
};

/* What the data plane keeps for a service, shared by all CPUs. */
struct service_state {
	__u64 turn; /* of rr and wrr */
};

/* --- real servers ------------------------------------------------------------------------------------------------------- */

enum riptide_server_state {
	RIPTIDE_SERVER_ONLINE = 1,
	RIPTIDE_SERVER_DRAIN = 2, /* keeps flows and remembered clients */
	RIPTIDE_SERVER_HALT = 3,  /* keeps nothing */
};

/* The first 64 octets are what a packet needs. Each of the two address words is written by one 8-byte store. */
struct real_server {
	__u32 generation; /* a number that no earlier server had; 0: no server. In element 0: the last that was given */
	__u32 service;
	__u32 interface; /* index of the one that packets leave by; 0: the neighbour is not known */
	__u16 weight;
	__u8 state;         /* enum riptide_server_state */
	__u8 encapsulation; /* enum riptide_encapsulation */
	__u8 mac[6];        /* of the next hop */
	__u16 vlan;         /* of frames to it that have a tag; 0: its link has none */
	__u8 source_mac[6];
	__u16 port; /* be16; that nat and snat translate to; 0: the client's */
	__u8 address[16];
	__u8 source[16]; /* this machine's, towards it: of tunnels, and of snat without a pool */
	char name[RIPTIDE_NAME_SIZE];
	__u32 max_connections; /* 0: no limit */
	__u16 mtu;             /* of IP packets on the way to it, as far as this machine knows */
	__u16 outer_sum;       /* of a tunnel's IPv4 header: the sum of all but length and type of service, not complemented */
	__u8 reserved[8];      /* zero */
};

#define RIPTIDE_COST_OF_ONE 0x80000000u

/* Atomics that the data plane keeps, and that the daemon corrects by what a sweep counts. */
struct server_load {
	/* One word, which riptide_add_connections() changes. */
	__s32 established; /* flows that are open */
	__s32 half_open;   /* connections that have sent one packet */
	__u64 source_ports; /* that snat has given away */
	__u32 path_mtu;    /* of a tunnel, as a router on the way told; 0: none did */
	__u32 cost;        /* of a connection: RIPTIDE_COST_OF_ONE by the weight, rounded up. Written by the daemon */
	__u64 reserved;    /* zero */
};

/* A connection that is confirmed goes from the one to the other at once. */
static inline void riptide_add_connections(struct server_load *load, __s32 established, __s32 half_open)
{
	__sync_fetch_and_add((__s64 *)load, ((__s64)half_open << 32) + established);
}

/* How many there are. (While `established` is below zero for a moment, it has borrowed one of `half_open`.) */
static inline __s64 riptide_connections(const struct server_load *load)
{
	__s64 word = *(const volatile __s64 *)load;
	__s64 established = (__s32)word;

	return established + ((word - established) >> 32);
}

struct server_traffic {
	__u64 packets;
	__u64 bytes;       /* of IP packets */
	__u64 connections; /* begun */
	__u64 answer_packets; /* of the real server, where they come by: not in dr and tunnel */
	__u64 answer_bytes;
};

struct service_traffic {
	__u64 refused; /* new connections for which there was no real server */
	__u64 exhausted; /* new connections for which snat had no free port */
};

/* Server ids: a weighted table, a turn or a list of members is a run of these. */
struct slots {
	__u16 server[RIPTIDE_SLOTS_PER_ELEMENT];
};

/* --- persistence -------------------------------------------------------------------------------------------------------- */

struct persistence_key {
	__u8 client[16]; /* cut to the service's prefix */
	__u32 service;
};

struct persistence {
	__u64 seen; /* jiffies of the client's last packet, to within settings.refresh_shift */
	__u32 server;
	__u32 generation;
};

struct table_events {
	__u64 flows_evicted;      /* from a full table, while they were in use */
	__u64 beginnings_evicted; /* of translated flows */
};

/* --- the node ----------------------------------------------------------------------------------------------------------- */

/* At element index % RIPTIDE_INTERFACES. */
struct interface {
	__u8 mac[6];
	__u16 reserved0; /* zero */
	__u32 index;     /* 0: none */
	__u32 reserved1; /* zero */
};

#define RIPTIDE_INTERFACES 1024u

struct node {
	__u32 active;      /* whether neighbours are told that the VIPs are here */
	__u32 reserved;    /* zero */
	__u64 lease_until; /* jiffies until which `active` holds; 0: for ever */
};

/* Fixed for a loaded program; a change loads a new one and swaps it in. */
struct settings {
	__u64 established_timeout; /* jiffies */
	__u64 closing_timeout;
	__u64 udp_timeout;
	__u64 syn_timeout;
	__u64 schedule_seed;  /* the same on all nodes that shall choose alike */
	__u64 secret;         /* for what outsiders must not be able to make collide; the same for this boot */
	__u32 hz;             /* jiffies in a second */
	__u32 half_open_mask; /* entries - 1 */
	__u32 half_open_shift;
	__u32 half_open_lifetime; /* in units of 1 << half_open_shift jiffies */
	__u32 half_open_hold;     /* how long a place cannot be taken by another, in the same unit */
	__u32 refresh_shift;      /* persistence is refreshed once in 1 << refresh_shift jiffies */
	__u32 flow_buckets;       /* of flows, in the map `flow_buckets` */
	__u32 beginning_buckets;  /* of translated flows' beginnings, behind them; 0: no service translates */
	__u32 cpus;               /* possible ones */
	__u32 reserved;           /* zero */
};

/* One run of the program `sweep`: which buckets of flows it shall go through, and what it found. */
struct sweep {
	__u32 first_bucket; /* with 0 it goes through all other tables as well */
	__u32 bucket_count;
	__u64 now;           /* jiffies, when it began */
	__u64 flows;         /* left in the table */
	__u64 flows_expired; /* deleted now */
	__u64 persistence;
	__u64 persistence_expired;
};

/* Flows that the program `adopt` enters into the table: the first `count` elements of the map `adopted`. */
struct adoption {
	__u32 count;
	__u32 reserved; /* zero */
};

struct adopted {
	struct flow flow;
	struct translation translation;
};

#define RIPTIDE_ADOPTED_AT_ONCE 256u

_Static_assert(sizeof(struct flow_bucket) == 128, "flow_bucket");
_Static_assert(sizeof(struct flow_key) == 40, "flow_key");
_Static_assert(sizeof(struct flow) == 128, "flow");
_Static_assert(sizeof(struct translation) == 64, "translation");
_Static_assert(sizeof(struct fragment_key) == 40, "fragment_key");
_Static_assert(sizeof(struct fragment) == 88, "fragment");
_Static_assert(sizeof(struct half_open) == 8, "half_open");
_Static_assert(sizeof(struct vip) == 32, "vip");
_Static_assert(sizeof(struct port_range) == 8, "port_range");
_Static_assert(sizeof(struct service) == 128, "service");
_Static_assert(sizeof(struct source_pool) == 136, "source_pool");
_Static_assert(sizeof(struct client_rule_key) == 24, "client_rule_key");
_Static_assert(sizeof(struct server_load) == 32, "server_load");
_Static_assert(sizeof(struct server_traffic) == 40, "server_traffic");
_Static_assert(sizeof(struct real_server) == 128, "real_server");
_Static_assert(sizeof(struct slots) == 8, "slots");
_Static_assert(sizeof(struct persistence_key) == 20, "persistence_key");
_Static_assert(sizeof(struct persistence) == 16, "persistence");
_Static_assert(sizeof(struct interface) == 16, "interface");
_Static_assert(sizeof(struct node) == 16, "node");
_Static_assert(sizeof(struct settings) == 88, "settings");
_Static_assert(sizeof(struct sweep) == 48, "sweep");
_Static_assert(sizeof(struct adoption) == 8, "adoption");
