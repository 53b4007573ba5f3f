// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packets of ./tools/bench ipvs:
 *
 *   generate   makes the next packet of a run with live frames, and reads the clock before the first that is measured and
 *              after the last.
 *   sink       counts what arrives, keeps the first, and drops it.
 *   pass       leaves everything to the kernel.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "packets.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct run);
} runs SEC(".maps");

static __always_inline struct run *this_run(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&runs, &zero);
}

static __always_inline __u16 checksum(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

static __always_inline void write_frame(void *to, const struct run *run, __u32 flow, __u32 tcp_flags)
{
	__u32 source = bpf_htonl(flow);
	__u32 sum = (source & 0xffff) + (source >> 16);

#pragma unroll
	for (int i = 0; i < FRAME_WORDS; i++)
		((__u64 *)to)[i] = run->frame[i];
	*(__u32 *)(to + AT_SOURCE) += source;
	*(__u16 *)(to + AT_TCP_FLAGS) = tcp_flags;
	*(__u16 *)(to + AT_IP_CHECKSUM) = checksum(run->ip_sum + sum);
	*(__u16 *)(to + AT_TCP_CHECKSUM) = checksum(run->tcp_sum + sum + tcp_flags);
}

SEC("xdp")
int generate(struct xdp_md *xdp)
{
	struct run *run = this_run();
	__u64 number;
	void *frame;

	if (!run || bpf_xdp_adjust_head(xdp, SPARE_ROOM))
		return XDP_ABORTED;
	frame = (void *)(long)xdp->data;
	if (frame + FRAME_SIZE > (void *)(long)xdp->data_end)
		return XDP_ABORTED;

	number = run->made++ - run->before;
	if (number == 0)
		run->began = bpf_ktime_get_ns();
	if (number == run->count)
		run->ended = bpf_ktime_get_ns();
	if (number < run->count)
		write_frame(frame, run, run->first_flow + (number & run->flow_mask), run->tcp_flags);
	else
		write_frame(frame, run, 0, WORD_ACK);
	return bpf_redirect(run->interface, 0);
}

SEC("xdp")
int sink(struct xdp_md *xdp)
{
	struct run *run = this_run();
	__u64 *frame = (void *)(long)xdp->data;

	if (!run)
		return XDP_DROP;
	if (run->arrived++ == 0 && (void *)(frame + FRAME_WORDS) <= (void *)(long)xdp->data_end) {
		for (int i = 0; i < FRAME_WORDS; i++)
			run->seen[i] = frame[i];
	}
	return XDP_DROP;
}

SEC("xdp")
int pass(struct xdp_md *xdp)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
