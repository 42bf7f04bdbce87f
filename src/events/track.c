/* track.c - see track.h. */
#include "events/track.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "attach/sys.h"
#include "runtime/unwind_types.h"

#ifndef PERF_RECORD_MISC_MMAP_BUILD_ID
#define PERF_RECORD_MISC_MMAP_BUILD_ID (1 << 14)
#endif

enum {
	RING_PAGES = 16,
	MAX_RECORD = 8192,
	MAX_DEPTH = 16
};

static bool holds(const struct type *t, bool (*is_it)(const struct type *t), unsigned depth)
{
	if (!t || depth > MAX_DEPTH)
		return false;
	if (is_it(t))
		return true;
	if (t->kind == TYPE_TUPLE || t->kind == TYPE_RECORD)
		for (uint32_t i = 0; i < t->nfield; i++)
			if (holds(t->field[i].type, is_it, depth + 1))
				return true;
	return t->kind == TYPE_ARRAY && holds(t->elem, is_it, depth + 1);
}

static bool any_value(const struct program *p, bool (*is_it)(const struct type *t))
{
	vec_each(a, &p->action)
		if (holds((*a)->args, is_it, 0))
			return true;
	vec_each(v, &p->var)
		if (holds((*v)->key, is_it, 0) || holds((*v)->value, is_it, 0))
			return true;
	return false;
}

static bool names_process(const struct type *t)
{
	if (t->kind == TYPE_USTACK)
		return t->stack_mode != STACK_RAW && t->stack_mode != STACK_BUILD_ID;
	return t->kind == TYPE_USYM;
}

static bool is_address(const struct type *t)
{
	return t->kind == TYPE_USYM;
}

bool track_is_wanted(const struct program *p)
{
	return any_value(p, names_process);
}

bool track_names_alone(const struct program *p)
{
	return any_value(p, is_address);
}

/* --- /proc
 * ------------------------------------------------------------------------------------------------
 */

static void put_mmap(struct track *t, const struct mmap_entry *m, const char *path, size_t len, bool to_listener)
{
	char name[4096];

	if (len >= sizeof(name))
		return;
	memcpy(name, path, len);
	name[len] = '\0';
	queue_put(&t->queue, ENTRY_MMAP, m, sizeof(*m), name, len + 1);
	if (to_listener && t->listener)
		queue_put(t->listener, ENTRY_MMAP, m, sizeof(*m), name, len + 1);
}

/* "start-end perms offset dev inode   path" lines of /proc/PID/maps; only what can be executed. */
static void put_maps(struct track *t, uint32_t pid, const char *text)
{
	for (const char *line = text; *line;) {
		struct mmap_entry m = {.pid = pid};
		uint64_t end = 0;
		unsigned dev[2] = {0};
		char perms[5] = "";
		int path = 0;
		size_t n = strcspn(line, "\n");

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &m.addr,
			   &end, perms, &m.pgoff, &dev[0], &dev[1], &m.inode, &path) == 7 &&
		    path > 0 && (size_t)path < n && perms[2] == 'x' && end > m.addr) {
			m.len = end - m.addr;
			m.dev = makedev(dev[0], dev[1]);
			put_mmap(t, &m, line + path, n - (size_t)path, false);
		}
		line += n + (line[n] == '\n');
	}
}

static void read_process(struct track *t, uint32_t pid)
{
	_cleanup_free_ char *path = NULL, *text = NULL;

	if (!pid || numtab_get(&t->seen, pid))
		return;
	numtab_set(&t->seen, pid, t);
	path = xasprintf("/proc/%u/maps", pid);
	text = read_file(path, NULL);
	if (!text)
		return;
	queue_begin(&t->queue);
	put_maps(t, pid, text);
	queue_end(&t->queue);
}

void track_pid(struct track *t, uint32_t pid)
{
	pthread_mutex_lock(&t->lock);
	read_process(t, pid);
	pthread_mutex_unlock(&t->lock);
}

static void list_processes(struct track *t)
{
	DIR *dir = opendir("/proc");
	const struct dirent *d;

	while (dir && (d = readdir(dir))) {
		unsigned long pid = strtoul(d->d_name, NULL, 10);

		if (pid && pid <= UINT32_MAX)
			vec_push(&t->todo, (uint32_t)pid);
	}
	if (dir)
		closedir(dir);
}

/* --- perf records (include/uapi/linux/perf_event.h); each ends with its time
 * ---------------------------- */

struct mmap2_record {
	struct perf_event_header head;
	uint32_t pid, tid;
	uint64_t addr, len, pgoff;
	union {
		uint8_t file[24]; /* its build-id, with MISC_MMAP_BUILD_ID */
		struct {
			uint32_t major, minor;
			uint64_t inode, generation;
		};
	};
	uint32_t prot, flags;
	char path[];
};
struct task_record { /* fork and exit: pid, parent; comm: pid, tid */
	struct perf_event_header head;
	uint32_t pid, other;
};

/* A record with its time, for putting those of all CPUs in order. */
struct timed {
	uint64_t time;
	size_t at, len; /* in the buffer */
};

/* Some process that shares its bit may have been met: this one is kept then, too. */
static bool may_be_met(const struct track *t, uint32_t pid)
{
	return !t->met || t->met[pid / 64 & (UW_MET_WORDS - 1)] >> (pid & 63) & 1;
}

/* Nothing will be asked about a process that no program has met. */
static void put_exit(struct track *t, uint32_t pid, uint32_t parent)
{
	uint32_t pair[2] = {pid, parent};

	if (!may_be_met(t, pid))
		queue_put(&t->queue, ENTRY_EXIT, pair, sizeof(pair), NULL, 0);
	if (t->listener)
		queue_put(t->listener, ENTRY_EXIT, pair, sizeof(pair), NULL, 0);
	numtab_set(&t->seen, pid, NULL);
}

/* The exit of a process's first thread: pid, parent, tid. */
static bool is_whole_exit(const uint8_t *p, size_t n)
{
	uint32_t id[3];

	if (n < sizeof(struct perf_event_header) + sizeof(id))
		return false;
	memcpy(id, p + sizeof(struct perf_event_header), sizeof(id));
	return id[0] == id[2];
}

/* n > sizeof(struct mmap2_record) */
static void put_mmap2(struct track *t, const uint8_t *p, size_t n)
{
	const char *path = (const char *)p + sizeof(struct mmap2_record);
	struct mmap2_record m;

	memcpy(&m, p, sizeof(m));
	struct mmap_entry e = {.addr = m.addr, .len = m.len, .pgoff = m.pgoff, .pid = m.pid};
	if (m.head.misc & PERF_RECORD_MISC_MMAP_BUILD_ID && m.file[0] <= sizeof(e.build_id)) {
		e.build_id_len = m.file[0];
		memcpy(e.build_id, m.file + 4, sizeof(e.build_id));
	} else {
		e.dev = makedev(m.major, m.minor);
		e.inode = m.inode;
	}
	put_mmap(t, &e, path, strnlen(path, n - sizeof(m)), true);
}

static void put_record(struct track *t, const uint8_t *p, size_t n)
{
	const struct perf_event_header *head = (const struct perf_event_header *)p;
	struct task_record task;

	if (head->type == PERF_RECORD_MMAP2 && n > sizeof(struct mmap2_record)) {
		put_mmap2(t, p, n);
		return;
	}
	if (n < sizeof(task))
		return;
	memcpy(&task, p, sizeof(task));
	if (head->type == PERF_RECORD_FORK && task.pid != task.other) {
		uint32_t pair[2] = {task.other, task.pid};

		queue_put(&t->queue, ENTRY_FORK, pair, sizeof(pair), NULL, 0); /* who unwinds finds the parent by itself */
		numtab_set(&t->seen, task.pid, t);
	} else if (head->type == PERF_RECORD_COMM && (head->misc & PERF_RECORD_MISC_COMM_EXEC)) {
		queue_put(&t->queue, ENTRY_EXEC, &task.pid, sizeof(task.pid), NULL, 0);
		if (t->listener)
			queue_put(t->listener, ENTRY_EXEC, &task.pid, sizeof(task.pid), NULL, 0);
		numtab_set(&t->seen, task.pid, t);
	} else if (head->type == PERF_RECORD_EXIT && is_whole_exit(p, n)) {
		put_exit(t, task.pid, task.other);
	}
}

/* Copies n bytes at position `at` of a ring that wraps. */
static void ring_copy(const uint8_t *data, size_t size, uint64_t at, uint8_t *dst, size_t n)
{
	size_t from = at & (size - 1), first = MIN(n, size - from);

	memcpy(dst, data + from, first);
	memcpy(dst + first, data, n - first);
}

typedef VEC(struct timed) timed_list;

static void read_cpu(struct track *t, struct track_cpu *c, struct buf *bytes, timed_list *list)
{
	struct perf_event_mmap_page *pos = (struct perf_event_mmap_page *)c->mem;
	const uint8_t *data = c->mem + t->page;
	size_t size = RING_PAGES * t->page;
	uint64_t end = __atomic_load_n(&pos->data_head, __ATOMIC_ACQUIRE), at = pos->data_tail;
	uint8_t rec[MAX_RECORD];

	while (at < end) {
		struct perf_event_header head;
		struct timed one = {.at = bytes->len};

		ring_copy(data, size, at, (uint8_t *)&head, sizeof(head));
		if (head.size < sizeof(head) + 8 || head.size > end - at)
			break;
		if (head.type == PERF_RECORD_LOST)
			t->lost++;
		if (head.size <= sizeof(rec)) {
			ring_copy(data, size, at, rec, head.size);
			memcpy(&one.time, rec + head.size - 8, 8);
			one.len = head.size - 8u;
			buf_add(bytes, rec, ALIGN_UP((size_t)head.size, (size_t)8));
			vec_push(list, one);
		}
		at += head.size;
	}
	__atomic_store_n(&pos->data_tail, end, __ATOMIC_RELEASE);
}

static int by_time(const void *x, const void *y)
{
	const struct timed *a = x, *b = y;

	return a->time != b->time ? (a->time > b->time) - (a->time < b->time)
				  : (a->at > b->at) - (a->at < b->at);
}

static void read_rings(struct track *t)
{
	struct buf bytes = {0};
	timed_list list = {0};

	vec_each(c, &t->cpus)
		read_cpu(t, c, &bytes, &list);
	if (list.len) {
		qsort(list.at, list.len, sizeof(list.at[0]), by_time);
		queue_begin(&t->queue);
		if (t->listener)
			queue_begin(t->listener);
		vec_each(one, &list)
			put_record(t, (const uint8_t *)bytes.data + one->at, one->len);
		if (t->listener)
			queue_end(t->listener);
		queue_end(&t->queue);
	}
	vec_free(&list);
	buf_free(&bytes);
}

bool track_step(struct track *t)
{
	bool more;

	pthread_mutex_lock(&t->lock);
	read_rings(t);
	if (t->todo.len)
		read_process(t, vec_pop(&t->todo));
	more = t->todo.len != 0;
	pthread_mutex_unlock(&t->lock);
	return more;
}

void track_poll(struct track *t)
{
	pthread_mutex_lock(&t->lock);
	read_rings(t);
	pthread_mutex_unlock(&t->lock);
}

void track_listen(struct track *t, struct queue *q, const uint64_t *met)
{
	pthread_mutex_lock(&t->lock);
	t->listener = q;
	t->met = met;
	t->is_polled = q != NULL;
	pthread_mutex_unlock(&t->lock);
}

/* --- opening
 * -----------------------------------------------------------------------------------------------
 */

/* With the build-ids of files where the kernel tells them (5.12). */
static int open_event(struct perf_event_attr *attr, int cpu)
{
	int fd;

	attr->build_id = 1;
	fd = sys_perf_open(attr, -1, cpu, -1, 0);
	if (fd >= 0)
		return fd;
	attr->build_id = 0;
	return sys_perf_open(attr, -1, cpu, -1, 0);
}

static bool open_cpu(struct track *t, int cpu, bool is_mmap, uint32_t watermark)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .config = PERF_COUNT_SW_DUMMY,
				       .sample_period = 1,
				       .sample_type = PERF_SAMPLE_TIME,
				       .sample_id_all = 1,
				       .mmap = is_mmap,
				       .mmap2 = is_mmap,
				       .task = !is_mmap,
				       .comm = !is_mmap,
				       .comm_exec = !is_mmap,
				       .watermark = 1,
				       .wakeup_watermark = watermark};
	struct track_cpu c = {.fd = open_event(&attr, cpu)};

	if (c.fd < 0)
		return false;
	c.mem = mmap(NULL, (RING_PAGES + 1) * t->page, PROT_READ | PROT_WRITE, MAP_SHARED, c.fd, 0);
	if (c.mem == MAP_FAILED) {
		close(c.fd);
		return false;
	}
	vec_push(&t->cpus, c);
	return true;
}

/*
 * Rings of their own for mappings: they may be worth waking up for one by one; forks and exits are not.  Some processors
 * may be off-line: their events cannot be opened.
 */
static void open_cpus(struct track *t, bool is_listened)
{
	long ncpus = sysconf(_SC_NPROCESSORS_CONF);
	uint32_t half = (uint32_t)(RING_PAGES * t->page / 2);

	for (int cpu = 0; cpu < ncpus; cpu++) {
		(void)open_cpu(t, cpu, true, is_listened ? 1 : half);
		(void)open_cpu(t, cpu, false, half);
	}
}

static void close_cpus(struct track *t)
{
	vec_each(c, &t->cpus) {
		munmap(c->mem, (RING_PAGES + 1) * t->page);
		close(c->fd);
	}
	t->cpus.len = 0;
}

struct err *track_open(struct track *t, bool is_listened)
{
	struct err *e;

	*t = (struct track){.page = (size_t)sysconf(_SC_PAGESIZE)};
	e = queue_init(&t->queue, SIZE_MAX);
	pthread_mutex_init(&t->lock, NULL);
	t->has_lock = true;
	if (e)
		return e;
	open_cpus(t, is_listened);
	list_processes(t);
	return NULL;
}

void track_close(struct track *t)
{
	if (!t->has_lock)
		return;
	close_cpus(t);
	vec_free(&t->cpus);
	vec_free(&t->todo);
	numtab_free(&t->seen);
	queue_destroy(&t->queue);
	pthread_mutex_destroy(&t->lock);
	t->has_lock = false;
}

/* --- telling the symbolizer
 * --------------------------------------------------------------------------------- */

static void apply_mmap(struct usyms *u, const struct entry *e)
{
	struct mmap_entry m;

	memcpy(&m, e->data, sizeof(m));
	struct file_id id = {.dev = m.dev, .inode = m.inode, .build_id_len = m.build_id_len};
	memcpy(id.build_id, m.build_id, sizeof(id.build_id));
	usyms_mmap(u, m.pid, m.addr, m.len, m.pgoff, (const char *)e->data + sizeof(m), &id);
}

static void apply(struct usyms *u, const struct entry *e)
{
	uint32_t pid[2] = {0};

	memcpy(pid, e->data, MIN((size_t)e->size, sizeof(pid)));
	switch ((enum entry_kind)e->kind) {
	case ENTRY_MMAP: apply_mmap(u, e); break;
	case ENTRY_FORK: usyms_fork(u, pid[0], pid[1]); break;
	case ENTRY_EXEC: usyms_pid_exec(u, pid[0]); break;
	case ENTRY_EXIT: usyms_forget(u, pid[0]); break;
	case ENTRY_RECORD: break;
	}
}

void track_apply(struct track *t, struct usyms *u)
{
	struct chunk *c;

	pthread_mutex_lock(&t->lock);
	read_rings(t);
	pthread_mutex_unlock(&t->lock);
	for (c = queue_take(&t->queue); c;) {
		struct chunk *next = c->next;

		for (const struct entry *e = chunk_next(c, NULL); e; e = chunk_next(c, e))
			apply(u, e);
		queue_give_back(&t->queue, c);
		c = next;
	}
}
