/* doctor.c - see doctor.h. The list, and what `tern ss` needs. */
#include "host/doctor.h"

#include "host/control_dir.h"
#include "host/doctor_list.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the list -------------------------------------------------------------------------------- */

struct doctor_finding *doctor_add(struct doctor_list *l, const char *id, const char *what)
{
    assert(l->count < DOCTOR_FINDINGS_MAX);
    struct doctor_finding *f = &l->at[l->count++];
    *f = (struct doctor_finding){
        .id = id, .what = what, .group = l->group, .ok = true, .needed = true};
    return f;
}

void doctor_detail(struct doctor_finding *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->detail, sizeof f->detail, format, args);
    va_end(args);
}

void doctor_wrong(struct doctor_finding *f, const char *format, ...)
{
    va_list args;

    f->ok = false;
    va_start(args, format);
    vsnprintf(f->remedy, sizeof f->remedy, format, args);
    va_end(args);
}

bool doctor_ask_child(void (*f)(void *answer), void *answer, size_t size)
{
    int pipe_fds[2];
    ssize_t got = -1;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        f(answer);
        _exit(write(pipe_fds[1], answer, size) == (ssize_t)size ? 0 : 1);
    }
    close(pipe_fds[1]);
    if (pid > 0) {
        do
            got = read(pipe_fds[0], answer, size);
        while (got < 0 && errno == EINTR);
        waitpid(pid, NULL, 0);
    }
    close(pipe_fds[0]);
    return got == (ssize_t)size;
}

/* ---- tern ss --------------------------------------------------------------------------------- */

static void folder_of(int dir, char *out, size_t size)
{
    char link[32];

    snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    ssize_t n = readlink(link, out, size - 1);
    out[n > 0 ? n : 0] = 0;
}

static void control(struct doctor_list *l)
{
    struct doctor_finding *f = doctor_add(l, "control", "a private folder for control sockets");
    struct control_place place;
    int fd = control_dir_listen(&place);

    if (fd < 0) {
        doctor_detail(f, "%s", strerror(-fd));
        doctor_wrong(f, "set XDG_RUNTIME_DIR to a folder that is yours alone: mkdir -m 700 "
                        "~/.tern; export XDG_RUNTIME_DIR=~/.tern");
        return;
    }
    folder_of(place.dir, f->detail, sizeof f->detail);
    control_dir_leave(&place);
    close(fd);
}

size_t doctor_examine(const struct doctor_config *cfg,
                      struct doctor_finding out[DOCTOR_FINDINGS_MAX])
{
    static void (*const examine[DOCTOR_GROUPS])(struct doctor_list * l) = {
        [DOCTOR_RUN] = doctor_run,
        [DOCTOR_SS] = control,
        [DOCTOR_TUN] = doctor_tun,
    };
    struct doctor_list l = {.cfg = cfg, .at = out};

    for (int i = 0; i < DOCTOR_GROUPS; i++) {
        l.group = (enum doctor_group)i;
        if (cfg->groups[i])
            examine[i](&l);
    }
    return l.count;
}
