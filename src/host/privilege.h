/* privilege.h - giving up root once what needed it is open. */
#ifndef TERN_HOST_PRIVILEGE_H
#define TERN_HOST_PRIVILEGE_H

#define PRIVILEGE_ERROR_MAX 256

/* Becomes that user (a name or a number) for good, without any other group, and checks that
 * there is no way back. 0, or a negative errno and a sentence. */
int privilege_drop(const char *user, char error[PRIVILEGE_ERROR_MAX]);

#endif
