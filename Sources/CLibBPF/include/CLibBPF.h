// libbpf, and prefixed shims for what Swift cannot call: functions with a structure of options built by a macro, and the log
// callback with its va_list. Each shim returns what libbpf does: 0 or more, or a negative errno.
#pragma once

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

// Collects libbpf's messages of warning level in a buffer of its own until they are taken: verifier logs are long, so the
// buffer grows as needed. Messages of all threads come together; loading is not done by two at once.
void clibbpf_log_begin(void);
// The text collected since clibbpf_log_begin, to be freed by the caller; null if there is none.
char *clibbpf_log_take(void);

// Opens an object in memory. Null: errno tells why.
struct bpf_object *clibbpf_object_open(const void *bytes, size_t size, const char *name);

// Attaches by a BPF link, in a mode: XDP_FLAGS_DRV_MODE or XDP_FLAGS_SKB_MODE. The link's descriptor, or a negative errno.
int clibbpf_xdp_attach(int program, int interface, unsigned flags);

// Runs an XDP program on a packet. `out` must hold `out_size` bytes and is set to the packet after; ctx_ifindex 0 is no
// interface. `duration` is nanoseconds for one run.
struct clibbpf_run {
	const void *in;
	void *out;
	unsigned in_size;
	unsigned out_size;
	unsigned interface;
	unsigned repeat;
	unsigned result;
	unsigned duration;
};
int clibbpf_run_xdp(int program, struct clibbpf_run *run);

// Runs an XDP program on frames that really are sent where it redirects them, `repeat` of them, from interface `interface`.
int clibbpf_run_xdp_live(int program, const void *packet, unsigned size, unsigned interface, unsigned repeat);

// Runs a program of section "syscall" with a context that it may change.
int clibbpf_run_syscall(int program, void *context, unsigned size);

// Whether and how an interface has an XDP program now.
struct clibbpf_xdp_state {
	unsigned native_id;
	unsigned generic_id;
	unsigned offload_id;
};
int clibbpf_xdp_query(int interface, struct clibbpf_xdp_state *state);
