/* unwind_space.c - see unwind_space.h. */
#include "events/unwind_space.h"

#include <sys/mman.h>
#include <unistd.h>

#include "attach/sys.h"

enum {
	SEG_BYTES = UW_SEG_WORDS * 4,
	RETIRED_MAX = 1 << 16, /* words, before waiting for programs to end is worth it */
};

void uw_space_init(struct uw_space *s, struct session *session, const struct map *map)
{
	*s = (struct uw_space){.session = session, .map = map};
}

static void close_segment(struct uw_segment *g)
{
	if (g->fd < 0)
		return;
	munmap(g->mem, SEG_BYTES);
	close(g->fd);
	*g = (struct uw_segment){.fd = -1};
}

void uw_space_destroy(struct uw_space *s)
{
	vec_each(g, &s->seg)
		close_segment(g);
	vec_free(&s->seg);
	vec_free(&s->free);
	vec_free(&s->retired);
}

/* A free range joins its neighbours. */
static void add_free(struct uw_space *s, struct uw_range r)
{
	for (size_t i = 0; i < s->free.len;) {
		struct uw_range *f = &s->free.at[i];

		if (f->seg != r.seg || (f->at + f->words != r.at && r.at + r.words != f->at)) {
			i++;
			continue;
		}
		r.at = MIN(r.at, f->at);
		r.words += f->words;
		*f = vec_pop(&s->free);
	}
	vec_push(&s->free, r);
}

/* The kernel waits for running programs before it returns from an update of a map of maps
 * (maybe_wait_bpf_programs). */
static void wait_for_programs(struct uw_space *s)
{
	int fd = session_map_fd(s->session, s->map);

	for (uint32_t i = 0; i < s->seg.len; i++)
		if (s->seg.at[i].fd >= 0 && !sys_map_update(fd, &i, &s->seg.at[i].fd, 0))
			return;
}

/* A segment without anything in it goes back to the kernel, but for the last one. */
static void drop_empty(struct uw_space *s)
{
	for (size_t i = s->free.len; i-- > 0;) {
		struct uw_range f = s->free.at[i];

		if (f.words != UW_SEG_WORDS || !s->used_words)
			continue;
		sys_map_delete(session_map_fd(s->session, s->map), &f.seg);
		close_segment(&s->seg.at[f.seg]);
		s->free.at[i] = vec_last(&s->free);
		s->free.len--;
	}
}

static void reuse_retired(struct uw_space *s)
{
	if (!s->retired.len)
		return;
	wait_for_programs(s);
	vec_each(r, &s->retired)
		add_free(s, *r);
	s->retired.len = 0;
	s->retired_words = 0;
	drop_empty(s);
}

static bool add_segment(struct uw_space *s)
{
	struct uw_segment g = {.fd = -1};
	uint32_t i = 0;

	while (i < s->seg.len && s->seg.at[i].fd >= 0)
		i++;
	if (i >= UW_SEGS)
		return false;
	g.fd = session_new_segment(s->session, s->map);
	if (g.fd < 0)
		return false;
	g.mem = mmap(NULL, SEG_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, g.fd, 0);
	if (g.mem == MAP_FAILED ||
	    sys_map_update(session_map_fd(s->session, s->map), &i, &g.fd, 0) < 0) {
		if (g.mem != MAP_FAILED)
			munmap(g.mem, SEG_BYTES);
		close(g.fd);
		return false;
	}
	if (i == s->seg.len)
		vec_push(&s->seg, g);
	else
		s->seg.at[i] = g;
	add_free(s, (struct uw_range){i, 0, UW_SEG_WORDS});
	return true;
}

/* The smallest range that is large enough. */
static struct uw_range take_free(struct uw_space *s, uint32_t words)
{
	struct uw_range *best = NULL, got;

	vec_each(f, &s->free)
		if (f->words >= words && (!best || f->words < best->words))
			best = f;
	if (!best)
		return (struct uw_range){.words = 0};
	got = (struct uw_range){best->seg, best->at, words};
	best->at += words;
	best->words -= words;
	if (!best->words) {
		*best = vec_last(&s->free);
		s->free.len--;
	}
	return got;
}

struct uw_range uw_space_alloc(struct uw_space *s, uint32_t words)
{
	struct uw_range r;

	if (!words || words > UW_SEG_WORDS)
		return (struct uw_range){.words = 0};
	words = ALIGN_UP(words, 8u);
	r = take_free(s, words);
	if (!r.words && s->retired_words >= words) {
		reuse_retired(s);
		r = take_free(s, words);
	}
	if (!r.words && add_segment(s))
		r = take_free(s, words);
	s->used_words += r.words;
	return r;
}

uint32_t *uw_space_words(struct uw_space *s, struct uw_range r)
{
	return s->seg.at[r.seg].mem + r.at;
}

void uw_space_free(struct uw_space *s, struct uw_range r)
{
	if (!r.words)
		return;
	s->used_words -= r.words;
	s->retired_words += r.words;
	vec_push(&s->retired, r);
	if (s->retired_words > RETIRED_MAX)
		reuse_retired(s);
}
