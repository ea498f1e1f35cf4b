/* kernel.c - plays a script against Linux: packets through a TUN device, calls in a thread.
 *
 * The settings of the drill's table are written to /proc/sys of the namespace, so that a script
 * starts from the same ones here and there. */
#include "kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct kernel {
    struct drill_sut base;
    struct drill_setup setup;
    int tun, done_fd;
    int64_t start;
    struct drill_out *first, *last;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool called, busy, quit;
    enum drill_nr nr;
    intptr_t args[6];
    int64_t result;
};

static int64_t lag_max;
static char congestion[16];

int64_t kernel_lag(void) { return lag_max; }

static struct kernel *of(struct drill_sut *s) { return (struct kernel *)s; }

static int64_t clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now(const struct drill_sut *s)
{
    return clock_now() - ((const struct kernel *)s)->start;
}

/* ---- packets and time ------------------------------------------------------------------------ */

static void read_packets(struct kernel *k)
{
    uint8_t buf[65536];
    ssize_t n;
    while ((n = read(k->tun, buf, sizeof(buf))) > 0) {
        if (buf[0] >> 4 == 6 && buf[6] == 58 && n > 40 && buf[40] >= 130)
            continue; /* neighbour discovery and the like */
        if (buf[0] >> 4 == 6 && buf[6] == 0)
            continue;
        struct drill_out *o = malloc(sizeof(*o) + (size_t)n);
        if (!o)
            abort();
        o->next = NULL;
        o->time = now(&k->base);
        o->len = (size_t)n;
        memcpy(o->data, buf, (size_t)n);
        if (k->last)
            k->last->next = o;
        else
            k->first = o;
        k->last = o;
    }
}

static void pass(struct drill_sut *s, int64_t until)
{
    struct kernel *k = of(s);
    bool waits = __atomic_load_n(&k->busy, __ATOMIC_ACQUIRE);
    for (;;) {
        read_packets(k);
        int64_t left = until - now(s);
        if (-left > lag_max && until > 0)
            lag_max = -left;
        if (k->first || left <= 0 || (waits && !__atomic_load_n(&k->busy, __ATOMIC_ACQUIRE)))
            return;
        struct pollfd fds[2] = {{k->tun, POLLIN, 0}, {k->done_fd, POLLIN, 0}};
        struct timespec t = {left / 1000000000, left % 1000000000};
        uint64_t n;
        if (ppoll(fds, 2, &t, NULL) > 0 && fds[1].revents && read(k->done_fd, &n, sizeof(n)) < 0)
            return;
    }
}

static void inject(struct drill_sut *s, const uint8_t *data, size_t len)
{
    if (write(of(s)->tun, data, len) != (ssize_t)len)
        perror("tun");
}

static struct drill_out *take(struct drill_sut *s)
{
    struct kernel *k = of(s);
    struct drill_out *o = k->first;
    if (o) {
        k->first = o->next;
        if (!k->first)
            k->last = NULL;
    }
    return o;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static long number_of(enum drill_nr nr)
{
    /* clang-format off */
    switch (nr) {
#define X(name) case DRILL_NR_##name: return SYS_##name;
    X(bind) X(listen) X(accept) X(accept4) X(connect) X(shutdown) X(close) X(getsockname)
    X(getpeername) X(getsockopt) X(setsockopt) X(read) X(write) X(readv) X(writev) X(recvfrom)
    X(sendto) X(recvmsg) X(sendmsg) X(dup) X(fcntl) X(ioctl) X(pipe2) X(sendfile) X(splice)
    X(epoll_create1) X(epoll_ctl)
#undef X
    default: return -1;
    }
    /* clang-format on */
}

/* Some algorithms cannot be made a namespace's default, but be asked for by a socket. */
static int64_t make_socket(const intptr_t a[6])
{
    int fd = socket((int)a[0], (int)a[1], (int)a[2]), saved = errno;
    if (fd >= 0)
        setsockopt(fd, SOL_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion));
    errno = saved;
    return fd;
}

static int64_t run(enum drill_nr nr, const intptr_t a[6])
{
    switch (nr) {
    case DRILL_NR_socket:
        return make_socket(a);
    case DRILL_NR_recv:
        return recv((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3]);
    case DRILL_NR_send:
        return send((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3] | MSG_NOSIGNAL);
    case DRILL_NR_pipe:
        return pipe((int *)a[0]);
    case DRILL_NR_open:
        return open((const char *)a[0], (int)a[1], (mode_t)a[2]);
    case DRILL_NR_poll:
        return poll((struct pollfd *)a[0], (nfds_t)a[1], (int)a[2]);
    case DRILL_NR_dup2:
        return dup2((int)a[0], (int)a[1]);
    case DRILL_NR_epoll_create:
        return syscall(SYS_epoll_create1, 0);
    case DRILL_NR_epoll_wait:
        return syscall(SYS_epoll_pwait, a[0], a[1], a[2], a[3], 0, 0);
    default:
        return syscall(number_of(nr), a[0], a[1], a[2], a[3], a[4], a[5]);
    }
}

static void *process(void *user)
{
    struct kernel *k = user;
    pthread_mutex_lock(&k->lock);
    for (;;) {
        while (!k->called && !k->quit)
            pthread_cond_wait(&k->changed, &k->lock);
        if (k->quit)
            break;
        k->called = false;
        pthread_mutex_unlock(&k->lock);
        int64_t result = run(k->nr, k->args);
        result = result < 0 ? -errno : result;
        pthread_mutex_lock(&k->lock);
        k->result = result;
        __atomic_store_n(&k->busy, false, __ATOMIC_RELEASE);
        pthread_cond_broadcast(&k->changed);
        uint64_t one = 1;
        if (write(k->done_fd, &one, sizeof(one)) < 0)
            perror("eventfd");
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

static bool call(struct drill_sut *s, enum drill_nr nr, const intptr_t args[6])
{
    struct kernel *k = of(s);
    struct timespec until;
    pthread_mutex_lock(&k->lock);
    k->nr = nr;
    memcpy(k->args, args, sizeof(k->args));
    k->called = true;
    __atomic_store_n(&k->busy, true, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&k->changed);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (k->busy && pthread_cond_timedwait(&k->changed, &k->lock, &until) == 0)
        ;
    bool done = !k->busy;
    pthread_mutex_unlock(&k->lock);
    read_packets(k);
    return done;
}

static bool busy(const struct drill_sut *s)
{
    return __atomic_load_n(&((const struct kernel *)s)->busy, __ATOMIC_ACQUIRE);
}

static int64_t result(const struct drill_sut *s) { return ((const struct kernel *)s)->result; }

/* ---- settings -------------------------------------------------------------------------------- */

static void put(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* of another version of Linux, or not of a namespace */
    if (write(fd, value, strlen(value)) < 0 && errno != EINVAL)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    close(fd);
}

/* `ip route`: the metrics that a script has set. */
static void set_route(const struct kernel *k)
{
    static const char *const metrics[] = {"advmss", "initcwnd", "initrwnd",   "window",
                                          "cwnd",   "ssthresh", "reordering", "quickack"};
    const struct drill_settings *set = k->setup.settings;
    bool v6 = k->setup.family == DRILL_IPV6;
    char line[256], name[32];
    int n = snprintf(line, sizeof(line), "ip %s route replace default dev drill0", v6 ? "-6" : "");
    if (drill_settings_given(set, "route.mtu"))
        n += snprintf(line + n, sizeof(line) - (size_t)n, " mtu %s %s",
                      drill_settings_number(set, "route.mtu_lock", 0) ? "lock" : "",
                      drill_settings_get(set, "route.mtu"));
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        snprintf(name, sizeof(name), "route.%s", metrics[i]);
        if (drill_settings_given(set, name))
            n += snprintf(line + n, sizeof(line) - (size_t)n, " %s %s", metrics[i],
                          drill_settings_get(set, name));
    }
    if (drill_settings_given(set, "route.features"))
        n += snprintf(line + n, sizeof(line) - (size_t)n, " features ecn");
    if (drill_settings_given(set, "route.rto_min_us"))
        snprintf(line + n, sizeof(line) - (size_t)n, " rto_min %s us",
                 drill_settings_get(set, "route.rto_min_us"));
    if (system(line) != 0)
        fprintf(stderr, "%s: it does not work\n", line);
}

static const char *changed(struct drill_sut *s)
{
    const struct drill_setting *at;
    for (size_t i = 0; (at = drill_settings_at(i)) != NULL; i++) {
        char path[160] = "/proc/sys/";
        const char *name = at->name;
        bool heeded = !at->values || drill_settings_given(of(s)->setup.settings, name);
        if (!heeded || strncmp(name, "net.", 4) != 0)
            continue;
        size_t n = strlen(path);
        for (const char *p = name; *p && n + 1 < sizeof(path); p++)
            path[n++] = *p == '.' ? '/' : *p;
        path[n] = '\0';
        if (strcmp(name, "net.ipv4.tcp_congestion_control") == 0) {
            snprintf(congestion, sizeof(congestion), "%s",
                     drill_settings_get(of(s)->setup.settings, name));
            continue;
        }
        put(path, drill_settings_get(of(s)->setup.settings, name));
    }
    if (of(s)->start != 0)
        set_route(of(s));
    return NULL;
}

/* The counters of the namespace: a line of names, a line of values, their group in front. */
static bool counter_in(const char *path, const char *name, uint64_t *value)
{
    char *names = NULL, *values = NULL, *at, *number, *next, *end;
    size_t room = 0, more = 0;
    bool found = false;
    FILE *in = fopen(path, "re");
    while (in && !found && getline(&names, &room, in) > 0 && getline(&values, &more, in) > 0) {
        size_t group = strcspn(names, ":");
        if (strncmp(name, names, group) != 0)
            continue;
        at = strtok_r(names + group + 1, " \n", &next);
        number = values + group + 1;
        for (; at && !found; at = strtok_r(NULL, " \n", &next)) {
            uint64_t n = strtoull(number, &end, 10);
            number = end;
            found = strcmp(at, name + group) == 0;
            *value = found ? n : *value;
        }
    }
    if (in)
        fclose(in);
    free(names);
    free(values);
    return found;
}

static bool counter(const struct drill_sut *s, const char *name, uint64_t *value)
{
    (void)s;
    return counter_in("/proc/net/netstat", name, value) ||
           counter_in("/proc/net/snmp", name, value);
}

static unsigned in_state(const struct drill_sut *s, const char *state)
{
    (void)s, (void)state;
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void free_sut(struct drill_sut *s)
{
    struct kernel *k = of(s);
    pthread_mutex_lock(&k->lock);
    k->quit = true;
    pthread_cond_broadcast(&k->changed);
    bool stuck = k->busy;
    pthread_mutex_unlock(&k->lock);
    close(k->tun);
    if (stuck)
        pthread_cancel(k->thread);
    pthread_join(k->thread, NULL);
    close(k->done_fd); /* the script's own end with the process */
    for (struct drill_out *o; (o = take(s)) != NULL;)
        free(o);
    free(k);
}

static const struct drill_sut_ops ops = {now,    pass,    inject,  take,     call,    busy,
                                         result, changed, counter, in_state, free_sut};

const char *kernel_prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
    if (unshare(CLONE_NEWNET) != 0)
        return "it needs root, for a network namespace";
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
        return "/dev/net/tun cannot be opened";
    return system("ip link set lo up") == 0 ? NULL : "there is no ip command";
}

const char *kernel_possible(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(kernel_prepare() != NULL);
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return "it needs root, a network namespace, /dev/net/tun and the ip command";
    return NULL;
}

static bool run_ip(const char *format, const char *address, int mtu)
{
    char line[256];
    snprintf(line, sizeof(line), format, address, mtu);
    return system(line) == 0;
}

struct drill_sut *kernel_sut(const struct drill_setup *setup, const char **why)
{
    struct kernel *k = calloc(1, sizeof(*k));
    struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    char text[INET6_ADDRSTRLEN];
    bool v6 = setup->family == DRILL_IPV6;
    if (!k)
        abort();
    k->base.ops = &ops;
    k->setup = *setup;
    strcpy(ifr.ifr_name, "drill0");
    k->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    k->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (k->tun < 0 || ioctl(k->tun, TUNSETIFF, &ifr) != 0) {
        *why = "the TUN device cannot be made";
        free(k);
        return NULL;
    }
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->changed, NULL);
    changed(&k->base);
    inet_ntop(v6 ? AF_INET6 : AF_INET, v6 ? setup->local : setup->local + 12, text, sizeof(text));
    if (!run_ip(v6 ? "ip addr add %s/64 dev drill0 nodad && ip link set drill0 mtu %d up"
                   : "ip addr add %s/16 dev drill0 && ip link set drill0 mtu %d up",
                text, (int)setup->mtu))
        fprintf(stderr, "drill0 could not be configured\n");
    set_route(k);
    usleep(v6 ? 20000 : 2000);
    pthread_create(&k->thread, NULL, process, k);
    read_packets(k);
    for (struct drill_out *o; (o = take(&k->base)) != NULL;)
        free(o);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    k->base.clock = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    k->start = clock_now();
    lag_max = 0;
    return &k->base;
}
