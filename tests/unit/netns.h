/* netns.h - the kernel as the other side of a test: which Linux it is, and a network of its own. */
#ifndef TERN_TESTS_UNIT_NETNS_H
#define TERN_TESTS_UNIT_NETNS_H

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Whether it is at least `oldest`: 6018 for 6.18. */
static inline bool kernel_is_recent(long oldest)
{
    struct utsname u;
    char *end;
    if (uname(&u) != 0)
        return false;
    long major = strtol(u.release, &end, 10);
    return major * 1000 + (*end == '.' ? strtol(end + 1, NULL, 10) : 0) >= oldest;
}

/* A network namespace of our own, in which `settings`, a shell's line, have been made, with a TUN
 * interface of that name. NULL, or why there is none; *fd is not blocking. */
static inline const char *kernel_tun(const char *name, const char *settings, int *fd)
{
    struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strcpy(ifr.ifr_name, name);
    if (unshare(CLONE_NEWNET) != 0)
        return "it needs root, for a network namespace";
    *fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0 || ioctl(*fd, TUNSETIFF, &ifr) != 0)
        return "it needs /dev/net/tun";
    return system(settings) == 0 ? NULL : "the ip command and /proc/sys cannot be used here";
}

/* A network namespace of our own with nothing but a loopback, where nobody else takes a port;
 * whoever may not have one stays in the machine's. */
static inline void kernel_loopback(void)
{
    struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = unshare(CLONE_NEWNET) == 0 ? socket(AF_INET, SOCK_DGRAM, 0) : -1;
    if (fd >= 0 && (ioctl(fd, SIOCSIFFLAGS, &ifr) != 0 || close(fd) != 0))
        abort();
}

/* What main() returns when nothing could be tested, and why. */
static inline int kernel_skip(const char *why)
{
    printf("1..0 # SKIP %s\nok 1 # SKIP %s\n", why, why);
    return 0;
}

#endif
