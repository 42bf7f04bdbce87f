/* mappings.h - what is known about the address spaces of processes reaches the symbolizer in order.
 */
#pragma once

#include "events/events.h"
#include "events/queue.h"

struct usyms *symbolizer_usyms(struct symbolizer *y);
/* Applies an entry of the queue that is no record. */
void mappings_apply(struct symbolizer *y, const struct entry *e);
