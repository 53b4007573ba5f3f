/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps. Above each: who writes it, who reads it, what a full table means, and where its size comes from. Sizes given here
 * are the smallest; the daemon sets the real ones before it loads the object. All are pinned by the daemon.
 */
#pragma once

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi/include/riptide_abi.h"
#include "abi/include/riptide_counters.h"

/* Written by the daemon before load; constant to the verifier. */
const volatile struct settings settings SEC(".rodata.settings");

/*
 * Flows in being, and where they are found. Written by the data plane; read by it and by the daemon. When both buckets of a
 * new flow are full, it takes the place of the one in them that was longest without a packet. Size: datapath.flows. (Nobody maps
 * their memory: the flag makes the kernel align it, so that a bucket is two cache lines and a group of buckets one page.)
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, struct flow_bucket);
} flow_buckets SEC(".maps");

/* How flows are translated, each at its flow's place. As large as `flows` where a service has mode nat or snat, else empty. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct translation);
} translations SEC(".maps");

/* Fragmented packets whose first fragment has come. Written by the data plane; when full, the kernel evicts the oldest. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fragment_key);
	__type(value, struct fragment);
} fragments SEC(".maps");

/* Flows of a predecessor's table on their way into this one. Written by the daemon, read by `adopt`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RIPTIDE_ADOPTED_AT_ONCE);
	__type(key, __u32);
	__type(value, struct adopted);
} adopted SEC(".maps");

/*
 * Beginnings of connections. Written by the data plane. Never full: a place that is taken is left alone for a while, and the
 * connection that found it so is scheduled by hash, which needs no memory. Size: half of the flow table's.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct half_open);
} half_open SEC(".maps");

/* Clients and their real servers. As `flows`. Size: datapath.persistence. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct persistence_key);
	__type(value, struct persistence);
} persistence SEC(".maps");

/*
 * Addresses that are ours, found by open addressing. Written by the daemon through memory; a full one fails the configuration.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RIPTIDE_VIP_PLACES);
	__type(key, __u32);
	__type(value, struct vip);
} vips SEC(".maps");

/* Runs of port ranges, one run for each VIP and protocol. Written by the daemon through memory; a run in use never changes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct port_range);
} port_ranges SEC(".maps");

/* Services by number. Written by the daemon through memory. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct service);
} services SEC(".maps");

/* Which addresses and ports snat gives away, by service. Written by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct source_pool);
} source_pools SEC(".maps");

/* Where each CPU goes on to look for a free source port. Written by the data plane. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} port_cursors SEC(".maps");

/* Which clients may begin connections. Written by the daemon; a full one fails the configuration. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct client_rule_key);
	__type(value, __u32);
} client_rules SEC(".maps");

/*
 * When each source may begin its next connection, in microseconds since boot, of services that limit the rate. Written by the
 * data plane; when full, the kernel evicts the source that was longest without a connection.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct rate_key);
	__type(value, __u64);
} rates SEC(".maps");

/* What rr and wrr count, by service. Written by the data plane. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct service_state);
} service_states SEC(".maps");

/* Runs of server ids for the schedulers. Written by the daemon through memory; a run in use never changes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct slots);
} slots SEC(".maps");

/* Real servers by number. Written by the daemon through memory. Size: the next power of two that leaves half of it free. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct real_server);
} real_servers SEC(".maps");

/* Connections of each real server now. Written by the data plane; corrected by the daemon after a sweep. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct server_load);
} server_loads SEC(".maps");

/* Connections of each real server as the last sweep counted them. Cleared by the daemon, written by `sweep`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct server_load);
} recount SEC(".maps");

/* Totals of each real server. Written by the data plane, cleared by the daemon when a number gets a new server. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct server_traffic);
} server_traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct service_traffic);
} service_traffic SEC(".maps");

/* Packets by counter (riptide_counters.h). Written by the data plane. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RIPTIDE_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* What happened to tables that a packet's own counter does not tell. Written by the data plane. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct table_events);
} table_events SEC(".maps");

/* The interfaces that the program is attached to, by index. Written by the daemon through memory. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RIPTIDE_INTERFACES);
	__type(key, __u32);
	__type(value, struct interface);
} interfaces SEC(".maps");

/* One element: whether this node owns the VIPs. Written by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct node);
} node SEC(".maps");
