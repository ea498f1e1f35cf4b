/* fiber.h - the process of a script: a second thread of control, for calls that block.
 *
 * A call runs in the fiber. When it must wait it goes back to whoever started it, who lets time
 * pass and lets it look again. */
#ifndef TERN_DRILL_FIBER_H
#define TERN_DRILL_FIBER_H

#include <stdbool.h>

struct drill_fiber;

/* NULL: no memory. */
struct drill_fiber *drill_fiber_new(void);
/* No function may be under way. */
void drill_fiber_free(struct drill_fiber *f);
/* Runs `run(user)` in the fiber. true: it has returned; false: it waits. */
bool drill_fiber_start(struct drill_fiber *f, void (*run)(void *user), void *user);
/* Lets it go on; true: it has returned. */
bool drill_fiber_resume(struct drill_fiber *f);
bool drill_fiber_busy(const struct drill_fiber *f);
/* In the fiber: waits for drill_fiber_resume(). */
void drill_fiber_wait(struct drill_fiber *f);

#endif
