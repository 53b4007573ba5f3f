#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(CLINUX_DRIVER_NAME_SIZE == sizeof(((struct ethtool_drvinfo *)0)->driver), "driver name");

static int ask(const char *interface, void *command) {
    struct ifreq request = {.ifr_data = command};
    size_t length = strlen(interface);
    if (length >= sizeof request.ifr_name)
        return -ENODEV;
    memcpy(request.ifr_name, interface, length);
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    int error = ioctl(descriptor, SIOCETHTOOL, &request) < 0 ? errno : 0;
    close(descriptor);
    return -error;
}

int clinux_driver_name(const char *interface, char name[CLINUX_DRIVER_NAME_SIZE]) {
    struct ethtool_drvinfo facts = {.cmd = ETHTOOL_GDRVINFO};
    int result = ask(interface, &facts);
    if (result < 0)
        return result;
    memcpy(name, facts.driver, CLINUX_DRIVER_NAME_SIZE);
    name[CLINUX_DRIVER_NAME_SIZE - 1] = 0;
    return 0;
}

// How many features the kernel knows.
static int count_features(const char *interface) {
    // The answer is one number for each set that was asked for, after the head.
    __u32 words[(sizeof(struct ethtool_sset_info) + sizeof(__u32)) / sizeof(__u32)] __attribute__((aligned(8))) = {0};
    struct ethtool_sset_info *sets = (struct ethtool_sset_info *)words;
    sets->cmd = ETHTOOL_GSSET_INFO;
    sets->sset_mask = 1ull << ETH_SS_FEATURES;
    int result = ask(interface, sets);
    return result < 0 ? result : (int)sets->data[0];
}

// The feature's place among `count`.
static int find_feature(const char *interface, const char *feature, int count) {
    struct ethtool_gstrings *names = calloc(1, sizeof *names + (size_t)count * ETH_GSTRING_LEN);
    if (!names)
        return -ENOMEM;
    names->cmd = ETHTOOL_GSTRINGS;
    names->string_set = ETH_SS_FEATURES;
    names->len = (__u32)count;
    int found = ask(interface, names);
    if (found == 0) {
        found = -ENOENT;
        for (int place = 0; place < count && found < 0; place++)
            if (!strncmp((const char *)names->data + place * ETH_GSTRING_LEN, feature, ETH_GSTRING_LEN))
                found = place;
    }
    free(names);
    return found;
}

int clinux_feature(const char *interface, const char *feature, int32_t *is_on, int32_t *is_fixed) {
    int count = count_features(interface);
    if (count < 0)
        return count;
    int place = find_feature(interface, feature, count);
    if (place < 0)
        return place;
    __u32 blocks = ((__u32)count + 31) / 32;
    struct ethtool_gfeatures *states = calloc(1, sizeof *states + blocks * sizeof states->features[0]);
    if (!states)
        return -ENOMEM;
    states->cmd = ETHTOOL_GFEATURES;
    states->size = blocks;
    int result = ask(interface, states);
    if (result == 0) {
        const struct ethtool_get_features_block *block = &states->features[place / 32];
        __u32 bit = 1u << place % 32;
        *is_on = (block->active & bit) != 0;
        *is_fixed = !(block->available & ~block->never_changed & bit);
    }
    free(states);
    return result;
}
