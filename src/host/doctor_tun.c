/* doctor_tun.c - what `tern serve`, `connect` and `listen` need: a TUN interface. */
#include "host/doctor_list.h"

#include "host/tun.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct tun_answer {
    int err;
    bool in_namespace;
    enum tun_rung rung;
    char error[TUN_ERROR_MAX];
};

static void try_tun(void *answer)
{
    struct tun_answer *a = answer;
    char name[IFNAMSIZ];
    struct tun_config cfg = {.name = name};
    struct tun t;

    snprintf(name, sizeof name, "tern%d", (int)getpid());
    memset(a, 0, sizeof *a);
    a->err = tun_open(&t, &cfg, a->error);
    a->rung = t.rung;
    if (!a->err)
        tun_close(&t);
}

/* In a child. Without a namespace of its own, the answer is its errno. */
static void try_tun_in_namespace(void *answer)
{
    struct tun_answer *a = answer;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        memset(a, 0, sizeof *a);
        a->err = -errno;
        snprintf(a->error, sizeof a->error, "%s", strerror(errno));
        return;
    }
    try_tun(a);
    a->in_namespace = true;
}

/* "what: why; what to do" is how a failure is told. */
static void told(struct doctor_finding *f, const char *error)
{
    size_t len = strcspn(error, ";");

    doctor_detail(f, "%.*s", (int)len, error);
    doctor_wrong(f, "%s", error[len] ? error + len + 2 : "");
}

static void offload(struct doctor_list *l, enum tun_rung rung)
{
    struct doctor_finding *f = doctor_add(l, "offload", "leaving work to the kernel");

    f->needed = false;
    doctor_detail(f, "%s", tun_rung_text(rung));
    if (rung == TUN_RUNG_TSO)
        doctor_wrong(f, "UDP is cut by tern itself; Linux 6.2 has it");
    else if (rung != TUN_RUNG_USO)
        doctor_wrong(f, "the rest tern does itself, more slowly; TERN_DISABLE may turn it off");
}

static void ip6(struct doctor_list *l)
{
    struct doctor_finding *f = doctor_add(l, "ip6", "IPv6 in the kernel");
    FILE *file = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "re");
    int off = 1;

    f->needed = false;
    if (file) {
        if (fscanf(file, "%d", &off) != 1)
            off = 1;
        fclose(file);
    }
    if (!off)
        return;
    doctor_detail(f, "%s", file ? "turned off" : "the kernel has none");
    doctor_wrong(f, "%s",
                 file ? "sudo sysctl net.ipv6.conf.default.disable_ipv6=0" : "tern speaks IPv4");
}

static void namespace(struct doctor_list *l)
{
    struct doctor_finding *f = doctor_add(l, "namespace", "the same without root: unshare -rn");
    struct tun_answer a = {.err = -ECHILD, .error = "no answer"};

    f->needed = false;
    if (doctor_ask_child(try_tun_in_namespace, &a, sizeof a) && !a.err)
        return;
    told(f, a.error);
    if (!a.in_namespace)
        doctor_wrong(f, "allow user namespaces: sudo sysctl user.max_user_namespaces=10000 "
                        "kernel.unprivileged_userns_clone=1");
    else if (a.err == -EACCES)
        doctor_wrong(f, "sudo chmod 666 /dev/net/tun, as many systems have it: an interface can "
                        "still be made only in a network of one's own");
}

void doctor_tun(struct doctor_list *l)
{
    struct doctor_finding *f = doctor_add(l, "tun", "making a TUN interface");
    struct tun_answer a = {.err = -ECHILD, .error = "no answer"};

    if (doctor_ask_child(try_tun, &a, sizeof a) && !a.err)
        offload(l, a.rung);
    else
        told(f, a.error);
    namespace(l);
    ip6(l);
}
