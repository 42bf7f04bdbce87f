/* unwind_proc.c - see unwind_proc.h. */
#include "events/unwind_proc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach/sys.h"
#include "events/queue.h"

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

/* Takes the reference to r's file. */
static void put_region(struct uw_processes *p, struct uw_process *q, struct uw_region r)
{
	unmap(p, q, r.start, r.end);
	insert_region(q, lower_bound(q, r.start), r);
	mark(p, q);
}

/* known: the file, when it need not be opened, with a reference; NULL. */
static void add_region(struct uw_processes *p, struct uw_process *q, struct uw_region r, struct uw_file *known,
		       const char *path)
{
	r.file = known ? known : open_mapped(p, q->tgid, &r, path);
	put_region(p, q, r);
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

static void list_unref(struct uw_processes *p, struct uw_list *l)
{
	if (!l || --l->refs)
		return;
	uw_space_free(p->space, l->range);
	free(l);
}

typedef VEC(struct uw_map) map_list;

static void add_map(map_list *out, struct uw_map m)
{
	if (m.start < m.end && out->len < UW_MAPS_MAX)
		vec_push(out, m);
}

/* The pieces of the table that this region shows, and code without tables between them. */
static void maps_of(const struct uw_region *r, map_list *out)
{
	uint64_t at = r->start;

	for (size_t i = 0; r->file && i < r->file->segment.len; i++) {
		const struct cfi_segment *s = &r->file->segment.at[i];
		uint64_t bias = r->start - r->offset + s->offset - s->vaddr; /* modulo 2^64 */
		uint64_t begin = MAX(r->start, bias + s->vaddr),
			 end = MIN(r->end, bias + s->vaddr + s->size);

		if (r->offset + (r->end - r->start) <= s->offset ||
		    r->offset >= s->offset + s->size)
			continue;
		vec_each(p, &r->file->piece) {
			struct uw_map m = {.start = MAX(MAX(begin, at), bias + p->begin),
					   .end = MIN(end, bias + p->end),
					   .base = bias + p->base,
					   .table = p->range.at,
					   .seg = (uint16_t)p->range.seg};

			if (p->end <= s->vaddr || p->begin >= s->vaddr + s->size ||
			    m.start >= m.end)
				continue;
			add_map(out,
				(struct uw_map){.start = at, .end = m.start, .kind = UW_MAP_FP});
			add_map(out, m);
			at = m.end;
		}
	}
	add_map(out, (struct uw_map){.start = at, .end = r->end, .kind = UW_MAP_FP});
}

static struct uw_list *make_list(struct uw_processes *p, const struct uw_process *q)
{
	struct uw_list *l = NULL;
	struct uw_range range;
	map_list maps = {0};

	vec_each(r, &q->region)
		maps_of(r, &maps);
	range = uw_space_alloc(p->space,
			       (uint32_t)(MAX(maps.len, (size_t)1) * sizeof(struct uw_map) / 4));
	if (range.words) {
		if (maps.len)
			memcpy(uw_space_words(p->space, range), maps.at,
			       maps.len * sizeof(*maps.at));
		l = xcalloc(1, sizeof(*l));
		*l = (struct uw_list){.range = range, .n = (uint32_t)maps.len, .refs = 1};
	}
	vec_free(&maps);
	return l;
}

static void tell(const struct uw_processes *p, const struct uw_process *q)
{
	struct uw_proc v = {.end_code = q->end_code, .start_stack = q->start_stack};

	if (q->list) {
		v.seg = q->list->range.seg;
		v.first = q->list->range.at;
		v.nmaps = q->list->n;
		v.is_ready = 1;
	}
	(void)sys_map_update(p->map_fd, &q->tgid, &v,
			     0); /* full: this process goes on by frame pointers */
}

static void publish(struct uw_processes *p, struct uw_process *q)
{
	struct uw_list *old = q->list;

	q->is_changed = false;
	if (q->unknown.len)
		return;
	q->list = make_list(p, q);
	tell(p, q);
	list_unref(p, old);
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

static void drop_unknown(struct uw_process *q)
{
	vec_each(path, &q->unknown)
		free(*path);
	q->unknown.len = 0;
}

static void free_process(struct uw_processes *p, struct uw_process *q)
{
	drop_regions(p, q);
	drop_unknown(q);
	vec_free(&q->unknown);
	vec_free(&q->region);
	list_unref(p, q->list);
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

void uw_process_exit(struct uw_processes *p, uint32_t tgid)
{
	struct uw_process *q = uw_process_find(p, tgid);

	if (q && q->unknown.len && is_met(p, tgid))
		vec_each(path, &q->unknown)
			uw_files_unref(p->files, try_open(p, *path));
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

	return q && (q->list || q->is_changed) && has_same_mm(q);
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
		unsigned major, minor;
		uint64_t inode;
		int at = 0;

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		any = true;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &r.start,
			   &r.end, perms, &r.offset, &major, &minor, &inode, &at) == 7 &&
		    at > 0 && perms[2] == 'x' && r.start < r.end)
			add_region(p, q, r, uw_files_mapped(p->files, major, minor, inode), line + at);
	}
	return any;
}

void uw_process_read(struct uw_processes *p, uint32_t tgid)
{
	struct uw_process *q = get(p, tgid);
	bool is_there = false;

	q->is_told = false;
	drop_unknown(q);

	for (int tries = 0; tries < 3; tries++) { /* it may call execve() meanwhile */
		read_mm(tgid, &q->end_code, &q->start_stack);
		is_there = read_maps(p, q);
		if (!is_there || has_same_mm(q))
			break;
	}
	if (is_there)
		mark(p, q);
	else
		uw_process_forget(p, tgid);
}

void uw_process_exec(struct uw_processes *p, uint32_t tgid)
{
	struct uw_process *q = uw_process_find(p, tgid);

	if (q && !q->is_told && has_same_mm(q))
		return;
	uw_process_forget(p, tgid);
	if (p->is_eager)
		get(p, tgid)->is_told = true;
}

/* What the kernel will call the end of the code, of the program that this is the first mapping of. */
static uint64_t end_of_code(const struct uw_region *r)
{
	uint64_t end = 0, bias = 0;

	if (!r->file)
		return 0;
	vec_each(s, &r->file->segment) {
		end = MAX(end, s->vaddr + s->size);
		if (r->offset <= s->offset && s->offset - r->offset < r->end - r->start)
			bias = r->start - r->offset + s->offset - s->vaddr; /* modulo 2^64 */
	}
	return end ? bias + end : 0;
}

/* A mapping of a process that is followed since its exec.  false: a file that is not known. */
static bool add_told(struct uw_processes *p, struct uw_process *q, struct uw_region r, const struct mmap_entry *m,
		     const char *path)
{
	if (!strcmp(path, "[vdso]"))
		r.file = uw_files_vdso(p->files);
	else if (*path == '/' && strncmp(path, "//", 2) != 0) {
		r.file = uw_files_known(p->files, m->build_id, m->build_id_len);
		if (!r.file && q->list) /* it runs, and loads something new: to be read when it is met again */
			return false;
		if (!r.file)
			vec_push(&q->unknown, xstrdup(path));
	}
	if (!q->region.len)
		q->end_code = end_of_code(&r);
	put_region(p, q, r);
	return q->end_code != 0 || q->unknown.len;
}

void uw_process_mmap(struct uw_processes *p, const struct mmap_entry *m, const char *path)
{
	struct uw_process *q = uw_process_find(p, m->pid);
	struct uw_region r = {.start = m->addr, .end = m->addr + m->len, .offset = m->pgoff};

	if (!q || r.start >= r.end)
		return;
	size_t i = lower_bound(q, r.start);
	/* known already from /proc: records of that time are still to come */
	if (i < q->region.len && q->region.at[i].start == r.start && q->region.at[i].end == r.end &&
	    q->region.at[i].offset == r.offset && q->region.at[i].file)
		return;
	if (!q->is_told)
		add_region(p, q, r, uw_files_known(p->files, m->build_id, m->build_id_len), path);
	else if (!add_told(p, q, r, m, path))
		uw_process_forget(p, m->pid); /* read when it is met */
}

void uw_process_fork(struct uw_processes *p, uint32_t parent, uint32_t child)
{
	struct uw_process *from = uw_process_find(p, parent), *to;

	if (!from || from->unknown.len || parent == child)
		return;
	if (from->is_changed)
		publish(p, from);
	if (uw_process_find(p, child)) /* read since: it knows more */
		return;
	to = get(p, child);
	to->end_code = from->end_code;
	to->start_stack = from->start_stack;
	to->is_told = true; /* what it does later than this is news */
	vec_each(r, &from->region) {
		if (r->file)
			r->file->refs++;
		vec_push(&to->region, *r);
	}
	to->list = from->list;
	if (to->list)
		to->list->refs++;
	tell(p, to);
}
