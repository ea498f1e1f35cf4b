/* screen.h - what the terminal behind a descriptor can show. */
#ifndef TERN_CMD_SCREEN_H
#define TERN_CMD_SCREEN_H

#include <stdbool.h>

struct screen {
    int width;   /* columns, within what a time line makes use of */
    bool colour; /* a terminal, and neither NO_COLOR nor TERM=dumb */
    bool utf8;   /* by the locale */
};

struct screen screen_of(int fd);

#endif
