/* symbolize.h - inside the events room: where the symbolizer learns about processes. */
#pragma once

#include "events/events.h"
#include "events/track.h"

/* From now on, until it is called with NULL. */
void symbolizer_follow(struct symbolizer *y, struct track *t);
