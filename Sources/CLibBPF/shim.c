#define _GNU_SOURCE
#include "CLibBPF.h"

#include <errno.h>
#include <linux/if_link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char *log_text;
static size_t log_size;

static int collect(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *line = NULL;
	int length;

	if (level != LIBBPF_WARN)
		return 0;
	length = vasprintf(&line, format, arguments);
	if (length <= 0)
		return 0;
	pthread_mutex_lock(&log_lock);
	char *grown = realloc(log_text, log_size + length + 1);
	if (grown) {
		log_text = grown;
		memcpy(log_text + log_size, line, length + 1);
		log_size += length;
	}
	pthread_mutex_unlock(&log_lock);
	free(line);
	return length;
}

void clibbpf_log_begin(void)
{
	libbpf_set_print(collect);
	free(clibbpf_log_take());
}

char *clibbpf_log_take(void)
{
	pthread_mutex_lock(&log_lock);
	char *text = log_text;
	log_text = NULL;
	log_size = 0;
	pthread_mutex_unlock(&log_lock);
	return text;
}

struct bpf_object *clibbpf_object_open(const void *bytes, size_t size, const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);

	return bpf_object__open_mem(bytes, size, &options);
}

int clibbpf_xdp_attach(int program, int interface, unsigned flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);

	return bpf_link_create(program, interface, BPF_XDP, &options);
}

int clibbpf_run_xdp(int program, struct clibbpf_run *run)
{
	struct xdp_md context = {.data_end = run->in_size, .ingress_ifindex = run->interface};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = run->in, .data_size_in = run->in_size, .data_out = run->out,
		    .data_size_out = run->out_size, .repeat = run->repeat);
	int error;

	if (run->interface) {
		options.ctx_in = &context;
		options.ctx_size_in = sizeof(context);
	}
	error = bpf_prog_test_run_opts(program, &options);
	run->out_size = options.data_size_out;
	run->result = options.retval;
	run->duration = options.duration;
	return error;
}

int clibbpf_run_xdp_live(int program, const void *packet, unsigned size, unsigned interface, unsigned repeat)
{
	struct xdp_md context = {.data_end = size, .ingress_ifindex = interface};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = size, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = repeat, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);

	return bpf_prog_test_run_opts(program, &options);
}

int clibbpf_run_syscall(int program, void *context, unsigned size)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = context, .ctx_size_in = size);

	return bpf_prog_test_run_opts(program, &options);
}

int clibbpf_xdp_query(int interface, struct clibbpf_xdp_state *state)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, options);
	int error = bpf_xdp_query(interface, 0, &options);

	state->native_id = options.drv_prog_id;
	state->generic_id = options.skb_prog_id;
	state->offload_id = options.hw_prog_id;
	return error;
}
