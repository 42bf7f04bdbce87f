/* speculate.c - keeps texts by id. */
#include "events/speculate.h"

enum { MAX_BYTES = 64 << 20, FEW = 1024 };

struct speculation {
	int64_t id;
	struct buf text;
	uint64_t ntexts;
	bool is_done;
};

/* Forgets those that are done, once they are more than the others: the tables stay as large as what is held. */
static void compact(struct speculations *s)
{
	size_t kept = 0;

	if (s->in_order.len < 2 * s->live + FEW)
		return;
	numtab_free(&s->by_id);
	s->by_id = (struct numtab){0};
	for (size_t i = 0; i < s->in_order.len; i++) {
		struct speculation *one = s->in_order.at[i];

		if (one->is_done) {
			base_free(one);
			continue;
		}
		s->in_order.at[kept++] = one;
		numtab_set(&s->by_id, (uint64_t)one->id, one);
	}
	s->in_order.len = kept;
}

static struct buf finish(struct speculations *s, struct speculation *one)
{
	struct buf text = one->text;

	one->text = (struct buf){0};
	one->is_done = true;
	s->live--;
	s->bytes -= text.len;
	numtab_set(&s->by_id, (uint64_t)one->id, NULL);
	return text;
}

static void drop_oldest(struct speculations *s, const struct speculation *but)
{
	for (size_t i = 0; s->bytes > MAX_BYTES && i < s->in_order.len; i++) {
		struct speculation *one = s->in_order.at[i];

		if (one->is_done || (one == but && s->live > 1))
			continue;
		s->given_up += one->ntexts;
		struct buf text = finish(s, one);
		buf_free(&text);
	}
}

void speculate(struct speculations *s, int64_t id, const char *text, size_t len)
{
	struct speculation *one = numtab_get(&s->by_id, (uint64_t)id);

	if (!one) {
		compact(s);
		one = xcalloc(1, sizeof(*one));
		one->id = id;
		vec_push(&s->in_order, one);
		numtab_set(&s->by_id, (uint64_t)id, one);
		s->live++;
	}
	buf_add(&one->text, text, len);
	one->ntexts++;
	s->bytes += len;
	drop_oldest(s, one);
}

struct buf speculation_take(struct speculations *s, int64_t id)
{
	struct speculation *one = numtab_get(&s->by_id, (uint64_t)id);

	return one ? finish(s, one) : (struct buf){0};
}

void speculations_free(struct speculations *s)
{
	for (size_t i = 0; i < s->in_order.len; i++) {
		buf_free(&s->in_order.at[i]->text);
		base_free(s->in_order.at[i]);
	}
	vec_free(&s->in_order);
	numtab_free(&s->by_id);
	*s = (struct speculations){0};
}
