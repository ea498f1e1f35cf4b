/* ss.h - what the files of `tern ss` share: sockets as the control sockets tell them. */
#ifndef TERN_CMD_SS_H
#define TERN_CMD_SS_H

#include "host/control_ask.h"
#include "tern/info.h"

#include <stdbool.h>
#include <stdio.h>

struct ss_values {
    bool all, listening, numeric, info, timers, summary, json;
    uint32_t states; /* bits of enum tern_state; 0: not given */
    uint64_t pid;    /* 0: not given */
};

/* ---- what an answer says (members that are missing are 0) ------------------------------------ */

enum tern_state ss_state(const json_t *socket);
uint64_t ss_number(const json_t *o, const char *name);
/* Never NULL, and harmless on a terminal. */
void ss_text(const json_t *o, const char *name, char *out, size_t size);

/* ---- showing --------------------------------------------------------------------------------- */

/* ss_info.c: timers, the details of -i, and the summary of -s. */
void ss_timer(FILE *f, const json_t *socket);
void ss_info(FILE *f, const json_t *socket);
void ss_summary(FILE *f, const struct control_answer *a);

#endif
