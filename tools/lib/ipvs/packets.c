// SPDX-License-Identifier: Apache-2.0
/*
 * Sends the packets of ./tools/bench ipvs and tells what one costs.
 *
 *   packets load OBJECT                     loads packets.bpf.c and pins its programs
 *   packets attach|detach DEVICE [PROGRAM]
 *   packets send syn|ack TO FIRST FLOWS COUNT [BEFORE]
 *                                           COUNT segments to port 80 of TO from FLOWS (a power of two) clients, the first of
 *                                           them number FIRST; BEFORE of client 0 come before. Prints nanoseconds a packet.
 *                                           Fails if not all arrive; to "nobody", if any does.
 *   packets seen                            the first packet of the last run that arrived, in words
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "packets.h"

#define PINS "/sys/fs/bpf/packets"
#define GENERATOR_DEVICE "c0"
#define AFTER 64
#define DEFAULT_BEFORE 2048
#define WAIT_MILLISECONDS 2000

static const unsigned char client_mac[6] = {2, 0, 0, 0, 0, 2};
static const unsigned char balancer_mac[6] = {2, 0, 0, 0, 0, 1};
static const unsigned char server_mac[6] = {2, 0, 0, 0, 0, 4};
static const unsigned char nobodys_mac[6] = {2, 0, 0, 0, 0, 9};

static void die(const char *what)
{
	fprintf(stderr, "packets: %s\n", what);
	exit(1);
}

static void check(int failed, const char *what)
{
	if (!failed)
		return;
	fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int pinned(const char *name)
{
	char path[64];
	int descriptor;

	snprintf(path, sizeof(path), PINS "/%s", name);
	descriptor = bpf_obj_get(path);
	check(descriptor < 0, path);
	return descriptor;
}

static unsigned int device(const char *name)
{
	unsigned int index = if_nametoindex(name);

	check(!index, name);
	return index;
}

static struct run *shared_run(void)
{
	struct run *run = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, pinned("runs"), 0);

	check(run == MAP_FAILED, "map the run");
	return run;
}

static void load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	char pin[64];

	check(!object || bpf_object__load(object), path);
	check(bpf_object__pin_maps(object, PINS) != 0, "pin the map");
	bpf_object__for_each_program(program, object) {
		snprintf(pin, sizeof(pin), PINS "/%s", bpf_program__name(program));
		check(bpf_program__pin(program, pin) != 0, pin);
	}
}

/* Sums are of words as they lie in memory, as the checksum is. */
static unsigned int sum_of(const unsigned char *octets, int length)
{
	unsigned int sum = 0;
	unsigned short word;

	for (int i = 0; i < length; i += 2) {
		memcpy(&word, octets + i, 2);
		sum += word;
	}
	return sum;
}

static unsigned int pseudo_header(const unsigned char *ip, int length)
{
	return sum_of(ip + 12, 8) + htons(IPPROTO_TCP) + htons(length);
}

static int is_right(unsigned int sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static void prepare(struct run *run, const char *to)
{
	static const unsigned char headers[] = {
		0x45, 0, 0, FRAME_SIZE - AT_IP, 0, 0, 0x40, 0, 64, IPPROTO_TCP, 0, 0, 10, 64, 0, 0, 0, 0, 0, 0,
		0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0,
	};
	unsigned char *frame = (unsigned char *)run->frame;
	int nobody = !strcmp(to, "nobody");

	memset(run, 0, sizeof(*run));
	memcpy(frame, nobody ? nobodys_mac : balancer_mac, 6);
	memcpy(frame + 6, client_mac, 6);
	frame[12] = 0x08;
	memcpy(frame + AT_IP, headers, sizeof(headers));
	if (!nobody && inet_pton(AF_INET, to, frame + AT_IP + 16) != 1)
		die("no IPv4 address");
	run->ip_sum = sum_of(frame + AT_IP, 20);
	run->tcp_sum = sum_of(frame + AT_TCP, FRAME_SIZE - AT_TCP) + pseudo_header(frame + AT_IP, FRAME_SIZE - AT_TCP);
}

static void await_arrivals(const struct run *run, unsigned long long wanted)
{
	struct timespec moment = {.tv_nsec = 1000000};

	for (int i = 0; i < WAIT_MILLISECONDS && *(volatile const __u64 *)&run->arrived < wanted; i++)
		nanosleep(&moment, NULL);
	if (run->arrived == wanted)
		return;
	fprintf(stderr, "packets: %llu of %llu packets arrived\n", (unsigned long long)run->arrived, wanted);
	exit(1);
}

static void send_packets(char **argument, int before)
{
	struct run *run = shared_run();
	unsigned char room[FRAME_SIZE + SPARE_ROOM] = {0};
	struct xdp_md context = {.data_end = sizeof(room)};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = room, .data_size_in = sizeof(room), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	prepare(run, argument[1]);
	run->tcp_flags = strcmp(argument[0], "syn") ? WORD_ACK : WORD_SYN;
	run->first_flow = atoi(argument[2]);
	run->flow_mask = atoi(argument[3]) - 1;
	run->count = atoi(argument[4]);
	run->before = before;
	run->interface = device(GENERATOR_DEVICE);
	options.repeat = before + run->count + AFTER;
	check(bpf_prog_test_run_opts(pinned("generate"), &options) != 0, "run the generator");
	await_arrivals(run, strcmp(argument[1], "nobody") ? options.repeat : 0);
	printf("%.1f\n", (double)(run->ended - run->began) / run->count);
}

static const char *address(const unsigned char *octets)
{
	static char text[INET_ADDRSTRLEN];

	return inet_ntop(AF_INET, octets, text, sizeof(text));
}

static void tell_seen(void)
{
	struct run *run = shared_run();
	const unsigned char *frame = (const unsigned char *)run->seen;
	const unsigned char *ip = frame + AT_IP;

	if (memcmp(frame, server_mac, 6))
		die("the packet went to another MAC address than the server's");
	if (!is_right(sum_of(ip, 20)))
		die("the packet's IP checksum is wrong");
	if (ip[9] == IPPROTO_IPIP) {
		printf("%s in ", address(ip + 16));
		ip += 20;
		if (!is_right(sum_of(ip, 20)))
			die("the inner packet's IP checksum is wrong");
	} else if (!is_right(sum_of(ip + 20, FRAME_SIZE - AT_TCP) + pseudo_header(ip, FRAME_SIZE - AT_TCP))) {
		die("the packet's TCP checksum is wrong");
	}
	printf("%s:%d\n", address(ip + 16), ip[22] << 8 | ip[23]);
}

int main(int count, char **arguments)
{
	const char *verb = count > 1 ? arguments[1] : "";

	if (!strcmp(verb, "load") && count == 3)
		load(arguments[2]);
	else if (!strcmp(verb, "attach") && count == 4)
		check(bpf_xdp_attach(device(arguments[2]), pinned(arguments[3]), XDP_FLAGS_DRV_MODE, NULL) != 0, "attach");
	else if (!strcmp(verb, "detach") && count == 3)
		check(bpf_xdp_detach(device(arguments[2]), XDP_FLAGS_DRV_MODE, NULL) != 0, "detach");
	else if (!strcmp(verb, "send") && (count == 7 || count == 8))
		send_packets(arguments + 2, count == 8 ? atoi(arguments[7]) : DEFAULT_BEFORE);
	else if (!strcmp(verb, "seen") && count == 2)
		tell_seen();
	else
		die("see the head of packets.c for what it takes");
	return 0;
}
