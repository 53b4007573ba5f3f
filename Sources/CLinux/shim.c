#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(CLINUX_MOUNT_RESTRICTED == (MS_NOSUID | MS_NODEV | MS_NOEXEC), "mount flags");
_Static_assert(CLINUX_PACKET_ALL == ETH_P_ALL, "packet protocol");

static int result(long value) {
    return value < 0 ? -errno : (int)value;
}

const char *clinux_errno_name(int number) {
    return strerrorname_np(number);
}

const char *clinux_errno_text(int number) {
    return strerrordesc_np(number);
}

int clinux_peer_credentials(int socket, int32_t *pid, uint32_t *uid, uint32_t *gid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return -errno;
    *pid = credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

int clinux_unshare_network(void) {
    return result(unshare(CLONE_NEWNET));
}

int clinux_enter_network(int namespace_descriptor) {
    return result(setns(namespace_descriptor, CLONE_NEWNET));
}

int clinux_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
    return result(mount(source, target, type, flags, data));
}

int clinux_unmount(const char *target) {
    return result(umount2(target, MNT_DETACH));
}

int clinux_filesystem_magic(const char *path, uint64_t *magic) {
    struct statfs facts;
    if (statfs(path, &facts) < 0)
        return -errno;
    *magic = (uint64_t)facts.f_type;
    return 0;
}

int clinux_bpf_probe(void) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = 4;
    attributes.value_size = 4;
    attributes.max_entries = 1;
    long descriptor = syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
    if (descriptor < 0)
        return -errno;
    close((int)descriptor);
    return 0;
}

int clinux_open(const char *path, int flags, unsigned int mode) {
    return result(open(path, flags | O_CLOEXEC, mode));
}

int clinux_memory_file(const char *name) {
    return result(memfd_create(name, MFD_CLOEXEC));
}

int clinux_event_open(void) {
    return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

int clinux_event_signal(int descriptor) {
    return result(eventfd_write(descriptor, 1));
}

int clinux_process_descriptor(int32_t pid) {
    return result(syscall(SYS_pidfd_open, pid, 0));
}

int clinux_force_receive_buffer(int socket, int bytes) {
    return result(setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes));
}

void clinux_name_thread(const char *name) {
    pthread_setname_np(pthread_self(), name);
}

int clinux_reap(int32_t pid, int32_t *exit_status, int32_t *signal) {
    int status = 0;
    int ended;
    do
        ended = waitpid(pid, &status, WNOHANG);
    while (ended < 0 && errno == EINTR);
    if (ended < 0)
        return -errno;
    if (ended == 0)
        return 0;
    *signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    *exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return 1;
}
