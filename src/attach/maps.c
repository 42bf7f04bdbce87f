/*
 * maps.c - the program's maps in the kernel.  Only maps that some handler refers to are created.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach/session.h"

enum {
	RING_SMALL = 256 << 10, /* scripts that only begin and end, or say little */
	RING_NORMAL = 8 << 20,
};

static const struct {
	enum bpf_map_type type;
	uint32_t flags;
	bool percpu;
} map_kinds[] = {
	[MAP_HASH] = {BPF_MAP_TYPE_HASH,             0,              false},
	[MAP_LRU_HASH] = {BPF_MAP_TYPE_LRU_HASH,         0,              false},
	[MAP_PERCPU_HASH] = {BPF_MAP_TYPE_PERCPU_HASH,      0,              true },
	[MAP_LRU_PERCPU_HASH] = {BPF_MAP_TYPE_LRU_PERCPU_HASH,  0,              true },
	[MAP_ARRAY] = {BPF_MAP_TYPE_ARRAY,            0,              false},
	[MAP_PERCPU_ARRAY] = {BPF_MAP_TYPE_PERCPU_ARRAY,     0,              true },
	[MAP_DATA] = {BPF_MAP_TYPE_ARRAY,            BPF_F_MMAPABLE, false},
	[MAP_RINGBUF] = {BPF_MAP_TYPE_RINGBUF,          0,              false},
	[MAP_STACK_TRACE] = {BPF_MAP_TYPE_STACK_TRACE,      0,              false},
	[MAP_PROG_ARRAY] = {BPF_MAP_TYPE_PROG_ARRAY,       0,              false},
	[MAP_PERF_ARRAY] = {BPF_MAP_TYPE_PERF_EVENT_ARRAY, 0,              false},
	[MAP_CGROUP_ARRAY] = {BPF_MAP_TYPE_CGROUP_ARRAY,     0,              false},
	[MAP_SEGMENTS] = {BPF_MAP_TYPE_ARRAY_OF_MAPS,    0,              false},
};

bool map_is_percpu(const struct map *m)
{
	return map_kinds[m->kind].percpu;
}

size_t map_lookup_size(const struct session *s, const struct map *m)
{
	size_t one = m->value_size;

	return map_is_percpu(m) ? ALIGN_UP(one, (size_t)8) * s->prog->ncpus : one;
}

/*
 * Every handler runs once, when the session begins or ends or when spile asks for it, and none
 * loops by callbacks or shares code between statements: there are no more records than places in the code that send one.
 */
static bool is_quiet(const struct session *s)
{
	const struct program *p = s->prog;

	vec_each(c, &s->code)
		if (image_has_callbacks((*c)->image) || image_has_globals((*c)->image))
			return false;
	for (size_t i = 0; i < p->probe.len; i++) {
		const struct probe *probe = p->probe.at[i];

		for (uint32_t j = 0; j < probe->npoints; j++) {
			enum probe_kind k = probe->points[j]->kind;

			if (k != PK_BEGIN && k != PK_END && k != PK_SELF && k != PK_ERROR)
				return false;
		}
	}
	return true;
}

/* What the handlers send tells of errors and asks for maps to be shown: no stream of lines. */
static bool says_little(const struct program *p)
{
	const uint32_t rare = 1u << ACT_EXIT | 1u << ACT_HELPER_ERROR | 1u << ACT_RUNTIME_ERROR | 1u << ACT_PRINT_VAR |
			      1u << ACT_CLEAR | 1u << ACT_ZERO | 1u << ACT_STP_ERROR;

	vec_each(a, &p->action)
		if (!(rare >> (*a)->kind & 1))
			return false;
	return true;
}

/* A power of two and whole pages. */
static uint32_t ring_bytes(const struct session *s)
{
	uint32_t want = s->prog->opt.ring_bytes;
	uint32_t n = (uint32_t)sysconf(_SC_PAGESIZE);

	if (!want)
		want = is_quiet(s) || says_little(s->prog) ? RING_SMALL : RING_NORMAL;
	while (n < want && n < 1u << 30)
		n <<= 1;
	return n;
}

static struct err *map_error(const struct map *m, int code)
{
	const char *rights = code == EPERM ? missing_rights() : NULL;

	if (rights)
		return err_new(code, "creating a map needs %s", rights);
	errno = code;
	return err_errno("creating map %s (key %u bytes, value %u bytes, %u entries)", m->name,
			 m->key_size, m->value_size, m->nentries);
}

/* Writes the initial bytes; read-only data is frozen then, so that the verifier may fold what it
 * reads. */
static struct err *data_init(struct kmap *k)
{
	const struct map *m = k->map;
	const uint32_t zero = 0;
	int ret = m->init ? sys_map_update(k->fd, &zero, m->init, 0) : 0;

	if (ret == 0 && m->read_only) {
		k->mem = (void *)(uintptr_t)m->init;
		ret = sys_map_freeze(k->fd);
	}
	return ret < 0 ? map_error(m, -ret) : NULL;
}

static int map_segment_create(const struct map *m)
{
	return sys_map_create("segment", BPF_MAP_TYPE_ARRAY, 4, m->value_size, 1, BPF_F_MMAPABLE);
}

/* What an inner map looks like is shown by one, which is the first to be used. */
static struct err *segments_create(struct kmap *k)
{
	const struct map *m = k->map;

	k->nentries = m->nentries;
	k->inner_fd = map_segment_create(m);
	if (k->inner_fd < 0)
		return map_error(m, -k->inner_fd);
	k->fd = sys_map_create_outer(m->name, m->nentries, k->inner_fd);
	if (k->fd < 0) {
		int code = -k->fd;

		k->fd = -1;
		return map_error(m, code);
	}
	return NULL;
}

static struct err *map_create(struct session *s, struct kmap *k)
{
	const struct map *m = k->map;
	uint32_t flags = map_kinds[m->kind].flags, nentries = m->nentries;
	uint32_t key = m->key_size, value = m->value_size;

	if (m->kind == MAP_RINGBUF) {
		key = value = 0;
		nentries = m == s->prog->ring ? ring_bytes(s) : m->nentries;
	} else if (m->kind == MAP_DATA) {
		key = 4;
		nentries = 1;
		value = MAX(value, 1u);
		if (m->read_only)
			flags = BPF_F_RDONLY_PROG;
	} else if (m->no_prealloc && (m->kind == MAP_HASH || m->kind == MAP_PERCPU_HASH)) {
		flags |= BPF_F_NO_PREALLOC;
	} else if (m->kind == MAP_PERF_ARRAY && !nentries) {
		nentries = s->prog->ncpus;
	}
	k->nentries = nentries;
	if (m->kind == MAP_SEGMENTS)
		return segments_create(k);
	k->fd = sys_map_create(m->name, map_kinds[m->kind].type, key, value, nentries, flags);
	if (k->fd < 0) {
		int code = -k->fd;

		k->fd = -1;
		return map_error(m, code);
	}
	return m->kind == MAP_DATA ? data_init(k) : NULL;
}

struct err *maps_create(struct session *s)
{
	struct program *p = s->prog;
	bool *used = arena_array(s->arena, bool, p->map.len + 1);

	s->map = arena_array(s->arena, struct kmap, p->map.len + 1);
	for (size_t i = 0; i < p->map.len; i++)
		s->map[i] = (struct kmap){.map = p->map.at[i], .fd = -1, .inner_fd = -1};
	vec_each(c, &s->code)
		vec_each(r, &(*c)->image->reloc)
			if (r->kind != RELOC_KFUNC && r->index < p->map.len)
				used[r->index] = true;
	for (size_t i = 0; i < p->map.len; i++) {
		struct err *e = used[i] ? map_create(s, &s->map[i]) : NULL;

		if (e)
			return e;
	}
	if (session_map_fd(s, p->stacks) >= 0)
		map_warm(session_map_fd(s, p->stacks), p->stacks->value_size, p->ncpus);
	return NULL;
}

void maps_destroy(struct session *s)
{
	for (size_t i = 0; s->map && i < s->prog->map.len; i++) {
		struct kmap *k = &s->map[i];

		if (k->mem_size)
			munmap(k->mem, k->mem_size);
		if (k->fd >= 0)
			close(k->fd);
		if (k->inner_fd >= 0)
			close(k->inner_fd);
		*k = (struct kmap){.map = k->map, .fd = -1, .inner_fd = -1};
	}
}

uint32_t session_ring_bytes(struct session *s)
{
	return session_map_fd(s, s->prog->ring) < 0 ? 0 : s->map[s->prog->ring->id].nentries;
}

int session_new_segment(struct session *s, const struct map *m)
{
	struct kmap *k = &s->map[m->id];
	int fd = k->inner_fd;

	k->inner_fd = -1;
	return fd >= 0 ? fd : map_segment_create(m);
}

int session_map_fd(struct session *s, const struct map *m)
{
	return m && m->id < s->prog->map.len ? s->map[m->id].fd : -1;
}

/* Mapped when it is first asked for: most programs need only a page of it here. */
static void data_map(struct kmap *k)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = ALIGN_UP((size_t)k->map->value_size, page);
	void *mem = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0);

	if (mem == MAP_FAILED)
		return;
	k->mem = mem;
	k->mem_size = n;
}

void *session_map_mem(struct session *s, const struct map *m)
{
	struct kmap *k = m && m->id < s->prog->map.len ? &s->map[m->id] : NULL;

	if (k && !k->mem && k->fd >= 0 && m->kind == MAP_DATA && m->value_size)
		data_map(k);
	return k ? k->mem : NULL;
}
