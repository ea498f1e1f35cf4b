/* lab.c - the laboratory, for tests of a room that is linked without it. */
#include "lab/bottleneck.c"
#include "lab/flight.c"
#include "lab/impair.c"
#include "lab/link.c"
#include "lab/pair.c"
#include "lab/random.c"
#include "lab/segment.c"
#include "lab/world.c"
