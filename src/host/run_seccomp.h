/* run_seccomp.h - linux/seccomp.h, with what headers older than Linux 6.6 lack. */
#ifndef TERN_HOST_RUN_SECCOMP_H
#define TERN_HOST_RUN_SECCOMP_H

#include <linux/seccomp.h>
#include <linux/types.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#endif
