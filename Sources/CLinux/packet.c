#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int clinux_packet_open(uint32_t interface_index, uint32_t protocol) {
    // Opened without a protocol, so that nothing of other interfaces is queued before bind.
    int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -errno;
    int yes = 1;
    struct sockaddr_ll name = {
        .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = (int)interface_index};
    if (protocol != CLINUX_PACKET_SEND_ONLY &&
        (setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) < 0 ||
         setsockopt(descriptor, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof yes) < 0 ||
         bind(descriptor, (struct sockaddr *)&name, sizeof name) < 0)) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    return descriptor;
}

int clinux_packet_send(int descriptor, uint32_t interface_index, const void *frame, size_t length) {
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)interface_index, .sll_halen = ETH_ALEN};
    if (length < ETH_HLEN)
        return -EINVAL;
    memcpy(&to.sll_protocol, (const char *)frame + 2 * ETH_ALEN, sizeof to.sll_protocol);
    memcpy(to.sll_addr, frame, ETH_ALEN);
    ssize_t sent;
    do
        sent = sendto(descriptor, frame, length, 0, (struct sockaddr *)&to, sizeof to);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

long clinux_packet_receive(int descriptor, void *frame, size_t capacity) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control;
    struct iovec vector = {.iov_base = frame, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t received;
    do
        received = recvmsg(descriptor, &message, MSG_DONTWAIT);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return -errno;
    size_t length = (size_t)received;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        struct tpacket_auxdata facts;
        if (part->cmsg_level != SOL_PACKET || part->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&facts, CMSG_DATA(part), sizeof facts);
        if (!(facts.tp_status & TP_STATUS_VLAN_VALID) || length < 2 * ETH_ALEN)
            continue;
        uint16_t tag[2] = {
            htons(facts.tp_status & TP_STATUS_VLAN_TPID_VALID ? facts.tp_vlan_tpid : ETH_P_8021Q),
            htons(facts.tp_vlan_tci)};
        size_t rest = length - 2 * ETH_ALEN;
        if (length + sizeof tag > capacity)
            rest = capacity > 2 * ETH_ALEN + sizeof tag ? capacity - 2 * ETH_ALEN - sizeof tag : 0;
        if (capacity < 2 * ETH_ALEN + sizeof tag)
            continue;
        char *after = (char *)frame + 2 * ETH_ALEN;
        memmove(after + sizeof tag, after, rest);
        memcpy(after, tag, sizeof tag);
        length = 2 * ETH_ALEN + sizeof tag + rest;
    }
    return (long)length;
}
