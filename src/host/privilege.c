/* privilege.c - see privilege.h. */
#include "host/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

/* A number need not be anybody's: its group is the one of the same number then. */
static bool find(const char *user, uid_t *uid, gid_t *gid)
{
    const struct passwd *pw = getpwnam(user);
    char *end;

    if (!pw && user[0] >= '0' && user[0] <= '9') {
        unsigned long n = strtoul(user, &end, 10);
        if (*end != '\0' || n >= UINT32_MAX)
            return false;
        *uid = (uid_t)n;
        *gid = (gid_t)n;
        pw = getpwuid(*uid);
    } else if (!pw) {
        return false;
    }
    if (pw) {
        *uid = pw->pw_uid;
        *gid = pw->pw_gid;
    }
    return true;
}

/* All three of each are changed, no group is left, and root is out of reach. */
static bool dropped(uid_t uid, gid_t gid)
{
    uid_t u[3];
    gid_t g[3];

    if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0 ||
        getgroups(0, NULL) != 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (u[i] != uid || g[i] != gid)
            return false;
    return setuid(0) < 0 && setgid(0) < 0;
}

int privilege_drop(const char *user, char error[PRIVILEGE_ERROR_MAX])
{
    uid_t uid = 0;
    gid_t gid = 0;

    if (!find(user, &uid, &gid)) {
        snprintf(error, PRIVILEGE_ERROR_MAX, "%s: no such user", user);
        return -ENOENT;
    }
    if (uid == 0) {
        snprintf(error, PRIVILEGE_ERROR_MAX, "%s: that user is root, who gives nothing up", user);
        return -EINVAL;
    }
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) {
        int err = errno;
        snprintf(error, PRIVILEGE_ERROR_MAX, "%s: cannot become that user: %s%s", user,
                 strerror(err), err == EPERM ? "; only root can" : "");
        return -err;
    }
    if (!dropped(uid, gid)) {
        snprintf(error, PRIVILEGE_ERROR_MAX, "%s: became that user, but not for good", user);
        return -EPERM;
    }
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return 0;
}
