/* screen.c - see screen.h. */
#include "cmd/screen.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_USUAL = 100, WIDTH_MIN = 40, WIDTH_MAX = 250 };

static int columns(int fd)
{
    struct winsize size;
    const char *text = getenv("COLUMNS");
    long n = text ? strtol(text, NULL, 10) : 0;

    if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
        n = size.ws_col;
    else if (n <= 0)
        n = WIDTH_USUAL;
    return (int)(n < WIDTH_MIN ? WIDTH_MIN : n > WIDTH_MAX ? WIDTH_MAX : n);
}

static bool colours(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fd) && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

struct screen screen_of(int fd)
{
    setlocale(LC_CTYPE, "");
    return (struct screen){.width = columns(fd),
                           .colour = colours(fd),
                           .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
}
