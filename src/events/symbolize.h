/* symbolize.h - inside the events room: where the symbolizer learns about processes. */
#pragma once

#include "events/events.h"
#include "events/track.h"

/* From now on, until it is called with NULL. */
void symbolizer_follow(struct symbolizer *y, struct track *t);
/* What processes have done up to now is applied, so that it does not pile up and files of containers stay open. */
void symbolizer_catch_up(struct symbolizer *y);
