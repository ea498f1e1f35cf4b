/* settings.c - the table of settings. */
#include "drill/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct drill_setting settings[] = {
#define X(name, value) {name, value, NULL, NULL},
    DRILL_SETTINGS(X)
#undef X
#define X(name, value, values, why) {name, value, values, why},
        DRILL_SETTINGS_IDLE(X)
#undef X
};

enum { COUNT = sizeof(settings) / sizeof(settings[0]) };
_Static_assert((int)COUNT <= (int)DRILL_SETTINGS_MAX, "room for every setting");

void drill_settings_default(struct drill_settings *s)
{
    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < COUNT; i++)
        snprintf(s->value[i], DRILL_SETTING_SIZE, "%s", settings[i].value);
}

/* In one spelling: with dots, without the directory. */
static void spell(char *out, size_t size, const char *name)
{
    static const char proc[] = "/proc/sys/";
    if (strncmp(name, proc, sizeof(proc) - 1) == 0)
        name += sizeof(proc) - 1;
    while (*name == '/')
        name++;
    snprintf(out, size, "%s", name);
    for (char *p = out; *p; p++)
        if (*p == '/')
            *p = '.';
}

static size_t find(const char *name)
{
    char plain[128];
    spell(plain, sizeof(plain), name);
    size_t i = 0;
    while (i < COUNT && strcmp(settings[i].name, plain) != 0)
        i++;
    return i;
}

bool drill_settings_among(const char *values, const char *value)
{
    size_t n = strlen(values), len = strlen(value);
    if (n == 0)
        return true;
    if (values[n - 1] == '-')
        return strtoll(value, NULL, 0) >= strtoll(values, NULL, 10);
    for (const char *p = values;; p++) {
        n = strcspn(p, "|");
        if (n == len && strncmp(p, value, n) == 0)
            return true;
        p += n;
        if (*p == '\0')
            return false;
    }
}

const struct drill_setting *drill_settings_refused(const char *name, const char *value)
{
    size_t i = find(name);
    if (i == COUNT || !settings[i].values || drill_settings_among(settings[i].values, value))
        return NULL;
    return &settings[i];
}

bool drill_settings_set(struct drill_settings *s, const char *name, const char *value)
{
    size_t i = find(name), n = 0;
    if (i == COUNT || strlen(value) >= DRILL_SETTING_SIZE)
        return false;
    /* white space between several numbers is one blank */
    for (const char *p = value; *p; p++) {
        bool blank = isspace((unsigned char)*p);
        if (!blank || (n > 0 && s->value[i][n - 1] != ' '))
            s->value[i][n++] = blank ? ' ' : *p;
    }
    while (n > 0 && s->value[i][n - 1] == ' ')
        n--;
    s->value[i][n] = '\0';
    s->given[i] = true;
    s->generation++;
    return true;
}

const char *drill_settings_get(const struct drill_settings *s, const char *name)
{
    size_t i = find(name);
    return i < COUNT ? s->value[i] : NULL;
}

bool drill_settings_given(const struct drill_settings *s, const char *name)
{
    size_t i = find(name);
    return i < COUNT && s->given[i];
}

int64_t drill_settings_number(const struct drill_settings *s, const char *name, unsigned n)
{
    const char *p = drill_settings_get(s, name);
    char *end = NULL;
    long long value = 0;
    for (unsigned i = 0; p && i <= n; i++, p = end)
        value = strtoll(p, &end, 0);
    return value;
}

const struct drill_setting *drill_settings_at(size_t n) { return n < COUNT ? &settings[n] : NULL; }
