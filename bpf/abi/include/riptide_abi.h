/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The contract between the data plane (bpf/) and the daemon: keys and values of the maps, and the settings that a program
 * is loaded with. C includes it, Swift imports it; nothing of it is written a second time.
 *
 * Rules: fixed widths, every pad a named field, sizes asserted below. Addresses are 16 octets in network
 * order, IPv4 as ::ffff:a.b.c.d. Ports that come from packets are network order (be16 in their name's comment); ports that
 * are configuration are host order. Times are jiffies; struct settings holds how many make a second.
 *
 * A changed layout needs a new RIPTIDE_LAYOUT: it is part of the pin directory's name, so that two versions of Riptide never
 * share a map that they read differently.
 */
#pragma once

#include <linux/types.h>

#define RIPTIDE_LAYOUT 2u

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

/* What a cell of a bucket holds instead of a name, which is never one of these. */
#define RIPTIDE_CELL_FREE 0ULL
#define RIPTIDE_CELL_BUSY 1ULL /* the flow is being written */

/*
 * Where flows are found: a flow lies in one of two buckets that its name gives. Way `w` of bucket `b` is named here, and its
 * entry is element b * RIPTIDE_WAYS + w of `flows`: so a look-up reads one cache line to find or to miss, and one to compare.
 */
struct flow_bucket {
	__u64 name[RIPTIDE_WAYS]; /* a hash of the 5-tuple and settings.secret */
};

/* The 5-tuple, as the client's packets have it. */
struct flow_key {
	__u8 source[16];
	__u8 destination[16];
	__u16 source_port;      /* be16 */
	__u16 destination_port; /* be16 */
	__u8 protocol;
	__u8 reserved[3]; /* zero */
};

enum riptide_flow_state {
	RIPTIDE_FLOW_FREE = 0,        /* there is no flow here */
	RIPTIDE_FLOW_ESTABLISHED = 1, /* TCP, confirmed by a segment after the SYN */
	RIPTIDE_FLOW_CLOSING = 2,     /* TCP, after the client's FIN or RST */
	RIPTIDE_FLOW_UDP = 3,
};

/* The first 64 octets are what a packet reads, the others what it writes: a cache line each. */
struct flow {
	struct flow_key key;
	__u32 server;
	__u32 generation; /* of the server, when the flow began */
	__u32 service;
	__u32 state; /* enum riptide_flow_state */
	__u8 reserved0[8]; /* zero */
	__u64 seen;  /* jiffies of the last packet */
	__u64 began; /* jiffies of the first */
	__u64 packets;
	__u64 bytes; /* of IP packets, from the IP header on */
	__u8 reserved1[32]; /* zero */
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

struct vip_key {
	__u8 address[16];
};

/* An address that is answered for, and where its ports lie in `port_ranges`: ascending, disjoint, one run a protocol. */
struct vip {
	__u32 tcp_first;
	__u32 tcp_count;
	__u32 udp_first;
	__u32 udp_count;
};

struct port_range {
	__u16 first; /* host order */
	__u16 last;
	__u32 service;
};

enum riptide_mode {
	RIPTIDE_MODE_DR = 1,
};

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
	__u8 reserved;             /* zero */
	char name[RIPTIDE_NAME_SIZE];
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
	__u8 state;     /* enum riptide_server_state */
	__u8 reserved0; /* zero */
	__u8 mac[6];
	__u16 vlan; /* the server's, of a frame with a tag; 0: its link has none */
	__u8 source_mac[6];
	__u16 reserved2; /* zero */
	__u8 address[16];
	__u8 reserved3[16]; /* zero */
	char name[RIPTIDE_NAME_SIZE];
	__u8 reserved4[16]; /* zero */
};

/* Atomics that the data plane keeps, and that the daemon corrects by what a sweep counts. */
struct server_load {
	__u64 established; /* flows that are open */
	__u64 half_open;   /* connections that have sent one packet */
};

struct server_traffic {
	__u64 packets;
	__u64 bytes;       /* of IP packets */
	__u64 connections; /* begun */
};

struct service_traffic {
	__u64 refused; /* new connections for which there was no real server */
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
	__u64 flows_evicted; /* from a full table, while they were in use */
};

/* --- the node ----------------------------------------------------------------------------------------------------------- */

struct interface {
	__u8 mac[6];
	__u16 reserved; /* zero */
};

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
	__u64 schedule_seed;  /* the same on all nodes that shall choose alike */
	__u64 secret;         /* for what outsiders must not be able to make collide; the same for this boot */
	__u32 hz;             /* jiffies in a second */
	__u32 half_open_mask; /* entries - 1 */
	__u32 half_open_shift;
	__u32 half_open_lifetime; /* in units of 1 << half_open_shift jiffies */
	__u32 half_open_hold;     /* how long a place cannot be taken by another, in the same unit */
	__u32 refresh_shift;      /* persistence is refreshed once in 1 << refresh_shift jiffies */
	__u32 flow_buckets;       /* elements of the map `flow_buckets` */
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

#define RIPTIDE_ADOPTED_AT_ONCE 256u

_Static_assert(sizeof(struct flow_bucket) == 64, "flow_bucket");
_Static_assert(sizeof(struct flow_key) == 40, "flow_key");
_Static_assert(sizeof(struct flow) == 128, "flow");
_Static_assert(sizeof(struct half_open) == 8, "half_open");
_Static_assert(sizeof(struct vip) == 16, "vip");
_Static_assert(sizeof(struct port_range) == 8, "port_range");
_Static_assert(sizeof(struct service) == 96, "service");
_Static_assert(sizeof(struct real_server) == 128, "real_server");
_Static_assert(sizeof(struct slots) == 8, "slots");
_Static_assert(sizeof(struct persistence_key) == 20, "persistence_key");
_Static_assert(sizeof(struct persistence) == 16, "persistence");
_Static_assert(sizeof(struct interface) == 8, "interface");
_Static_assert(sizeof(struct node) == 16, "node");
_Static_assert(sizeof(struct settings) == 72, "settings");
_Static_assert(sizeof(struct sweep) == 48, "sweep");
_Static_assert(sizeof(struct adoption) == 8, "adoption");
