/*
 * user_helpers.h - helpers that only the user-space interpreter has.
 *
 * SystemTap's begin, end, error and the timers that the kernel cannot run are PROG_USER programs.  Besides the
 * kernel's helper numbers (map_lookup_elem, ktime_get_ns, get_current_pid_tgid ... on the session's maps, as
 * the kernel would do) they call these.  attach implements them in its bpf_vm_ops.helper.  Every argument is
 * a 64-bit word; addresses are addresses of BPF memory (stack, map values, regions); a negative result is
 * -errno.  `var` is an index into program.var.
 */
#pragma once

enum user_helper {
	UH_FIRST = 0x10000,

	/*
	 * u64 snapshot_open(var, sort, limit)
	 * Takes a snapshot of a keyed variable, in order, and returns a handle >= 1, or -errno.
	 *   sort:  see UH_SORT().  Without a sort: insertion order (seq of the row; order of the map when the
	 *	    variable has none).
	 *   limit: rows that are kept after sorting, 0: all.
	 * Long values and long keys compare as s64, strings as strcmp, TYPE_STAT by the chosen statistic of the
	 * merged CPUs (an empty statistic counts as 0).  Equal rows keep insertion order, ascending and
	 * descending alike.
	 */
	UH_SNAPSHOT_OPEN = UH_FIRST,
	/*
	 * u64 snapshot_next(handle, key, key_size, value, value_size)
	 * Copies the next row: the key as type_mem_size(var->key) bytes (key may be 0), the value as
	 * type_mem_size(var->value) bytes, merged over CPUs for aggregations (value may be 0).  key_size and
	 * value_size are the room there is.  1: a row was copied, 0: no more (outputs untouched).
	 */
	UH_SNAPSHOT_NEXT,
	/* u64 snapshot_close(handle): frees it.  Handles left open are closed when the run ends. */
	UH_SNAPSHOT_CLOSE,
	/* u64 var_clear(var): `delete array` and `delete scalar`: removes all rows, zeroes a scalar (all CPUs). */
	UH_VAR_CLEAR,
	/*
	 * u64 lock(), u64 unlock(): the lock of lang/kit_lock.c.  Handlers in the kernel wait for who holds it,
	 * so the holder runs with real-time priority where that is allowed.
	 */
	UH_LOCK,
	UH_UNLOCK,
	/*
	 * u64 take(var + 1, ...): up to five arrays, then 0.  Takes all their elements out of the kernel at once, under the lock: until
	 * take_end() the handler reads what was taken, and what it clears is that.  Where an error is not the end of all, as with MAXERRORS,
	 * nothing is taken and the lock is held until take_end().
	 */
	UH_TAKE,
	UH_TAKE_END,
	/* u64 hist_text(var, stat, dst, cap): the histogram of a merged statistic of var as text, cut to cap - 1 bytes, zero-padded. */
	UH_HIST_TEXT,
	/* u64 random(max): a random number below max, 0 when max is 0. */
	UH_RANDOM,
	/* u64 symbol(addr, what, dst, cap): a kernel address as text, see enum user_symbol; padded with zeroes. */
	UH_SYMBOL,
	/*
	 * The text that goes between a handler and who made it run (a file that is read or written, what was typed):
	 * u64 value_set(text, cap), value_add(text, cap): sets it, appends to it; cap bytes at text at most, to a NUL.
	 * u64 value_get(dst, cap): cut to cap - 1 bytes, zero-padded.
	 */
	UH_VALUE_SET,
	UH_VALUE_ADD,
	UH_VALUE_GET,
};

enum user_symbol { UH_SYMBOL_NAME, UH_SYMBOL_OFFSET, UH_SYMBOL_MODULE };

/*
 * How a snapshot is sorted: `by` UH_BY_NONE, UH_BY_VALUE or UH_BY_KEY; `which`: number of the key (from 0), or for
 * TYPE_STAT values one bit of enum stat_op (0: STAT_COUNT); `descending` 0 or 1.
 */
#define UH_SORT(by, which, descending) ((uint64_t)(by) | (uint64_t)(which) << 8 | (uint64_t)(descending) << 32)
#define UH_SORT_BY(s)		       ((s)&0xff)
#define UH_SORT_WHICH(s)	       (((s) >> 8) & 0xffffff)
#define UH_SORT_DESCENDING(s)	       (((s) >> 32) & 1)
enum user_sort { UH_BY_NONE, UH_BY_VALUE, UH_BY_KEY };
