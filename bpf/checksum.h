/* SPDX-License-Identifier: GPL-2.0-only */
/* Sums of the Internet checksum (RFC 1071), over words as they lie in memory, and their change (RFC 1624). */
#pragma once

#include "packet.h"

static __always_inline __u16 fold_sum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* A checksum field after the words under it have changed by `delta`. */
static __always_inline __u16 adjust_checksum(__u16 field, __u32 delta)
{
	__u32 sum = (__u16)~field + delta;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* What an IPv4 header's sum changes by when its time to live goes down by one. */
#define TTL_DELTA ((__u16)~bpf_htons(0x0100))

static __always_inline __u64 address_sum(const void *address)
{
	const __u32 *word = address;

	return (__u64)word[0] + word[1] + word[2] + word[3];
}

/* An IPv4 address counts as its own four octets, without the prefix that it has in the maps. */
static __always_inline __u64 network_sum(const void *address)
{
	const __u32 *word = address;

	return word[0] == 0 && word[1] == 0 && word[2] == bpf_htonl(0xffff) ? word[3] : address_sum(address);
}
