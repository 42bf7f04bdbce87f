/* unwind_proc.c - see unwind_proc.h. */
#include "events/unwind_proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach/sys.h"
#include "events/queue.h"

enum {
	MAPPED_MAX = 64
};

/* --- files behind mappings
 * --------------------------------------------------------------------------------- */

static struct uw_file *try_open(struct uw_processes *p, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 ? uw_files_open(p->files, fd) : NULL;
}

/* Through the mapping itself: right in any mount namespace, and for deleted files.  Else by path,
 * as the process sees it. */
static struct uw_file *open_mapped(struct uw_processes *p, uint32_t tgid, const struct uw_region *r,
				   const char *path)
{
	struct uw_file *f;
	char link[128];

	if (!strcmp(path, "[vdso]"))
		return uw_files_vdso(p->files);
	if (*path != '/' || !strncmp(path, "//", 2))
		return NULL;
	snprintf(link, sizeof(link), "/proc/%u/map_files/%" PRIx64 "-%" PRIx64, tgid, r->start,
		 r->end);
	f = try_open(p, link);
	if (f)
		return f;
	_cleanup_free_ char *rooted = xasprintf("/proc/%u/root%s", tgid, path);
	f = try_open(p, rooted);
	return f ? f : try_open(p, path);
}

/* --- regions
 * -----------------------------------------------------------------------------------------------
 */

static size_t lower_bound(const struct uw_process *q, uint64_t addr)
{
	size_t low = 0, high = q->region.len;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (q->region.at[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void insert_region(struct uw_process *q, size_t i, struct uw_region r)
{
	vec_push(&q->region, r);
	memmove(&q->region.at[i + 1], &q->region.at[i], (q->region.len - 1 - i) * sizeof(r));
	q->region.at[i] = r;
}

/* Takes [start, end) out of what is mapped. */
static void unmap(struct uw_processes *p, struct uw_process *q, uint64_t start, uint64_t end)
{
	size_t i = lower_bound(q, start);

	while (i < q->region.len && q->region.at[i].start < end) {
		struct uw_region *r = &q->region.at[i], right = *r;

		if (r->start < start && r->end > end) { /* a hole: the right part is one more */
			r->end = start;
			right.offset += end - right.start;
			right.start = end;
			if (right.file)
				right.file->refs++;
			insert_region(q, i + 1, right);
			return;
		}
		if (r->start < start) {
			r->end = start;
			i++;
		} else if (r->end > end) {
			r->offset += end - r->start;
			r->start = end;
			i++;
		} else {
			uw_files_unref(p->files, r->file);
			memmove(r, r + 1, (q->region.len - i - 1) * sizeof(*r));
			q->region.len--;
		}
	}
}

static void mark(struct uw_processes *p, struct uw_process *q)
{
	if (!q->is_changed)
		vec_push(&p->changed, q->tgid);
	q->is_changed = true;
}

/* known: the file, when it need not be opened, with a reference; NULL. */
static void add_region(struct uw_processes *p, struct uw_process *q, struct uw_region r, struct uw_file *known,
		       const char *path)
{
	r.file = known ? known : open_mapped(p, q->tgid, &r, path);
	unmap(p, q, r.start, r.end);
	insert_region(q, lower_bound(q, r.start), r);
	mark(p, q);
}

static void drop_regions(struct uw_processes *p, struct uw_process *q)
{
	vec_each(r, &q->region)
		uw_files_unref(p->files, r->file);
	q->region.len = 0;
}

/* --- lists
 * -------------------------------------------------------------------------------------------------
 */

static void make_list(struct uw_processes *p, struct uw_process *q)
{
	uw_map_list maps = {0};

	vec_each(r, &q->region)
		uw_file_maps(r->file, r->start, r->end, r->offset, &maps);
	q->list = uw_space_alloc(p->space, (uint32_t)(MAX(maps.len, (size_t)1) * sizeof(struct uw_map) / 4));
	q->nmaps = q->list.words ? (uint32_t)maps.len : 0;
	if (q->nmaps)
		memcpy(uw_space_words(p->space, q->list), maps.at, maps.len * sizeof(*maps.at));
	vec_free(&maps);
}

static void publish(struct uw_processes *p, struct uw_process *q)
{
	struct uw_range old = q->list;

	q->is_changed = false;
	make_list(p, q);
	struct uw_proc v = {.end_code = q->end_code,
			    .start_stack = q->start_stack,
			    .seg = q->list.seg,
			    .first = q->list.at,
			    .nmaps = q->nmaps,
			    .is_ready = q->list.words != 0};
	(void)sys_map_update(p->map_fd, &q->tgid, &v, 0); /* full: it is looked up in the kernel for ever */
	uw_space_free(p->space, old);
}

void uw_processes_publish(struct uw_processes *p)
{
	vec_each(tgid, &p->changed) {
		struct uw_process *q = uw_process_find(p, *tgid);

		if (q && q->is_changed)
			publish(p, q);
	}
	p->changed.len = 0;
}

/* --- processes
 * --------------------------------------------------------------------------------------------- */

struct uw_process *uw_process_find(const struct uw_processes *p, uint32_t tgid)
{
	return numtab_get(&p->by_tgid, tgid);
}

static struct uw_process *get(struct uw_processes *p, uint32_t tgid)
{
	struct uw_process *q = uw_process_find(p, tgid);

	if (!q) {
		q = xcalloc(1, sizeof(*q));
		q->tgid = tgid;
		numtab_set(&p->by_tgid, tgid, q);
	}
	return q;
}

static void drop_mapped(struct uw_process *q)
{
	vec_each(path, &q->mapped)
		free(*path);
	q->mapped.len = 0;
}

static void free_process(struct uw_processes *p, struct uw_process *q)
{
	drop_regions(p, q);
	drop_mapped(q);
	vec_free(&q->mapped);
	vec_free(&q->region);
	uw_space_free(p->space, q->list);
	free(q);
}

void uw_process_forget(struct uw_processes *p, uint32_t tgid)
{
	struct uw_process *q = uw_process_find(p, tgid);

	(void)sys_map_delete(p->map_fd, &tgid);
	if (!q)
		return;
	numtab_set(&p->by_tgid, tgid, NULL);
	free_process(p, q);
}

static bool is_met(const struct uw_processes *p, uint32_t tgid)
{
	return p->met && p->met[tgid / 64 & (UW_MET_WORDS - 1)] >> (tgid & 63) & 1;
}

/*
 * What it has mapped ends now.  If a program met it, or a child of it, those files are read that are not known yet, for the next
 * one that maps them: by path, as `seer` sees it, a process that most likely sees the same files.
 */
static void read_mapped(struct uw_processes *p, const struct uw_process *q, uint32_t seer)
{
	if (!q || !q->mapped.len || !is_met(p, q->tgid))
		return;
	vec_each(path, &q->mapped) {
		_cleanup_free_ char *rooted = xasprintf("/proc/%u/root%s", seer, *path);
		struct uw_file *f = try_open(p, rooted);

		uw_files_unref(p->files, f ? f : try_open(p, *path));
	}
}

void uw_process_exit(struct uw_processes *p, uint32_t tgid, uint32_t parent)
{
	read_mapped(p, uw_process_find(p, tgid), parent);
	uw_process_forget(p, tgid);
}

void uw_processes_destroy(struct uw_processes *p)
{
	vec_each(e, &p->by_tgid.entry)
		if (e->value)
			free_process(p, e->value);
	numtab_free(&p->by_tgid);
	vec_free(&p->changed);
}

/* What execve() changes: fields 28 (start_stack) and 27 (end_code) of /proc/PID/stat, see proc(5);
 * 0: not to be had. */
static void read_mm(uint32_t tgid, uint64_t *end_code, uint64_t *start_stack)
{
	char path[64];

	*end_code = *start_stack = 0;
	snprintf(path, sizeof(path), "/proc/%u/stat", tgid);
	_cleanup_free_ char *text = read_file(path, NULL);
	const char *at = text ? strrchr(text, ')') : NULL;
	if (!at ||
	    sscanf(at,
		   ") %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
		   "%*s %*s %" SCNu64 " %" SCNu64,
		   end_code, start_stack) != 2)
		*end_code = *start_stack = 0;
}

static bool has_same_mm(const struct uw_process *q)
{
	uint64_t code, stack;

	read_mm(q->tgid, &code, &stack);
	return q->start_stack && code == q->end_code && stack == q->start_stack;
}

bool uw_process_is_current(const struct uw_processes *p, uint32_t tgid)
{
	const struct uw_process *q = uw_process_find(p, tgid);

	return q && q->is_read && has_same_mm(q);
}

static bool read_maps(struct uw_processes *p, struct uw_process *q)
{
	char path[64];
	bool any = false;

	snprintf(path, sizeof(path), "/proc/%u/maps", q->tgid);
	_cleanup_free_ char *text = read_file(path, NULL);
	drop_regions(p, q);
	for (char *line = text, *next; line && *line; line = next) {
		struct uw_region r = {.file = NULL};
		char perms[5] = "";
		int at = 0;

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		any = true;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &r.start, &r.end, perms,
			   &r.offset, &at) == 4 &&
		    at > 0 && perms[2] == 'x' && r.start < r.end)
			add_region(p, q, r, NULL, line + at);
	}
	return any;
}

void uw_process_read(struct uw_processes *p, uint32_t tgid)
{
	struct uw_process *q = get(p, tgid);
	bool is_there = false;

	for (int tries = 0; tries < 3; tries++) { /* it may call execve() meanwhile */
		read_mm(tgid, &q->end_code, &q->start_stack);
		is_there = read_maps(p, q);
		if (!is_there || has_same_mm(q))
			break;
	}
	if (!is_there) { /* its end will be told */
		if (!q->mapped.len)
			uw_process_forget(p, tgid);
		return;
	}
	q->is_read = true;
	drop_mapped(q);
	mark(p, q);
}

void uw_process_exec(struct uw_processes *p, uint32_t tgid)
{
	const struct uw_process *q = uw_process_find(p, tgid);

	if (q && q->is_read && has_same_mm(q))
		return;
	read_mapped(p, q, tgid);
	uw_process_forget(p, tgid);
}

/* Of a process that nobody has asked for. */
static void note_mapped(struct uw_processes *p, const struct mmap_entry *m, const char *path)
{
	if (*path != '/' || !strncmp(path, "//", 2))
		return;
	struct uw_process *q = get(p, m->pid);
	if (q->mapped.len < MAPPED_MAX)
		vec_push(&q->mapped, xstrdup(path));
}

void uw_process_mmap(struct uw_processes *p, const struct mmap_entry *m, const char *path)
{
	struct uw_process *q = uw_process_find(p, m->pid);
	struct uw_region r = {.start = m->addr, .end = m->addr + m->len, .offset = m->pgoff};

	if (r.start >= r.end)
		return;
	if (!q || !q->is_read) {
		note_mapped(p, m, path);
		return;
	}
	size_t i = lower_bound(q, r.start);
	/* known already from /proc: records of that time are still to come */
	if (i < q->region.len && q->region.at[i].start == r.start && q->region.at[i].end == r.end &&
	    q->region.at[i].offset == r.offset && q->region.at[i].file)
		return;
	add_region(p, q, r, uw_files_known(p->files, m->build_id, m->build_id_len), path);
}
