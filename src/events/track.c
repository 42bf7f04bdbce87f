/* track.c - see track.h. */
#include "events/track.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach/sys.h"

enum {
	RING_PAGES = 16,
	MAX_RECORD = 8192,
	MAX_DEPTH = 16
};

static bool names_process(const struct type *t, unsigned depth)
{
	if (!t)
		return false;
	if (t->kind == TYPE_USTACK)
		return t->stack_mode != STACK_RAW && t->stack_mode != STACK_BUILD_ID;
	if (t->kind == TYPE_USYM)
		return true;
	if (depth < MAX_DEPTH && (t->kind == TYPE_TUPLE || t->kind == TYPE_RECORD))
		for (uint32_t i = 0; i < t->nfield; i++)
			if (names_process(t->field[i].type, depth + 1))
				return true;
	return t->kind == TYPE_ARRAY && depth < MAX_DEPTH && names_process(t->elem, depth + 1);
}

bool track_is_wanted(const struct program *p)
{
	vec_each(a, &p->action)
		if (names_process((*a)->args, 0))
			return true;
	vec_each(v, &p->var)
		if (names_process((*v)->key, 0) || names_process((*v)->value, 0))
			return true;
	return false;
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
		char perms[5] = "";
		int path = 0;
		size_t n = strcspn(line, "\n");

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &m.addr,
			   &end, perms, &m.pgoff, &path) == 4 &&
		    path > 0 && (size_t)path < n && perms[2] == 'x' && end > m.addr) {
			m.len = end - m.addr;
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
	uint8_t file[24];
	uint32_t prot, flags;
	char path[];
};
struct task_record { /* fork: pid, parent; comm: pid, tid */
	struct perf_event_header head;
	uint32_t pid, other;
};

/* A record with its time, for putting those of all CPUs in order. */
struct timed {
	uint64_t time;
	size_t at, len; /* in the buffer */
};

static void put_task(struct track *t, enum entry_kind kind, const uint32_t *pid, size_t n)
{
	queue_put(&t->queue, kind, pid, n, NULL, 0);
	if (t->listener)
		queue_put(t->listener, kind, pid, n, NULL, 0);
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

static void put_record(struct track *t, const uint8_t *p, size_t n)
{
	const struct perf_event_header *head = (const struct perf_event_header *)p;
	struct mmap2_record m;
	struct task_record task;

	if (head->type == PERF_RECORD_MMAP2 && n > sizeof(m)) {
		memcpy(&m, p, sizeof(m));
		put_mmap(t,
			 &(struct mmap_entry){
				 .addr = m.addr, .len = m.len, .pgoff = m.pgoff, .pid = m.pid},
			 (const char *)p + sizeof(m),
			 strnlen((const char *)p + sizeof(m), n - sizeof(m)), true);
		return;
	}
	if (n < sizeof(task))
		return;
	memcpy(&task, p, sizeof(task));
	if (head->type == PERF_RECORD_FORK && task.pid != task.other) {
		uint32_t pair[2] = {task.other, task.pid};

		put_task(t, ENTRY_FORK, pair, sizeof(pair));
		numtab_set(&t->seen, task.pid, t);
	} else if (head->type == PERF_RECORD_COMM && (head->misc & PERF_RECORD_MISC_COMM_EXEC)) {
		put_task(t, ENTRY_EXEC, &task.pid, sizeof(task.pid));
		numtab_set(&t->seen, task.pid, t);
	} else if (head->type == PERF_RECORD_EXIT && t->listener && is_whole_exit(p, n)) {
		queue_put(t->listener, ENTRY_EXIT, &task.pid, sizeof(task.pid), NULL, 0);
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

void track_listen(struct track *t, struct queue *q)
{
	pthread_mutex_lock(&t->lock);
	t->listener = q;
	pthread_mutex_unlock(&t->lock);
}

/* --- opening
 * -----------------------------------------------------------------------------------------------
 */

static bool open_cpu(struct track *t, int cpu)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .config = PERF_COUNT_SW_DUMMY,
				       .sample_period = 1,
				       .sample_type = PERF_SAMPLE_TIME,
				       .sample_id_all = 1,
				       .mmap = 1,
				       .mmap2 = 1,
				       .task = 1,
				       .comm = 1,
				       .comm_exec = 1,
				       .watermark = 1,
				       .wakeup_watermark = (uint32_t)(RING_PAGES * t->page / 2)};
	struct track_cpu c = {.fd = sys_perf_open(&attr, -1, cpu, -1, 0)};

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

struct err *track_open(struct track *t)
{
	long ncpus = sysconf(_SC_NPROCESSORS_CONF);
	struct err *e;

	*t = (struct track){.page = (size_t)sysconf(_SC_PAGESIZE)};
	e = queue_init(&t->queue, SIZE_MAX);
	pthread_mutex_init(&t->lock, NULL);
	t->has_lock = true;
	if (e)
		return e;
	for (int cpu = 0; cpu < ncpus;
	     cpu++) /* some may be off-line: their events cannot be opened */
		(void)open_cpu(t, cpu);
	list_processes(t);
	return NULL;
}

void track_close(struct track *t)
{
	if (!t->has_lock)
		return;
	vec_each(c, &t->cpus) {
		munmap(c->mem, (RING_PAGES + 1) * t->page);
		close(c->fd);
	}
	vec_free(&t->cpus);
	vec_free(&t->todo);
	numtab_free(&t->seen);
	queue_destroy(&t->queue);
	pthread_mutex_destroy(&t->lock);
	t->has_lock = false;
}

/* --- telling the symbolizer
 * --------------------------------------------------------------------------------- */

static void apply(struct usyms *u, const struct entry *e)
{
	uint32_t pid[2] = {0};
	struct mmap_entry m;

	memcpy(pid, e->data, MIN((size_t)e->size, sizeof(pid)));
	switch ((enum entry_kind)e->kind) {
	case ENTRY_MMAP:
		memcpy(&m, e->data, sizeof(m));
		usyms_mmap(u, m.pid, m.addr, m.len, m.pgoff, (const char *)e->data + sizeof(m));
		break;
	case ENTRY_FORK: usyms_fork(u, pid[0], pid[1]); break;
	case ENTRY_EXEC: usyms_pid_exec(u, pid[0]); break;
	case ENTRY_EXIT:
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
