/* user.c - runs a handler in the interpreter, on the session's maps. */
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "attach/user.h"

/* What loading a map's address yields: memory for data, an opaque handle for others. */
static uint64_t map_address(struct bpf_vm *vm, void *arg, uint32_t index, bool is_value,
			    uint32_t offset)
{
	struct user_run *u = arg;
	struct kmap *k;

	u->vm = vm;
	if (index >= u->s->prog->map.len)
		return 0;
	k = &u->s->map[index];
	if (!is_value)
		return (uint64_t)(uintptr_t)k;
	if (!session_map_mem(u->s, k->map))
		return 0;
	if (!u->is_region[index]) {
		u->is_region[index] = true;
		bpf_vm_region(vm, k->mem, k->map->value_size, !k->map->read_only);
	}
	return (uint64_t)(uintptr_t)k->mem + offset;
}

static void run_free(struct user_run *u)
{
	user_snapshots_free(u);
	user_taken_free(u);
	vec_free(&u->elems);
	vec_free(&u->reserved);
	strtab_free(&u->elem_by_key);
	arena_destroy(u->arena);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void count_run(struct probe_stats *st, uint64_t ns)
{
	st->min_ns = st->runs++ ? MIN(st->min_ns, ns) : ns;
	st->max_ns = MAX(st->max_ns, ns);
	st->ns += ns;
}

struct err *user_run(struct session *s, struct running *r)
{
	static const uint64_t ctx[12];
	struct user_run u = {.s = s, .arena = arena_create()};
	struct bpf_vm_ops ops = {.helper = user_helper, .map = map_address, .arg = &u};
	int cpu = sched_getcpu();
	uint64_t ret = 0;
	struct err *e;

	if (!r->code) {
		arena_destroy(u.arena);
		return NULL;
	}
	u.cpu = cpu >= 0 && (unsigned)cpu < s->prog->ncpus ? (unsigned)cpu : 0;
	u.is_region = arena_array(u.arena, bool, s->prog->map.len + 1);
	uint64_t began = now_ns();
	e = bpf_vm_run(r->code->image, &ops, ctx, sizeof(ctx), &ret);
	count_run(&r->in_user, now_ns() - began);
	user_unlock(&u);
	user_flush(&u, true);
	run_free(&u);
	return e ? err_note(e, "running %s", r->probe->name) : NULL;
}
