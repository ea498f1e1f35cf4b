/* algorithm.h - the congestion control that a verb's --cc chooses. */
#ifndef TERN_CMD_ALGORITHM_H
#define TERN_CMD_ALGORITHM_H

#include "tern/cc.h"

extern const char *const algorithm_names[]; /* the choices, ended by NULL */
const tern_cc_ops *algorithm_of(unsigned choice);

#endif
