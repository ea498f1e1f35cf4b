/* fuzz_run.c - forged calls to the runner of programs, which may say anything: numbers, files,
 * pointers, lengths, threads; cancelled at any moment; while connections open, fail and end.
 *
 * The seccomp listener and the program's memory are made up (host/run_forge.h), as is the network.
 * The program's descriptors are real, and this process's own, as are those of three threads that
 * call. Every call must be answered once, by what the kernel takes for an answer, or wait and be in
 * the list of those that do; when all is over no descriptor, connection or folder may be left.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "host/run_core.h"
#include "host/run_filter.h"

enum { STEPS = 120, CALLS = STEPS, FILES = 12, THREADS = 3, CONNS = 16, BUSY = 8 };

/* The program's memory: MEMORY bytes at BASE; a length stands at LENGTH. */
enum { BASE = 0x10000, MEMORY = 512, LENGTH = 256 };

enum fate { WAITING, ANSWERED, CANCELLED };

/* ---- the program ----------------------------------------------------------------------------- */

static struct {
    struct fuzz_input in;
    struct run *run;
    struct loop *loop;
    int wake[2]; /* a pipe: [0] polls readable while there is a call */
    struct seccomp_notif call;
    enum fate fate[CALLS];
    pid_t by[CALLS]; /* the thread */
    unsigned calls;
    unsigned cancel_in; /* questions whether a call still waits, until it does not; 0: never */
    int file[FILES];    /* the program's descriptors; -1 */
    uint8_t memory[MEMORY];
    pid_t thread[THREADS];
} p;

static void *sleeps(void *at)
{
    *(volatile pid_t *)at = (pid_t)syscall(SYS_gettid);
    for (;;)
        pause();
    return NULL;
}

static void start_threads(void)
{
    pthread_t t;
    p.thread[0] = getpid();
    for (int i = 1; i < THREADS; i++) {
        CHECK(pthread_create(&t, NULL, sleeps, &p.thread[i]) == 0);
        while (*(volatile pid_t *)&p.thread[i] == 0)
            usleep(100);
    }
}

static int *file_slot(int fd)
{
    for (int i = 0; i < FILES; i++)
        if (p.file[i] == fd)
            return &p.file[i];
    return NULL;
}

static void close_file(int *slot)
{
    if (*slot >= 0)
        close(*slot);
    *slot = -1;
}

static int no(int err)
{
    errno = err;
    return -1;
}

/* ---- the kernel ------------------------------------------------------------------------------ */

static bool waits(uint64_t id)
{
    CHECK(id < p.calls);
    return p.fate[id] == WAITING;
}

static int answer(const struct seccomp_notif_resp *r)
{
    bool goes_on = r->flags == SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    CHECK(r->id < p.calls && p.fate[r->id] != ANSWERED);
    CHECK(r->flags == 0 || (goes_on && r->val == 0 && r->error == 0));
    CHECK(r->error <= 0 && r->error >= -4095 && (r->error == 0 || r->val == 0));
    if (!waits(r->id))
        return no(ENOENT);
    p.fate[r->id] = ANSWERED;
    return 0;
}

static int add_file(const struct seccomp_notif_addfd *a)
{
    CHECK(fcntl((int)a->srcfd, F_GETFD) >= 0);
    CHECK(a->id < p.calls && p.fate[a->id] != ANSWERED);
    if (!waits(a->id))
        return no(ENOENT);
    if (a->flags & SECCOMP_ADDFD_FLAG_SETFD) {
        CHECK(file_slot((int)a->newfd) != NULL);
        return dup2((int)a->srcfd, (int)a->newfd);
    }
    int *slot = file_slot(-1);
    if (slot == NULL)
        return no(EMFILE);
    *slot = fcntl((int)a->srcfd, F_DUPFD, 0);
    if (a->flags & SECCOMP_ADDFD_FLAG_SEND)
        p.fate[a->id] = ANSWERED;
    return *slot;
}

static int kernel_notify(int fd, unsigned long request, void *arg)
{
    char byte;
    if (fd < 0)
        return no(EBADF);
    CHECK(fd == p.wake[0]);
    switch (request) {
    case SECCOMP_IOCTL_NOTIF_RECV:
        CHECK(read(fd, &byte, 1) == 1);
        if (p.fate[p.call.id] == CANCELLED)
            return no(ENOENT);
        memcpy(arg, &p.call, sizeof p.call);
        return 0;
    case SECCOMP_IOCTL_NOTIF_ID_VALID: {
        uint64_t id;
        memcpy(&id, arg, sizeof id);
        if (p.cancel_in != 0 && --p.cancel_in == 0 && waits(id))
            p.fate[id] = CANCELLED;
        return waits(id) ? 0 : no(ENOENT);
    }
    case SECCOMP_IOCTL_NOTIF_SEND:
        return answer(arg);
    case SECCOMP_IOCTL_NOTIF_ADDFD:
        return add_file(arg);
    default:
        CHECK(!"a request");
        return -1;
    }
}

static int kernel_memory(pid_t pid, void *buf, uint64_t addr, size_t n, bool write)
{
    if (pid != p.thread[0] && pid != p.thread[1] && pid != p.thread[2])
        return -ESRCH;
    if (addr < BASE || addr - BASE > MEMORY || n > MEMORY - (addr - BASE))
        return -EFAULT;
    uint8_t *at = p.memory + (addr - BASE);
    memcpy(write ? at : buf, write ? buf : at, n);
    return 0;
}

static const struct run_forge forge = {kernel_notify, kernel_memory};

/* ---- the network ----------------------------------------------------------------------------- */

struct run_conn {
    void *user;
    tern_addr local, peer;
    int fd; /* attached, or -1 */
    bool opening, used;
};

struct run_listener {
    void *user;
    unsigned pending;
    bool used;
};

static struct run_conn conns[CONNS];
static struct run_listener listeners[CONNS];

static struct run_conn *new_conn(void *user)
{
    for (int i = 0; i < CONNS; i++)
        if (!conns[i].used) {
            conns[i] = (struct run_conn){.user = user, .fd = -1, .used = true};
            return &conns[i];
        }
    return NULL;
}

static void end_conn(struct run_conn *c)
{
    CHECK(c->used);
    if (c->fd >= 0)
        close(c->fd);
    c->used = false;
}

static int net_bindable(void *net, const tern_addr *local)
{
    (void)net;
    return local->ip[15] == 9 ? -EADDRNOTAVAIL : local->port == BUSY ? -EADDRINUSE : 0;
}

static int net_open(void *net, struct run_conn **out, const tern_addr *local, const tern_addr *peer,
                    void *user)
{
    (void)net;
    struct run_conn *c = peer->ip[15] == 9 ? NULL : new_conn(user);
    if (c == NULL)
        return -ENETUNREACH;
    if (local != NULL)
        c->local = *local;
    c->peer = *peer;
    c->opening = true;
    *out = c;
    return 0;
}

static struct run_conn *net_accept(struct run_listener *l, void *user)
{
    CHECK(l->used);
    struct run_conn *c = l->pending != 0 ? new_conn(user) : NULL;
    if (c != NULL)
        l->pending--;
    return c;
}

static void net_attach(struct run_conn *c, int fd)
{
    CHECK(c->used && c->fd < 0 && fcntl(fd, F_GETFD) >= 0);
    c->fd = fd;
    c->opening = false;
}

static void net_shut(struct run_conn *c, bool marked)
{
    (void)marked;
    CHECK(c->used);
}

static int net_listen(void *net, struct run_listener **out, const struct run_net_listen *what,
                      void *user)
{
    (void)net;
    CHECK(what->local.port != 0 && what->backlog != 0);
    for (int i = 0; i < CONNS && what->local.port != BUSY; i++)
        if (!listeners[i].used) {
            listeners[i] = (struct run_listener){.user = user, .used = true};
            *out = &listeners[i];
            return 0;
        }
    return -EADDRINUSE;
}

static void net_backlog(struct run_listener *l, unsigned backlog)
{
    CHECK(l->used && backlog != 0);
}

static void net_unlisten(struct run_listener *l)
{
    CHECK(l->used);
    l->used = false;
}

static void net_names(struct run_conn *c, tern_addr *local, tern_addr *peer)
{
    CHECK(c->used);
    if (local != NULL)
        *local = c->local;
    if (peer != NULL)
        *peer = c->peer;
}

static tern *net_stack(void *net)
{
    (void)net;
    return NULL;
}

static tern_sock net_sock(struct run_conn *c)
{
    CHECK(c->used);
    return (tern_sock){0};
}

static tern_sock net_listener(struct run_listener *l)
{
    CHECK(l->used);
    return (tern_sock){0};
}

static void net_flush(struct run_conn *c) { CHECK(c->used); }

static void net_abortive(struct run_conn *c, bool on)
{
    (void)on;
    CHECK(c->used);
}

static int net_info(struct run_conn *c, tern_tcp_info *out)
{
    CHECK(c->used);
    *out = (tern_tcp_info){.state = TERN_ESTABLISHED};
    return 0;
}

static uint32_t net_outq(struct run_conn *c, uint32_t *unsent)
{
    CHECK(c->used);
    *unsent = 1;
    return 2;
}

static uint32_t net_queue(const struct run_listener *l, uint32_t *backlog)
{
    CHECK(l->used);
    *backlog = 4;
    return l->pending;
}

static const struct run_net_ops net = {
    .bindable = net_bindable,
    .open = net_open,
    .accept = net_accept,
    .attach = net_attach,
    .shut = net_shut,
    .abort = end_conn,
    .listen = net_listen,
    .backlog = net_backlog,
    .unlisten = net_unlisten,
    .names = net_names,
    .stack = net_stack,
    .sock = net_sock,
    .listener = net_listener,
    .flush = net_flush,
    .abortive = net_abortive,
    .info = net_info,
    .outq = net_outq,
    .queue = net_queue,
};

/* Something happens to a connection. */
static void conn_event(void)
{
    static const int errs[] = {0, 0, -ECONNREFUSED, -ETIMEDOUT};
    static const int ends[] = {0, -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH};
    struct run_conn *c = &conns[fuzz_u8(&p.in) % CONNS];
    unsigned what = fuzz_u8(&p.in);
    char bytes[64] = {0};
    if (!c->used)
        return;
    if (c->opening) {
        int err = errs[what % ARRAY_LEN(errs)];
        c->opening = false;
        if (err != 0)
            end_conn(c);
        run_events.opened(c->user, err);
        return;
    }
    struct pollfd poll_for = {.fd = c->fd, .events = POLLRDHUP};
    bool gone = c->fd >= 0 && poll(&poll_for, 1, 0) > 0 && poll_for.revents & POLLHUP;
    if (gone || what & 128) {
        gone ? run_events.closed(c->user) : run_events.ended(c->user, ends[what % ARRAY_LEN(ends)]);
        end_conn(c);
    } else if (c->fd >= 0) {
        (void)!recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        (void)!send(c->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

static void listener_event(void)
{
    struct run_listener *l = &listeners[fuzz_u8(&p.in) % CONNS];
    if (!l->used)
        return;
    bool listens = run_events.syn(l->user);
    CHECK(listens || !l->used);
    if (!listens)
        return;
    (void)run_events.defer(l->user);
    l->pending++;
    run_events.incoming(l->user);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static const int numbers[] = {
    SYS_socket,      SYS_connect,     SYS_bind,       SYS_listen,     SYS_accept, SYS_accept4,
    SYS_getsockname, SYS_getpeername, SYS_setsockopt, SYS_getsockopt, SYS_ioctl,  SYS_shutdown,
};

/* An address, or anything, is put into memory, and a length behind it. */
static void fill_memory(void)
{
    union run_sockaddr sa = {.in = {.sin_family = AF_INET}};
    unsigned kind = fuzz_u8(&p.in);
    int len = sizeof sa.in;
    if (kind & 1) {
        sa.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
        len = sizeof sa.in6;
        sa.in6.sin6_addr.s6_addr[15] = fuzz_u8(&p.in) % 10;
    } else {
        sa.in.sin_addr.s_addr = htonl(0x0a000000u + fuzz_u8(&p.in) % 10);
    }
    sa.in.sin_port = htons((uint16_t)(fuzz_u8(&p.in) % 10));
    if (kind & 2)
        sa.sa.sa_family = fuzz_u8(&p.in);
    if (kind & 4)
        len = (int)fuzz_u32(&p.in);
    if (kind & 8)
        memset(&sa, 0, sizeof sa);
    memcpy(p.memory, &sa, sizeof sa);
    memcpy(p.memory + LENGTH, &len, sizeof len);
    for (unsigned n = kind >> 4; n > 0; n--) {
        unsigned at = fuzz_u8(&p.in) * 2;
        p.memory[at] = fuzz_u8(&p.in);
    }
}

static uint64_t anything(void)
{
    unsigned kind = fuzz_u8(&p.in);
    switch (kind % 8) {
    case 0:
        return BASE;
    case 1:
        return BASE + LENGTH;
    case 2:
        return BASE + MEMORY - kind / 8;
    case 3:
        return fuzz_u8(&p.in);
    case 4:
        return (uint64_t)(int64_t)(int32_t)fuzz_u32(&p.in);
    case 5:
        return (uint64_t)fuzz_u32(&p.in) << 32 | fuzz_u32(&p.in);
    default:
        return kind / 8;
    }
}

/* What a sane program would say. */
static void usual_arguments(struct seccomp_data *d, unsigned how)
{
    static const int names[][2] = {{SOL_SOCKET, SO_ERROR},     {SOL_SOCKET, SO_REUSEADDR},
                                   {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_SNDBUF},
                                   {SOL_SOCKET, SO_LINGER},    {SOL_SOCKET, SO_RCVTIMEO},
                                   {SOL_SOCKET, SO_SNDTIMEO},  {IPPROTO_TCP, 1},
                                   {IPPROTO_TCP, 11},          {IPPROTO_IPV6, IPV6_V6ONLY}};
    __u64 *a = d->args;
    a[1] = BASE;
    a[2] = how & 1 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    a[3] = how & 2 ? SOCK_CLOEXEC : 0;
    if (d->nr == SYS_socket) {
        a[0] = how & 1 ? AF_INET6 : AF_INET;
        a[1] = SOCK_STREAM | (how & 2 ? SOCK_NONBLOCK : 0) | (how & 4 ? SOCK_CLOEXEC : 0);
    } else if (d->nr == SYS_listen || d->nr == SYS_shutdown) {
        a[1] = how;
    } else if (d->nr == SYS_ioctl) {
        a[1] = how & 1 ? SIOCOUTQ : SIOCOUTQNSD;
        a[2] = BASE;
    } else if (d->nr == SYS_setsockopt || d->nr == SYS_getsockopt) {
        unsigned name = how % ARRAY_LEN(names);
        a[1] = (__u64)names[name][0];
        a[2] = (__u64)names[name][1];
        a[3] = BASE + 16;
        a[4] = d->nr == SYS_getsockopt ? BASE + LENGTH : how & 128 ? 16 : 4;
    } else if (d->nr != SYS_connect && d->nr != SYS_bind) {
        a[2] = BASE + LENGTH;
    }
}

static void forge_call(void)
{
    struct seccomp_data *d = &p.call.data;
    unsigned which = fuzz_u8(&p.in), how = fuzz_u8(&p.in), odd = fuzz_u8(&p.in);
    p.call = (struct seccomp_notif){.id = p.calls++, .pid = (uint32_t)p.thread[how / 64 % THREADS]};
    *d = (struct seccomp_data){.nr = numbers[which % ARRAY_LEN(numbers)], .arch = run_filter_arch};
    fill_memory();
    usual_arguments(d, how);
    if (d->nr != SYS_socket)
        d->args[0] = (__u64)p.file[which / 16 % FILES];
    if (odd & 1)
        for (int i = d->nr != SYS_socket; i < 6; i++)
            d->args[i] = anything();
    if (odd & 2)
        p.cancel_in = 1 + fuzz_u8(&p.in) % 4;
    if (odd & 4) {
        d->arch = odd & 8 ? AUDIT_ARCH_I386 : fuzz_u32(&p.in);
        d->nr = odd & 8 ? (odd & 16 ? 359 : 102) : d->nr;
    } else if (odd & 16) {
        d->nr = (int)fuzz_u32(&p.in);
    }
    if (odd & 32)
        p.call.pid = odd & 64 ? 0 : 0x7ffffff0;
    if (odd & 128)
        d->args[0] = (__u64)(odd & 64 ? -100 : 100000);
    /* A thread makes one call at a time: the one before has been cancelled. */
    pid_t thread = (pid_t)p.call.pid;
    for (unsigned i = 0; i + 1 < p.calls; i++)
        if (p.by[i] == thread && p.fate[i] == WAITING)
            p.fate[i] = CANCELLED;
    p.by[p.call.id] = thread;
    p.fate[p.call.id] = odd == 255 ? CANCELLED : WAITING;
    CHECK(write(p.wake[1], "", 1) == 1);
}

/* Each call that still waits for its answer is held, once. */
static void check_calls(void)
{
    unsigned held[CALLS] = {0};
    for (const struct run_sock *s = p.run->waiting; s != NULL; s = s->wait_next)
        for (const struct run_held *h = s->held; h != NULL; h = h->next) {
            CHECK(h->id < p.calls && p.fate[h->id] != ANSWERED);
            CHECK(++held[h->id] == 1);
        }
    for (unsigned i = 0; i < p.calls; i++)
        CHECK(p.fate[i] != WAITING || held[i]);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* The program does something that is not trapped. */
static void program_acts(unsigned what)
{
    char bytes[64] = {0};
    int *slot = &p.file[fuzz_u8(&p.in) % FILES], *other = file_slot(-1);
    struct timeval tv = {.tv_usec = 1 + fuzz_u8(&p.in)};
    if (*slot < 0)
        return;
    switch (what) {
    case 0:
        close_file(slot);
        break;
    case 1:
        if (other != NULL)
            *other = dup(*slot);
        break;
    case 2:
        (void)fcntl(*slot, F_SETFL, tv.tv_usec & 1 ? O_NONBLOCK : 0);
        break;
    case 3:
        (void)setsockopt(*slot, SOL_SOCKET, tv.tv_usec & 1 ? SO_RCVTIMEO : SO_SNDTIMEO, &tv,
                         sizeof tv);
        break;
    case 4:
        (void)!send(*slot, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)!recv(*slot, bytes, sizeof bytes, MSG_DONTWAIT);
        break;
    default:
        (void)shutdown(*slot, (int)(tv.tv_usec % 3));
    }
}

static void step(void)
{
    unsigned what = fuzz_u8(&p.in) % 16;
    if (what < 6)
        forge_call();
    else if (what < 12)
        program_acts(what - 6);
    else if (what == 12)
        listener_event();
    else if (what == 13)
        conn_event();
    else if (what == 14)
        p.run->hook.work(p.run, loop_now(p.loop) + (uint64_t)fuzz_u8(&p.in) * 1000000);
    else if (p.calls != 0 && p.fate[fuzz_u8(&p.in) % p.calls] == WAITING)
        p.cancel_in = 1; /* the next that is asked about */
    CHECK(loop_turn(p.loop, 0) == 0);
    check_calls();
}

static unsigned open_files(void)
{
    unsigned n = 0;
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void silent(void *user, const char *text)
{
    (void)user;
    CHECK(text[0] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char dir[80];
    if (p.thread[0] == 0)
        start_threads();
    unsigned files = open_files();
    p.in = (struct fuzz_input){data, size};
    p.calls = p.cancel_in = 0;
    memset(p.file, -1, sizeof p.file);
    unsigned caps = fuzz_u8(&p.in);
    setenv("TERN_DISABLE", caps & 1 ? "addfd_send" : caps & 2 ? "pidfd_getfd" : "", 1);
    CHECK(loop_new(&p.loop) == 0 && pipe2(p.wake, O_CLOEXEC) == 0);
    struct run_config conf = {.loop = p.loop, .net = &net, .say = silent};
    CHECK(run_begin(&p.run, &conf) == 0);
    p.run->forge = &forge;
    CHECK(run_notify_start(p.run, p.wake[0]) == 0);
    for (int i = 0; i < STEPS && p.in.left != 0; i++)
        step();
    close(p.wake[1]); /* all programs have ended */
    for (int i = 0; i < FILES; i++)
        close_file(&p.file[i]);
    for (int i = 0; i < 4; i++)
        CHECK(loop_turn(p.loop, 0) == 0);
    CHECK(p.run->notify.fd < 0);
    memcpy(dir, p.run->dir, sizeof dir);
    run_free(p.run);
    loop_free(p.loop);
    for (int i = 0; i < CONNS; i++)
        CHECK(!conns[i].used && !listeners[i].used);
    CHECK(access(dir, F_OK) != 0 && open_files() == files);
    return 0;
}
