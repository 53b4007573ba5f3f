// Prefixed shims for what Swift cannot call itself: variadic functions, GNU extensions that the Glibc module leaves out,
// raw system calls, and calls that must not be interrupted by the Swift runtime. Each says why it exists.
//
// Unless a comment says otherwise, a function returns 0 (or a descriptor) on success and the negated errno on failure, so
// that Swift never has to read errno after the fact.
#pragma once

#include <stddef.h>
#include <stdint.h>

// strerrorname_np and strerrordesc_np are GNU extensions: the symbolic name ("EPERM") and the untranslated text, both
// static, so unlike strerror they are safe in threads. NULL for an unknown number.
const char *clinux_errno_name(int number);
const char *clinux_errno_text(int number);

// struct ucred is a GNU extension. The credentials are those of the peer at the time of connect(2) or socketpair(2).
int clinux_peer_credentials(int socket, int32_t *pid, uint32_t *uid, uint32_t *gid);

// unshare(2) and setns(2) are GNU extensions. Both act on the calling thread alone: never call them from async code.
int clinux_unshare_network(void);
int clinux_enter_network(int namespace_descriptor);

// <sys/mount.h> and <sys/vfs.h> are not in the Glibc module.
int clinux_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);
int clinux_unmount(const char *target);
int clinux_filesystem_magic(const char *path, uint64_t *magic);

#define CLINUX_BPF_FILESYSTEM_MAGIC 0xcafe4a11ull
#define CLINUX_MOUNT_RESTRICTED 0xeul // MS_NOSUID | MS_NODEV | MS_NOEXEC

// bpf(2) has no wrapper in glibc. Creates the smallest array map and closes it again: 0 if this process may use BPF here.
int clinux_bpf_probe(void);

// open(2) is variadic. Close-on-exec is always added.
int clinux_open(const char *path, int flags, unsigned int mode);

// An anonymous file in memory, close-on-exec: memfd_create(2) is a GNU extension.
int clinux_memory_file(const char *name);

// eventfd(2) is not in the Glibc module. Non-blocking, close-on-exec.
int clinux_event_open(void);
int clinux_event_signal(int descriptor);

// A descriptor that becomes readable when the process ends: pidfd_open(2) has no wrapper before glibc 2.36.
int clinux_process_descriptor(int32_t pid);

// Starting a program.
//
// posix_spawn cannot enter a network namespace, and fork in a threaded Swift process may run nothing but
// async-signal-safe C until exec: hence one C function that does it all between vfork and execve. In the child all signals
// have their default action and none is blocked, and every descriptor above 2 is closed on exec, whatever its own flag.
struct clinux_spawn {
    const char *path;      // absolute or relative; PATH is not searched
    char *const *arguments; // ends with NULL
    char *const *environment; // ends with NULL
    const char *directory; // NULL: the caller's
    // What becomes descriptors 0, 1 and 2: each is above 2 or equal to its own target.
    int32_t input;
    int32_t output;
    int32_t errors;
    int32_t network_namespace; // entered by setns; -1: the calling thread's
    int32_t own_process_group; // not 0: the child leads a new process group
    // The signal that the child gets when the calling *thread* ends (PR_SET_PDEATHSIG); 0: none.
    int32_t parent_death_signal;
};
int clinux_spawn(const struct clinux_spawn *request, int32_t *pid);

// waitpid without blocking: 1 and the status once the child has ended, 0 before. `signal` is 0 for an ordinary exit.
int clinux_reap(int32_t pid, int32_t *exit_status, int32_t *signal);

// Packet sockets: struct sockaddr_ll is not in the Glibc module, and a received VLAN tag comes only as ancillary data.
// Protocol 0 makes a socket that sends but receives nothing; CLINUX_PACKET_ALL receives every frame that comes in (never
// the frames that this machine sends). interface_index 0 binds to none.
#define CLINUX_PACKET_SEND_ONLY 0u
#define CLINUX_PACKET_ALL 3u
int clinux_packet_open(uint32_t interface_index, uint32_t protocol);
int clinux_packet_send(int descriptor, uint32_t interface_index, const void *frame, size_t length);
// The frame's length, its VLAN tag put back where it was; never blocks (-EAGAIN). A longer frame is cut to `capacity`.
long clinux_packet_receive(int descriptor, void *frame, size_t capacity);

// struct sockaddr_nl's buffer can grow past net.core.rmem_max only by SO_RCVBUFFORCE, which the Glibc module leaves out.
int clinux_force_receive_buffer(int socket, int bytes);

// What ethtool(8) shows of an interface in the calling thread's namespace: <linux/ethtool.h> is not in the Glibc module, and
// its answers end in arrays of a size known at run time only. The driver's name ends with NUL; -EOPNOTSUPP if the driver
// has none. A feature has the name that the kernel gives it ("rx-gro-hw"); -ENOENT if this kernel has no such feature.
#define CLINUX_DRIVER_NAME_SIZE 32
int clinux_driver_name(const char *interface, char name[CLINUX_DRIVER_NAME_SIZE]);
int clinux_feature(const char *interface, const char *feature, int32_t *is_on, int32_t *is_fixed);

// pthread_setname_np is a GNU extension: the calling thread's name, at most 15 characters, as `ps -T` and gdb show it.
void clinux_name_thread(const char *name);

// <malloc.h> is not part of Swift's Glibc module. One heap for all threads; and unused memory back to the kernel.
void clinux_use_one_heap(void);
void clinux_give_memory_back(void);
