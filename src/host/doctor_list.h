/* doctor_list.h - what the files of the doctor share: the list that is being filled. */
#ifndef TERN_HOST_DOCTOR_LIST_H
#define TERN_HOST_DOCTOR_LIST_H

#include "host/doctor.h"

struct doctor_list {
    const struct doctor_config *cfg;
    struct doctor_finding *at;
    size_t count;
    enum doctor_group group; /* of those that are added */
};

/* One more, which is ok until doctor_wrong() says otherwise. */
struct doctor_finding *doctor_add(struct doctor_list *l, const char *id, const char *what);
__attribute__((format(printf, 2, 3))) void doctor_detail(struct doctor_finding *f,
                                                         const char *format, ...);
/* It is not there; what to do about it. */
__attribute__((format(printf, 2, 3))) void doctor_wrong(struct doctor_finding *f,
                                                        const char *format, ...);

/* Runs `f` in a child process and brings back what it wrote into `answer`; false: it died, or
 * could not be started. */
bool doctor_ask_child(void (*f)(void *answer), void *answer, size_t size);

void doctor_run(struct doctor_list *l); /* doctor_run.c */
void doctor_tun(struct doctor_list *l); /* doctor_tun.c */

#endif
