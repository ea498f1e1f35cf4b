/* run.c - plays a script: one event after the other, each at its time. */
#include "drill/play.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t play_now(const struct play *p) { return p->sut ? p->sut->ops->now(p->sut) : 0; }

/* ---- what is said ---------------------------------------------------------------------------- */

bool play_fail(struct play *p, const struct drill_event *e, const char *format, ...)
{
    va_list args;
    if (p->failed)
        return false;
    p->failed = true;
    p->result->verdict = DRILL_FAILED;
    drill_print(&p->result->message, "%s:%u: ", p->script->path, e ? e->pos.line : 1);
    va_start(args, format);
    drill_vprint(&p->result->message, format, args);
    va_end(args);
    drill_put(&p->result->message, "\n", 1);
    return false;
}

void play_trace(struct play *p, const char *format, ...)
{
    va_list args;
    if (!p->request->trace)
        return;
    va_start(args, format);
    drill_vprint(&p->result->trace, format, args);
    va_end(args);
    drill_put(&p->result->trace, "\n", 1);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void collect(struct play *p)
{
    struct drill_out *o;
    while ((o = p->sut->ops->take(p->sut)) != NULL) {
        o->next = NULL;
        if (p->last)
            p->last->next = o;
        else
            p->first = o;
        p->last = o;
    }
}

void play_step(struct play *p, int64_t until)
{
    p->sut->ops->pass(p->sut, until);
    collect(p);
    play_call_poll(p);
}

void play_pass(struct play *p, int64_t until)
{
    do
        play_step(p, until);
    while (play_now(p) < until && !p->failed);
}

bool play_on_time(struct play *p, int64_t from, int64_t to, int64_t actual)
{
    int64_t tolerance = (to - p->event_base) / 1000 * p->conf.tolerance_permille;
    if (tolerance < p->conf.tolerance)
        tolerance = p->conf.tolerance;
    return actual >= from - tolerance && actual <= to + tolerance;
}

/* ---- start and end --------------------------------------------------------------------------- */

bool play_start(struct play *p)
{
    const char *why = NULL;
    struct drill_setup setup = {.family = p->conf.family,
                                .mtu = p->conf.mtu,
                                .super_segments = p->conf.strict_segments,
                                .settings = &p->settings};
    if (p->sut)
        return true;
    memcpy(setup.local, p->conf.local, 16);
    memcpy(setup.remote, p->conf.remote, 16);
    p->sut = (p->request->sut ? p->request->sut : drill_sut_tern)(&setup, &why);
    p->settings_told = p->settings.generation;
    p->names.start = p->sut ? p->sut->clock : 0;
    return p->sut || play_fail(p, p->event, "%s", why);
}

/* Settings that a command has changed while the stack runs. */
static bool tell_settings(struct play *p, const struct drill_event *e)
{
    if (!p->sut || p->settings_told == p->settings.generation)
        return true;
    p->settings_told = p->settings.generation;
    const char *why = p->sut->ops->changed(p->sut);
    return !why || play_fail(p, e, "error executing command: %s", why);
}

static bool command(struct play *p, const struct drill_event *e, const char *text)
{
    struct drill_text why = {0};
    bool fine = shell_run(p, text, &why);
    play_trace(p, "%9.6f   `%s`", (double)play_now(p) / 1e9, text);
    if (!fine)
        play_fail(p, e, "error executing command: %s", drill_string(&why));
    drill_text_free(&why);
    return fine && tell_settings(p, e);
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool in_start(const struct play *p, const struct drill_event *e)
{
    return e->kind == DRILL_SHELL && !p->sut && e->time.start == 0;
}

static bool play_event(struct play *p, const struct drill_event *e)
{
    int64_t base = e->time.when == DRILL_AFTER ? play_now(p) : 0;
    int64_t from = base + e->time.start, to = base + e->time.end;
    p->event = e;
    p->event_base = play_now(p);
    if (in_start(p, e)) {
        record_event(p, e, 0);
        return command(p, e, e->text);
    }
    if (!play_start(p))
        return false;
    if (e->kind == DRILL_PACKET && e->packet->outbound) {
        if (p->request->record)
            return play_pass(p, from), !p->failed;
        if (e->time.when == DRILL_ANY_TIME)
            from = to = play_now(p);
        play_step(p, play_now(p));
        return play_expect(p, e, from, to);
    }
    if (e->kind == DRILL_CALL && !play_call_finish(p))
        return false;
    if (e->time.when == DRILL_ANY_TIME || from < play_now(p))
        from = play_now(p);
    play_pass(p, from);
    if (p->failed)
        return false;
    record_event(p, e, base + (e->kind == DRILL_CALL ? e->call->end : 0));
    switch (e->kind) {
    case DRILL_PACKET:
        if (!play_inject(p, e))
            return false;
        play_step(p, play_now(p));
        return !p->failed;
    case DRILL_CALL:
        if (!play_call(p, e, from, base + e->call->end))
            return false;
        collect(p);
        return true;
    case DRILL_CODE:
        return play_code(p, e);
    case DRILL_SHELL:
        return command(p, e, e->text);
    }
    return false;
}

unsigned drill_checks_all(const struct drill_checks *c)
{
    return c->packets + c->calls + c->assertions + c->commands;
}

static bool init_scripts(struct play *p)
{
    const char *s = p->conf.init_scripts;
    while (s && *s) {
        size_t n = strcspn(s, ", ");
        char *one = drill_copy(&p->script->arena, s, n);
        if (n > 0 && !command(p, NULL, one))
            return false;
        s += n + (s[n] != '\0');
    }
    return true;
}

/* FreeBSD's scripts are known by what only they say. */
static void find_profile(struct play *p)
{
    static const char *const marks[] = {"net.inet.", "kldload", "kern.", "sockstat", "hostcache"};
    for (const struct drill_event *e = p->script->events; e; e = e->next) {
        if (e->kind != DRILL_SHELL)
            continue;
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
            if (strstr(e->text, marks[i]))
                p->names.bsd = drill_settings_set(&p->settings, "drill.profile", "freebsd");
    }
}

static void play_all(struct play *p)
{
    bool fine = init_scripts(p);
    record_head(p);
    for (const struct drill_event *e = p->script->events; e && fine && !p->failed; e = e->next)
        fine = play_event(p, e);
    if (fine && !p->failed && p->sut)
        fine = play_call_finish(p);
    record_packets(p);
    if (fine && !p->failed && drill_checks_all(&p->result->checks) == 0)
        play_fail(p, NULL, "nothing was checked");
    if (fine && !p->failed)
        p->result->verdict = DRILL_PASSED;
}

static void play_end(struct play *p)
{
    p->result->lasted = play_now(p);
    if (p->sut) {
        while (p->first) {
            struct drill_out *o = p->first;
            p->first = o->next;
            play_ignore(p, o);
        }
        p->sut->ops->free(p->sut);
    }
    if (p->pending) {
        drill_calling_free(p->pending);
        free(p->pending);
    }
    drill_put(&p->result->printed, drill_string(&p->code.printed), p->code.printed.len);
    drill_code_free(&p->code);
}

static void set_names(struct play *p)
{
    struct drill_names *n = &p->names;
    n->defines = p->conf.defines;
    n->family = p->conf.family;
    memcpy(n->local, p->conf.local, 16);
    memcpy(n->remote, p->conf.remote, 16);
    n->bind_port = p->conf.bind_port;
    n->connect_port = p->conf.connect_port;
    n->tolerance = p->conf.tolerance;
    for (size_t i = 0; i < DRILL_FDS_MAX; i++)
        n->live_fd[i] = -1;
}

void drill_play_text(const struct drill_request *request, const char *text, size_t len,
                     struct drill_result *result)
{
    struct drill_script script;
    struct play p = {.script = &script, .request = request, .result = result};
    struct drill_pos pos = {1, 1};
    *result = (struct drill_result){.verdict = DRILL_FAILED, .family = request->family};
    if (!drill_read(&script, request->path, text, len)) {
        result->verdict = DRILL_UNREADABLE;
        drill_print(&result->message, "%s\n", script.error);
        drill_script_free(&script);
        return;
    }
    const char *why = config_read(&p.conf, &script, request, &pos);
    if (why) {
        result->verdict = DRILL_FAILED;
        drill_print(&result->message, "%s:%u:%u: %s\n", request->path, pos.line, pos.column, why);
    } else if (request->read_only) {
        result->verdict = DRILL_PASSED;
    } else {
        result->family = p.conf.family;
        drill_settings_default(&p.settings);
        find_profile(&p);
        set_names(&p);
        play_all(&p);
        play_end(&p);
    }
    drill_script_free(&script);
}

void drill_play(const struct drill_request *request, struct drill_result *result)
{
    size_t len;
    char *text = drill_file(request->path, &len);
    if (!text) {
        *result = (struct drill_result){.verdict = DRILL_UNREADABLE, .family = request->family};
        drill_print(&result->message, "%s: %s\n", request->path, strerror(errno));
        return;
    }
    drill_play_text(request, text, len, result);
    free(text);
}

void drill_result_free(struct drill_result *r)
{
    drill_text_free(&r->message);
    drill_text_free(&r->trace);
    drill_text_free(&r->printed);
    drill_text_free(&r->record);
}

unsigned drill_families(const char *path)
{
    size_t len;
    struct drill_script s;
    enum drill_family family;
    unsigned all = (1u << DRILL_FAMILIES) - 1;
    char *text = drill_file(path, &len);
    if (!text)
        return all;
    if (drill_read(&s, path, text, len))
        for (const struct drill_option *o = s.options; o; o = o->next)
            if (strcmp(o->name, "ip_version") == 0 && o->value &&
                drill_family_parse(o->value, &family))
                all = 1u << family;
    drill_script_free(&s);
    free(text);
    return all;
}
