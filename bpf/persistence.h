/* SPDX-License-Identifier: GPL-2.0-only */
/* Which real server a client has: one for all ports and protocols of a service, until its time is out. */
#pragma once

#include "service.h"

/* The client's address cut to the service's prefix. */
static __always_inline void persistence_client(const struct flow_key *key, const struct service *service, __u8 *client)
{
	const __u64 *from = (const __u64 *)key->source;
	__u64 *to = address_words(client);
	const __u64 *mask = (const __u64 *)service->persistence_mask;

	to[0] = from[0] & mask[0];
	to[1] = from[1] & mask[1];
}

/* Signed, since another CPU may have seen the client after our `now` was read. */
static __always_inline int persistence_expired(const struct persistence *entry, const struct service *service, __u64 now)
{
	return (__s64)(now - WORD64(&entry->seen)) >= (__s64)service->persistence_timeout * settings.hz;
}

/* Apart: once in a second or so a flow tells that its client is still there. */
static __noinline int persistence_refresh(const struct packet *p, __u32 service_number, __u32 server)
{
	struct service *service = service_at(service_number);
	struct persistence_key key __attribute__((aligned(8))) = {.service = service_number};
	struct persistence *entry;

	if (!service || !service->persistence_timeout)
		return 0;
	persistence_client(&p->key, service, key.client);
	entry = bpf_map_lookup_elem(&persistence, &key);
	if (entry && entry->server == server)
		WORD64(&entry->seen) = p->now;
	return 0;
}
