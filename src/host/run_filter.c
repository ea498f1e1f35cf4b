/* run_filter.c - which system calls are trapped, and which are not.
 *
 * Everything that is not TCP stays with the kernel and never leaves it: the filter looks at the
 * number of a call, and at arguments only for the few numbers below. What does not depend on
 * arguments the kernel (5.11) even answers from a bitmap without running the filter.
 *
 *   socket                      only AF_INET and AF_INET6, SOCK_STREAM, protocol 0 or TCP
 *   socket(... MPTCP)           EPROTONOSUPPORT without asking: Go and others fall back to TCP,
 *                               which would otherwise leave by the kernel's own stack
 *   connect bind listen accept accept4 getsockname getpeername shutdown setsockopt getsockopt
 *                               any descriptor: a number does not tell what it is
 *   ioctl                       SIOCOUTQ and SIOCOUTQNSD
 *   io_uring_setup              ENOSYS: its calls pass by every filter
 *
 * Comparisons mask the upper half of a register, as the kernel takes these arguments as int.
 *
 * Programs of the machine's other ABI (32-bit ones on x86-64 and arm64) are only watched for
 * creating TCP sockets, so that they can be told that this does not work (run_foreign.c).
 *
 * SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (Linux 5.19) is not used although it would keep signals
 * away from calls that are being answered: it keeps them away from all such calls, and a connect()
 * or accept() that blocks would not be interrupted by SIGALRM, a handler for Ctrl-C, or a stop from
 * the terminal. Handlers are idempotent instead, so that a call that comes again goes on.
 */
#include "host/run_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
const uint32_t run_filter_arch = AUDIT_ARCH_X86_64;
enum { ARCH_OTHER = SCMP_ARCH_X86 };
#elif defined(__aarch64__)
const uint32_t run_filter_arch = AUDIT_ARCH_AARCH64;
enum { ARCH_OTHER = SCMP_ARCH_ARM };
#else
#error "the program runner knows x86-64 and arm64"
#endif

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define INT_IS(arg, value) SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, 0xffffffffu, (uint64_t)(value))
/* SOCK_NONBLOCK and SOCK_CLOEXEC may be added to a type. */
#define TYPE_IS(arg, value) SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, 0xfu, (uint64_t)(value))

static const int families[] = {AF_INET, AF_INET6};

static const int by_number[] = {
    SCMP_SYS(connect),    SCMP_SYS(bind),        SCMP_SYS(listen),      SCMP_SYS(accept),
    SCMP_SYS(accept4),    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
    SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
};

static int add_sockets(scmp_filter_ctx ctx)
{
    int err = 0;

    for (size_t i = 0; i < 2 && !err; i++) {
        err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(socket), 3, INT_IS(0, families[i]),
                               TYPE_IS(1, SOCK_STREAM), INT_IS(2, 0));
        if (!err)
            err =
                seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(socket), 3, INT_IS(0, families[i]),
                                 TYPE_IS(1, SOCK_STREAM), INT_IS(2, IPPROTO_TCP));
        if (!err)
            err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPROTONOSUPPORT), SCMP_SYS(socket), 3,
                                   INT_IS(0, families[i]), TYPE_IS(1, SOCK_STREAM),
                                   INT_IS(2, IPPROTO_MPTCP));
    }
    return err;
}

static int add_rules(scmp_filter_ctx ctx)
{
    int err = add_sockets(ctx);

    for (size_t i = 0; i < sizeof by_number / sizeof by_number[0] && !err; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, by_number[i], 0);
    if (!err)
        err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(ioctl), 1, INT_IS(1, SIOCOUTQ));
    if (!err)
        err = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(ioctl), 1, INT_IS(1, SIOCOUTQNSD));
    if (!err)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
    return err;
}

/* socketcall() hides what it does in memory: all of them come, and most are let through. */
static int add_other_abi(scmp_filter_ctx ctx)
{
    scmp_filter_ctx other = seccomp_init(SCMP_ACT_ALLOW);
    int err = other ? 0 : -ENOMEM;

    if (!err)
        err = seccomp_attr_set(other, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_NOTIFY);
    if (!err)
        err = seccomp_arch_remove(other, SCMP_ARCH_NATIVE);
    if (!err)
        err = seccomp_arch_add(other, ARCH_OTHER);
    if (!err)
        err = seccomp_rule_add(other, SCMP_ACT_NOTIFY, SCMP_SYS(socket), 0);
    if (!err)
        err = seccomp_rule_add(other, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
    if (!err)
        err = seccomp_merge(ctx, other);
    if (err && other)
        seccomp_release(other);
    return err;
}

/* libseccomp writes a filter to a descriptor only; a memfd brings it into memory. */
static int export(scmp_filter_ctx ctx, struct sock_fprog *out)
{
    struct stat st;
    int fd = memfd_create("filter", MFD_CLOEXEC);
    int err = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);

    if (!err && fstat(fd, &st) < 0)
        err = -errno;
    if (!err) {
        size_t size = (size_t)st.st_size;
        out->filter = malloc(size);
        out->len = (unsigned short)(size / sizeof(struct sock_filter));
        if (!out->filter)
            err = -ENOMEM;
        else if (pread(fd, out->filter, size, 0) != (ssize_t)size)
            err = -EIO;
    }
    if (fd >= 0)
        close(fd);
    return err;
}

int run_filter_build(struct sock_fprog *out)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    int err = ctx ? 0 : -ENOMEM;

    *out = (struct sock_fprog){.len = 0};
    if (!err)
        err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_NOTIFY);
    if (!err)
        err = add_rules(ctx);
    if (!err)
        err = add_other_abi(ctx);
    if (!err)
        err = export(ctx, out);
    if (ctx)
        seccomp_release(ctx);
    if (err)
        run_filter_free(out);
    return err;
}

void run_filter_free(struct sock_fprog *filter)
{
    free(filter->filter);
    *filter = (struct sock_fprog){.len = 0};
}

struct run_filter_trouble run_filter_explain(int err)
{
    switch (err) {
    case EBUSY:
        return (struct run_filter_trouble){
            "already under tern run, or under another supervisor of its kind: the kernel allows "
            "only one",
            "Start the program without the inner tern run."};
    case EPERM:
    case EACCES:
        return (struct run_filter_trouble){
            "this container forbids seccomp filters, which tern run needs",
            "Allow the seccomp system call in its profile (docker run --security-opt "
            "seccomp=unconfined), or run tern outside."};
    case ENOSYS:
    case EINVAL:
        return (struct run_filter_trouble){
            "this kernel has no seccomp user notification",
            "tern run needs Linux 5.9 or newer, with CONFIG_SECCOMP_FILTER."};
    default:
        return (struct run_filter_trouble){"cannot put the program under a seccomp filter", ""};
    }
}

int run_filter_install(const struct sock_fprog *filter)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    long fd =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, filter);
    return fd < 0 ? -errno : (int)fd;
}
