/*
 * rows.c - reads, clears and zeroes the variables of a script.  Hashes are read in batches, with a
 * walk key by key where the kernel has no batches for the kind of map.
 */
#include <errno.h>
#include <stdlib.h>

#include "attach/rows.h"
#include "attach/session.h"

/* A batch is whole buckets: too small a buffer gives ENOSPC. */
enum { BATCH = 1024 };

typedef int batch_fn(int fd, const void *in, void *out, void *keys, void *values, uint32_t *count);

void elements_free(struct elements *e)
{
	free(e->key);
	free(e->value);
}

static void elements_reserve(struct elements *e, size_t n)
{
	if (n <= e->room)
		return;
	e->key = xrealloc(e->key, MAX(n * e->key_size, (size_t)1));
	e->value = xrealloc(e->value, MAX(n * e->value_size, (size_t)1));
	e->room = n;
}

/* 0, or a negative errno value; -EINVAL and -ENOTSUPP (524) when the map has no batches. */
static int read_batches(int fd, batch_fn *batch, struct elements *e)
{
	uint32_t want = BATCH;
	uint8_t *place = xcalloc(2, MAX(e->key_size, (size_t)8));
	uint8_t *in = NULL, *out = place;
	struct hurry h;
	int ret;

	for (;;) {
		uint32_t n = want;

		elements_reserve(e, e->n + want);
		/* the kernel skips all handlers of this CPU's events while it reads (bpf_disable_instrumentation() in include/linux/bpf.h) */
		h = hurry_begin();
		ret = batch(fd, in, out, e->key + e->n * e->key_size,
			    e->value + e->n * e->value_size, &n);
		hurry_end(&h);
		if (ret == -ENOSPC && want < 1u << 24) {
			want *= 2;
			continue;
		}
		if (ret < 0 && ret != -ENOENT)
			break;
		e->n += n;
		if (ret == -ENOENT) {
			ret = 0;
			break;
		}
		in = out;
		out = in == place ? place + MAX(e->key_size, (size_t)8) : place;
	}
	free(place);
	return ret;
}

/* Deletions by others may start the walk again, so the number of steps is bounded. */
static int read_keys(int fd, struct elements *e, size_t max)
{
	uint8_t *key = xcalloc(2, e->key_size), *next = key + e->key_size;
	bool first = true;

	e->n = 0;
	for (size_t step = 0; step < 2 * max + 16; step++) {
		if (sys_map_next_key(fd, first ? NULL : key, next) < 0)
			break;
		first = false;
		memcpy(key, next, e->key_size);
		if (e->n == e->room)
			elements_reserve(e, MAX(2 * e->room, (size_t)256));
		if (sys_map_lookup(fd, key, e->value + e->n * e->value_size) < 0)
			continue; /* removed meanwhile */
		memcpy(e->key + e->n * e->key_size, key, e->key_size);
		e->n++;
	}
	free(key);
	return 0;
}

static struct err *read_elements(struct session *s, const struct map *m, struct elements *ret)
{
	int fd = session_map_fd(s, m), code;

	*ret = (struct elements){.key_size = m->key_size, .value_size = map_lookup_size(s, m)};
	if (fd < 0)
		return NULL;
	code = read_batches(fd, sys_map_lookup_batch, ret);
	if (code < 0)
		code = read_keys(fd, ret, m->nentries);
	if (code == 0)
		return NULL;
	elements_free(ret);
	errno = -code;
	return err_errno("reading map %s", m->name);
}

void elements_prepare(struct session *s, const struct map *m, struct elements *ret)
{
	*ret = (struct elements){.key_size = m->key_size, .value_size = map_lookup_size(s, m)};
	elements_reserve(ret, MIN(m->nentries, (uint32_t)BATCH));
	memset(ret->key, 0, ret->room * ret->key_size);
	memset(ret->value, 0, ret->room * ret->value_size);
}

static struct err *take_by_key(struct session *s, const struct map *m, struct elements *ret)
{
	int fd = session_map_fd(s, m);
	struct err *e;

	elements_free(ret);
	e = read_elements(s, m, ret);
	for (size_t i = 0; i < ret->n && !e; i++)
		(void)sys_map_delete(fd, ret->key + i * ret->key_size); /* may be gone */
	return e;
}

struct err *elements_take(struct session *s, const struct map *m, struct elements *ret)
{
	int fd = session_map_fd(s, m), code;

	if (!ret->room)
		*ret = (struct elements){.key_size = m->key_size, .value_size = map_lookup_size(s, m)};
	code = fd < 0 ? 0 : read_batches(fd, sys_map_take_batch, ret);
	if (code == 0)
		return NULL;
	if (!ret->n)
		return take_by_key(s, m, ret);
	elements_free(ret);
	*ret = (struct elements){0};
	errno = -code;
	return err_errno("taking the elements of map %s", m->name);
}

static void add_row(struct map_rows *rows, struct value key, struct value value, uint64_t seq)
{
	vec_push(&rows->row, (struct map_row){.key = key, .value = value, .seq = seq});
}

static struct value value_of(const struct type *t, const uint8_t *data)
{
	return (struct value){.type = t, .data = data, .size = type_mem_size(t)};
}

/* --- scalars
 * ---------------------------------------------------------------------------------------------- */

static bool is_scalar(const struct program *p, const struct var *v)
{
	return v->map == p->data || v->map == p->percpu;
}

/* Start of the variable in the row of a CPU; NULL when the map was not made. */
static uint8_t *scalar_part(struct session *s, const struct var *v, unsigned cpu)
{
	const struct program *p = s->prog;
	uint8_t *mem = session_map_mem(s, v->map);
	size_t at = v->offset + (v->map == p->percpu ? (size_t)cpu * p->percpu_row : 0);

	if (!mem || at + type_mem_size(v->value) > v->map->value_size)
		return NULL;
	return mem + at;
}

static unsigned scalar_parts(const struct program *p, const struct var *v)
{
	return v->map == p->percpu ? p->ncpus : 1;
}

/* NULL: the variable does not tell whether it was set. */
static uint8_t *set_mark(struct session *s, const struct var *v, unsigned cpu)
{
	uint8_t *mem = v->set_offset ? session_map_mem(s, v->map) : NULL;
	size_t at = v->set_offset + (v->map == s->prog->percpu ? (size_t)cpu * s->prog->percpu_row : 0);

	return mem && at < v->map->value_size ? mem + at : NULL;
}

static bool is_marked(struct session *s, const struct var *v)
{
	for (unsigned cpu = 0; cpu < scalar_parts(s->prog, v); cpu++) {
		const uint8_t *set = set_mark(s, v, cpu);

		if (set && *set)
			return true;
	}
	return false;
}

static bool is_all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static void read_scalar(struct session *s, const struct var *v, struct map_rows *ret)
{
	size_t n = type_mem_size(v->value);
	uint8_t *data = arena_alloc(ret->arena, MAX(n, (size_t)1));
	uint8_t *part = arena_alloc(ret->arena, MAX(n, (size_t)1));

	for (unsigned cpu = 0; cpu < scalar_parts(s->prog, v); cpu++) {
		const uint8_t *at = scalar_part(s, v, cpu);

		if (!at)
			continue;
		memcpy(part, at, n); /* programs go on writing it */
		if (v->map == s->prog->percpu)
			rows_merge(v->value, data, part);
		else
			memcpy(data, part, n);
	}
	if (is_all_zero(data, n) && v->set_offset && !is_marked(s, v))
		return;
	add_row(ret, (struct value){0}, value_of(v->value, data), 0);
}

static void zero_scalar(struct session *s, const struct var *v, bool stays_set)
{
	for (unsigned cpu = 0; cpu < scalar_parts(s->prog, v); cpu++) {
		uint8_t *set = set_mark(s, v, cpu), *at = scalar_part(s, v, cpu);

		if (set && at)
			*set = stays_set && (*set || !is_all_zero(at, type_mem_size(v->value)));
		if (at)
			memset(at, 0, type_mem_size(v->value));
	}
}

/* --- hashes
 * -----------------------------------------------------------------------------------------------
 */

static void read_hash(struct session *s, const struct var *v, const struct elements *e,
		      struct map_rows *ret)
{
	size_t n = type_mem_size(v->value), part = ALIGN_UP((size_t)v->map->value_size, (size_t)8);
	bool percpu = map_is_percpu(v->map);

	if (v->value_offset + n > v->map->value_size || type_mem_size(v->key) > e->key_size)
		BUG("map %s is smaller than its variable", v->map->name);
	for (size_t i = 0; i < e->n; i++) {
		const uint8_t *value = e->value + i * e->value_size;
		uint8_t *data = arena_alloc(ret->arena, MAX(n, (size_t)1));
		uint64_t seq = 0;

		for (unsigned cpu = 0; cpu < (percpu ? s->prog->ncpus : 1); cpu++, value += part) {
			uint64_t number = 0;

			if (v->has_seq)
				memcpy(&number, value, 8);
			seq = MAX(seq, number);
			if (percpu)
				rows_merge(v->value, data, value + v->value_offset);
			else
				memcpy(data, value + v->value_offset, n);
		}
		add_row(ret,
			value_of(v->key,
				 arena_memdup(ret->arena, e->key + i * e->key_size, e->key_size)),
			value_of(v->value, data), seq);
	}
}

/* Elements are {key, bucket number} -> one interval; a row is all intervals of a key. */
static void read_tseries(const struct var *v, const struct elements *e, struct map_rows *ret)
{
	size_t user = e->key_size >= 8 ? e->key_size - 8 : 0;
	size_t count = v->value->arg[1] > 0 ? (size_t)v->value->arg[1] : 1;
	struct strtab seen = {0};

	for (size_t i = 0; i < e->n; i++) {
		const uint8_t *key = e->key + i * e->key_size;
		uint8_t *data = strtab_getn(&seen, key, user);
		uint64_t bucket;

		if (!data) {
			struct value k = {0}, val;

			data = arena_alloc(ret->arena, count * sizeof(struct tseries_wire));
			strtab_setn(&seen, key, user, data);
			if (v->key)
				k = value_of(v->key, arena_memdup(ret->arena, key, user));
			val = (struct value){v->value, data,
					     (uint32_t)(count * sizeof(struct tseries_wire))};
			add_row(ret, k, val, 0);
		}
		memcpy(&bucket, key + user, 8);
		memcpy(data + bucket % count * sizeof(struct tseries_wire),
		       e->value + i * e->value_size,
		       MIN(sizeof(struct tseries_wire), e->value_size));
	}
	strtab_free(&seen);
}

void events_rows_of(struct session *s, const struct var *v, const struct elements *e, struct map_rows *ret)
{
	*ret = (struct map_rows){.arena = arena_create()};
	if (v->value->kind == TYPE_TSERIES)
		read_tseries(v, e, ret);
	else
		read_hash(s, v, e, ret);
}

struct err *events_read_var(struct session *s, const struct var *v, struct map_rows *ret)
{
	struct elements e;
	struct err *err;

	if (!v->map || is_scalar(s->prog, v)) {
		*ret = (struct map_rows){.arena = arena_create()};
		if (v->map)
			read_scalar(s, v, ret);
		return NULL;
	}
	err = read_elements(s, v->map, &e);
	if (err)
		return err;
	events_rows_of(s, v, &e, ret);
	elements_free(&e);
	return NULL;
}

void map_rows_free(struct map_rows *r)
{
	arena_destroy(r->arena);
	r->arena = NULL;
	vec_free(&r->row);
}

struct err *events_clear_var(struct session *s, const struct var *v)
{
	struct elements e = {0};
	struct err *err;

	if (!v->map)
		return NULL;
	if (is_scalar(s->prog, v)) {
		zero_scalar(s, v, false);
		return NULL;
	}
	err = elements_take(s, v->map, &e);
	elements_free(&e);
	return err;
}

/* Keeps the rows and their insertion numbers. */
struct err *events_zero_var(struct session *s, const struct var *v)
{
	size_t part = v->map ? ALIGN_UP((size_t)v->map->value_size, (size_t)8) : 0;
	struct elements e;
	struct err *err;

	if (!v->map)
		return NULL;
	if (is_scalar(s->prog, v)) {
		zero_scalar(s, v, true);
		return NULL;
	}
	err = read_elements(s, v->map, &e);
	if (err)
		return err;
	for (size_t i = 0; i < e.n; i++) {
		uint8_t *value = e.value + i * e.value_size;

		for (size_t at = 0; at < e.value_size; at += part)
			memset(value + at + v->value_offset, 0,
			       v->map->value_size - v->value_offset);
		(void)sys_map_update(session_map_fd(s, v->map), e.key + i * e.key_size, value,
				     BPF_EXIST);
	}
	elements_free(&e);
	return NULL;
}
