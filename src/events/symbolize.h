/* symbolize.h - inside the events room: where the symbolizer learns about processes. */
#pragma once

#include "events/events.h"
#include "events/track.h"

/* From now on, until it is called with NULL. */
void symbolizer_follow(struct symbolizer *y, struct track *t);
/* What processes have done up to now is applied, so that it does not pile up and files of containers stay open. */
void symbolizer_catch_up(struct symbolizer *y);
/* The kernel's names are read now, unless they have been since the probes were attached (symbolizer_attached()). */
void symbolizer_know_kernel(struct symbolizer *y);
void symbolizer_attached(struct symbolizer *y);
