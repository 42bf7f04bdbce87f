/*
 * user.h - one run of a handler in user space: the state behind its helpers.
 */
#pragma once

#include "attach/rows.h"
#include "attach/session.h"

/*
 * A map element that the handler has looked up.  The handler writes to the copy; what it changed
 * goes back to the kernel at the next helper call and when the run ends.
 */
struct user_elem {
	struct kmap *map;
	uint8_t *key, *copy, *before; /* before: as last known to be in the kernel */
	size_t size;                  /* of copy: all CPUs of a per-CPU map */
	bool is_deleted;
};

struct user_snapshot {
	const struct var *var;
	struct map_rows rows;
	size_t next, end;
	bool is_open;
};

/* An array that was taken out of the kernel, until the handler has done with it. */
struct user_taken {
	const struct var *var;
	struct elements elements;
	struct strtab by_key; /* -> value, all CPUs */
};

struct user_reservation {
	uint8_t *data;
	uint64_t size;
};

struct user_run {
	struct session *s;
	struct bpf_vm *vm;
	struct arena *arena; /* lives as long as the run */
	bool *is_region;     /* by map id: the VM knows its memory */
	unsigned cpu;        /* taken when the run starts */
	VEC(struct user_elem *) elems;
	struct strtab elem_by_key; /* map id and key bytes */
	struct user_elem *recent;
	VEC(struct user_reservation) reserved;
	VEC(struct user_snapshot) snapshots;
	VEC(struct user_taken) taken;
	bool holds_lock; /* of lang/kit_lock.c */
	struct hurry hurry; /* before it was taken */
	struct err *err; /* a helper's failure that ends the run */
};

/* The helpers' door for the interpreter; arg is the struct user_run. */
struct err *user_helper(struct bpf_vm *vm, void *arg, int32_t id, const uint64_t v[5],
			uint64_t *ret);

/* Bytes of this process that a handler names: false on a bad address, never a fault. */
bool user_get(void *dst, uint64_t addr, size_t n);
bool user_put(uint64_t addr, const void *src, size_t n);

/* user_lock.c: the lock; it is given back also after a run that failed */
int64_t user_lock(struct user_run *u);
void user_unlock(struct user_run *u);

/* user_format.c: bpf_snprintf() */
int64_t user_snprintf(const uint64_t v[5]);

/* user_map.c: elements of maps.  Addresses as the handler sees them, 0: none; negative: -errno. */
void user_flush(struct user_run *u, bool all);
void user_forget(struct user_run *u); /* writes all back; what is looked up from now on is read again */
uint64_t user_map_lookup(struct user_run *u, struct kmap *k, uint64_t key, unsigned cpu);
int64_t user_map_update(struct user_run *u, struct kmap *k, uint64_t key, uint64_t value,
			uint64_t flags);
int64_t user_map_delete(struct user_run *u, struct kmap *k, uint64_t key);
int64_t user_map_each(struct user_run *u, struct kmap *k, uint64_t fn, uint64_t ctx);
void user_drop_copies(struct user_run *u, const struct map *m); /* they must not come back */

/* user_take.c: arrays out of the kernel; see UH_TAKE.  Values and elements: of all CPUs, valid until the array is cleared. */
int64_t user_take(struct user_run *u, const uint64_t v[5]);
int64_t user_take_end(struct user_run *u);
bool user_has_taken(const struct user_run *u, const struct map *m);
const uint8_t *user_taken_value(const struct user_run *u, const struct map *m, const uint8_t *key);
const struct elements *user_taken_elements(const struct user_run *u, const struct map *m);
void user_taken_clear(struct user_run *u, const struct map *m);
void user_taken_free(struct user_run *u);

/* user_rows.c: what only user space can do; see bpf/user_helpers.h. */
int64_t user_snapshot_open(struct user_run *u, uint64_t var, uint64_t sort, uint64_t limit);
int64_t user_snapshot_next(struct user_run *u, const uint64_t v[5]);
int64_t user_snapshot_close(struct user_run *u, uint64_t handle);
int64_t user_var_clear(struct user_run *u, uint64_t var);
void user_snapshots_free(struct user_run *u);
