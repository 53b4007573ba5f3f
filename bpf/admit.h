/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a client may begin a connection: lists of prefixes, and a rate for each source address. */
#pragma once

#include "service.h"

static __always_inline int is_denied(const struct flow_key *client, const struct service *service, __u32 number)
{
	struct client_rule_key key __attribute__((aligned(8))) = {.length = 160, .service = number};
	__u32 *rule;

	copy_address(key.address, client->source);
	rule = bpf_map_lookup_elem(&client_rules, &key);
	if (rule)
		return *rule == RIPTIDE_CLIENT_DENIED;
	return service->flags & RIPTIDE_SERVICE_DENIES;
}

/*
 * Each connection takes up `rate_interval` of a source's time, and a source may be `rate_burst` ahead of the clock. (The word
 * is read and written apart: two CPUs at once may let one connection more through.)
 */
static __always_inline int is_too_fast(const struct flow_key *client, const struct service *service, __u32 number)
{
	struct rate_key key __attribute__((aligned(8))) = {.service = number};
	__u64 now = bpf_ktime_get_ns() / 1000, next = now, *until;

	copy_address(key.source, client->source);
	until = bpf_map_lookup_elem(&rates, &key);
	if (until && WORD64(until) > now)
		next = WORD64(until);
	if (next - now > service->rate_burst)
		return 1;
	next += service->rate_interval;
	if (until)
		WORD64(until) = next;
	else
		bpf_map_update_elem(&rates, &key, &next, BPF_ANY);
	return 0;
}

/*
 * 0, or the reason for which the packet of no known connection is dropped: a client that is denied has none, so that goes for
 * strays too, which would leave a note of it. A global function, for the verifier's sake.
 */
__noinline int refuse_client(__u32 number, struct flow_key *client, __u32 begins)
{
	struct service *service = service_at(number);

	if (!service || !client)
		return 0;
	if (service->flags & RIPTIDE_SERVICE_HAS_RULES && is_denied(client, service, number))
		return RIPTIDE_DROP_DENIED;
	if (begins && service->rate_interval && is_too_fast(client, service, number))
		return RIPTIDE_DROP_RATE;
	return 0;
}
