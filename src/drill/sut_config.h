/* sut_config.h - settings and calls as the stack and its sockets take them. */
#ifndef TERN_DRILL_SUT_CONFIG_H
#define TERN_DRILL_SUT_CONFIG_H

#include "drill/sut.h"
#include "tern/socket.h"

/* Fills in what the stack is told. NULL, or what cannot be set. */
const char *sut_tern_config(tern_config *cfg, const struct drill_settings *s);
/* The same of its sockets and Fast Open's keys. */
const char *sut_tern_retune(tern *stack, tern_sockets_tune *tune, const struct drill_settings *s);
/* A counter by the name nstat(8) has for it. */
bool sut_tern_counter(const tern *stack, const char *name, uint64_t *value);
/* Runs a call; -errno or its result. */
int64_t sut_tern_call(tern_sockets *p, enum drill_nr nr, const intptr_t a[6]);

#endif
