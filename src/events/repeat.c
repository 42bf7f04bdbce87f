/*
 * repeat.c - warnings of the running script that come again and again: the first one at a place is shown at once, the
 * others are counted and shown as a number, so that a full map does not bury what the script prints.
 */
#include <stdio.h>

#include "events/run.h"

static const uint64_t INTERVAL_NS = 1000000000;

static struct repeat *find(struct run *r, const struct action *act, int64_t code)
{
	vec_each(p, &r->repeats)
		if (p->act == act && p->code == code)
			return p;
	return NULL;
}

bool repeat_is_first(struct run *r, const struct action *act, int64_t code)
{
	struct repeat *p = find(r, act, code);

	if (p) {
		p->more++;
		return false;
	}
	vec_push(&r->repeats, ((struct repeat){.act = act, .code = code}));
	return true;
}

void repeats_report(struct run *r, uint64_t now_ns)
{
	if (now_ns && now_ns - r->repeats_shown_ns < INTERVAL_NS)
		return;
	r->repeats_shown_ns = now_ns;
	vec_each(p, &r->repeats) {
		char text[64];
		struct value code = {.type = &type_int64, .data = (const uint8_t *)&p->code, .size = sizeof(p->code)};
		int n = snprintf(text, sizeof(text), " (%llu more %s)", (unsigned long long)p->more,
				 p->more == 1 ? "time" : "times");

		if (p->more && r->out->ops->event)
			r->out->ops->event(r->out, p->act, &code, 1, text, (size_t)n);
		p->more = 0;
	}
}
