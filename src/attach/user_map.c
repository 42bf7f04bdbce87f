/* user_map.c - map elements for handlers in user space: copies that are written back when they
 * change. */
#include <errno.h>
#include <stdlib.h>

#include "attach/user.h"

static size_t part_size(const struct kmap *k)
{
	return map_is_percpu(k->map) ? ALIGN_UP((size_t)k->map->value_size, (size_t)8)
				     : k->map->value_size;
}

/*
 * Parts of other CPUs go on changing in the kernel, so only the parts that the handler has changed
 * are put into a fresh copy.
 */
static void write_back(struct user_elem *e)
{
	size_t part = part_size(e->map);
	uint8_t *fresh;

	if (e->is_deleted || memcmp(e->copy, e->before, e->size) == 0)
		return;
	fresh = xcalloc(1, e->size);
	if (sys_map_lookup(e->map->fd, e->key, fresh) < 0)
		memcpy(fresh, e->before, e->size);
	for (size_t at = 0; at < e->size; at += part)
		if (memcmp(e->copy + at, e->before + at, part) != 0)
			memcpy(fresh + at, e->copy + at, part);
	(void)sys_map_update(e->map->fd, e->key, fresh, BPF_ANY);
	memcpy(e->before, e->copy, e->size);
	free(fresh);
}

void user_flush(struct user_run *u, bool all)
{
	if (all) {
		vec_each(e, &u->elems)
			write_back(*e);
	} else if (u->recent) {
		write_back(u->recent);
	}
	u->recent = NULL;
}

void user_forget(struct user_run *u)
{
	user_flush(u, true);
	strtab_free(&u->elem_by_key);
	u->elems.len = 0;
}

/* Name of an element in the table: the map's number and the key. */
static uint8_t *elem_name(struct user_run *u, const struct kmap *k, uint64_t key, size_t *len)
{
	uint8_t *name;

	*len = sizeof(uint32_t) + k->map->key_size;
	name = arena_alloc(u->arena, *len);
	memcpy(name, &k->map->id, sizeof(uint32_t));
	return user_get(name + sizeof(uint32_t), key, k->map->key_size) ? name : NULL;
}

static struct user_elem *elem_load(struct user_run *u, struct kmap *k, const uint8_t *name,
				   size_t len)
{
	struct user_elem *e = arena_new(u->arena, struct user_elem);

	e->map = k;
	e->size = map_lookup_size(u->s, k->map);
	e->key = (uint8_t *)name + sizeof(uint32_t);
	e->copy = arena_alloc(u->arena, e->size);
	if (user_has_taken(u, k->map)) {
		const uint8_t *value = user_taken_value(u, k->map, e->key);

		if (!value)
			return NULL;
		memcpy(e->copy, value, e->size);
	} else if (k->fd < 0 || sys_map_lookup(k->fd, e->key, e->copy) < 0) {
		return NULL;
	}
	e->before = arena_memdup(u->arena, e->copy, e->size);
	bpf_vm_region(u->vm, e->copy, e->size, true);
	strtab_setn(&u->elem_by_key, name, len, e);
	vec_push(&u->elems, e);
	return e;
}

uint64_t user_map_lookup(struct user_run *u, struct kmap *k, uint64_t key, unsigned cpu)
{
	struct user_elem *e;
	uint8_t *name;
	size_t len;

	if (cpu >= u->s->prog->ncpus || !(name = elem_name(u, k, key, &len)))
		return 0;
	e = strtab_getn(&u->elem_by_key, name, len);
	if (!e)
		e = elem_load(u, k, name, len);
	u->recent = e;
	return e ? (uint64_t)(uintptr_t)e->copy + (map_is_percpu(k->map) ? cpu * part_size(k) : 0)
		 : 0;
}

/* The handler's view of a changed element, if it holds one. */
static void refresh(struct user_run *u, struct kmap *k, const uint8_t *name, size_t len,
		    const uint8_t *value)
{
	struct user_elem *e = strtab_getn(&u->elem_by_key, name, len);

	if (!e)
		return;
	memcpy(e->copy, value, e->size);
	memcpy(e->before, value, e->size);
}

int64_t user_map_update(struct user_run *u, struct kmap *k, uint64_t key, uint64_t value,
			uint64_t flags)
{
	size_t len, size = map_lookup_size(u->s, k->map);
	uint8_t *name = elem_name(u, k, key, &len), *bytes = arena_alloc(u->arena, size);
	unsigned cpu = map_is_percpu(k->map) ? u->cpu : 0;
	int ret;

	if (!name || !user_get(bytes + cpu * part_size(k), value, k->map->value_size))
		return -EFAULT;
	/* an update in the kernel changes this CPU's part only */
	if (map_is_percpu(k->map)) {
		uint8_t *old = arena_alloc(u->arena, size);

		if (sys_map_lookup(k->fd, name + sizeof(uint32_t), old) == 0) {
			memcpy(old + cpu * part_size(k), bytes + cpu * part_size(k), part_size(k));
			bytes = old;
		}
	}
	ret = sys_map_update(k->fd, name + sizeof(uint32_t), bytes, flags);
	if (ret == 0)
		refresh(u, k, name, len, bytes);
	return ret;
}

int64_t user_map_delete(struct user_run *u, struct kmap *k, uint64_t key)
{
	size_t len;
	uint8_t *name = elem_name(u, k, key, &len);
	struct user_elem *e;

	if (!name)
		return -EFAULT;
	e = strtab_getn(&u->elem_by_key, name, len);
	if (e)
		e->is_deleted = true;
	strtab_setn(&u->elem_by_key, name, len, NULL);
	return sys_map_delete(k->fd, name + sizeof(uint32_t));
}

void user_drop_copies(struct user_run *u, const struct map *m)
{
	vec_each(e, &u->elems)
		if ((*e)->map->map == m)
			(*e)->is_deleted = true;
	strtab_free(&u->elem_by_key);
	vec_each(e, &u->elems)
		if (!(*e)->is_deleted)
			strtab_setn(&u->elem_by_key, (*e)->key - sizeof(uint32_t),
				    sizeof(uint32_t) + (*e)->map->map->key_size, *e);
}

/* The keys of a map as they are now, in the run's memory, which the handler may read. */
static uint8_t *gather_keys(struct user_run *u, struct kmap *k, size_t *n)
{
	const struct elements *taken = user_taken_elements(u, k->map);
	size_t size = k->map->key_size, max = taken ? taken->n : 2 * (size_t)k->map->nentries + 16;
	uint8_t *keys = arena_alloc(u->arena, (max + 1) * size);

	*n = taken ? taken->n : 0;
	if (taken)
		memcpy(keys, taken->key, taken->n * size);
	while (!taken && *n < max &&
	       sys_map_next_key(k->fd, *n ? keys + (*n - 1) * size : NULL, keys + *n * size) == 0)
		++*n;
	bpf_vm_region(u->vm, keys, (max + 1) * size, false);
	return keys;
}

/* Keys are gathered first: the callback may delete. */
int64_t user_map_each(struct user_run *u, struct kmap *k, uint64_t fn, uint64_t ctx)
{
	size_t size = k->map->key_size, n;
	int64_t called = 0;

	user_flush(u, true);
	uint8_t *keys = gather_keys(u, k, &n);
	for (size_t i = 0; i < n; i++) {
		uint64_t key = (uint64_t)(uintptr_t)(keys + i * size), ret = 0;
		uint64_t value = user_map_lookup(u, k, key, u->cpu);
		uint64_t args[4] = {(uint64_t)(uintptr_t)k, key, value, ctx};

		if (!value)
			continue;
		u->err = bpf_vm_call(u->vm, fn, args, 4, &ret);
		called++;
		if (u->err || ret)
			break;
	}
	return called;
}
