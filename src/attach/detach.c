/*
 * detach.c - closing many links in little time.
 *
 * Closing a link waits until no CPU runs its program any more, so a thousand links take a thousand waits: many threads wait at the same time.
 * Closing the event of a tracepoint waits once more, and the kernel lets only one wait at a time (perf_trace_destroy() holds event_mutex over
 * tracepoint_synchronize_unregister()): 40 ms for each on an idle machine, and `syscall.*` has 720.  Without its program such an event does
 * nothing, so a process of its own closes them, and nobody waits for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/session.h"

enum {
	MAX_THREADS = 64,
	LINKS_A_THREAD = 2,
	CLOSED_HERE = 4 /* tracepoints whose waits are too short to be worth a process */
};

struct closer {
	link_list *list;
	size_t next;
};

/* An event that its link held, and no program is on it any more. */
static bool is_idle_tracepoint(const struct link *l)
{
	return l->fd >= 0 && l->perf_fd >= 0 && l->r->prog && l->r->prog->kind == PROG_TRACEPOINT;
}

static void *close_some(void *arg)
{
	struct closer *c = arg;

	for (;;) {
		size_t i = __atomic_fetch_add(&c->next, 1, __ATOMIC_RELAXED);

		if (i >= c->list->len)
			return NULL;
		const struct link *l = &c->list->at[i];

		if (l->fd >= 0)
			close(l->fd);
		if (l->perf_fd >= 0 && !is_idle_tracepoint(l))
			close(l->perf_fd);
	}
}

static void close_in_threads(link_list *l)
{
	pthread_t thread[MAX_THREADS];
	struct closer c = {.list = l};
	size_t want = MIN(l->len / LINKS_A_THREAD, (size_t)MAX_THREADS), n = 0;

	while (n + 1 < want && pthread_create(&thread[n], NULL, close_some, &c) == 0)
		n++;
	close_some(&c);
	while (n)
		pthread_join(thread[--n], NULL);
}

static int by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Closes everything but fd, which is sorted, so that nobody waits for the end of our output. */
static void close_others(const int *fd, size_t n)
{
	unsigned next = 0;

	for (size_t i = 0; i < n; i++) {
		if ((unsigned)fd[i] > next)
			close_range(next, (unsigned)fd[i] - 1, 0);
		next = (unsigned)fd[i] + 1;
	}
	close_range(next, ~0U, 0);
}

/* In a process of its own: who closes an event last waits, so the others come first, and then `turn` ends. */
static void close_last(const int *fd, size_t n, int turn)
{
	char c;

	prctl(PR_SET_NAME, "spile:detach");
	close_others(fd, n);
	while (read(turn, &c, 1) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < n; i++)
		close(fd[i]);
}

/* A process whose parent is gone, so that ours need not wait for it; only calls that are safe after a fork with threads. */
static void fork_apart(const int *fd, size_t n, int turn)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (fork() == 0)
			close_last(fd, n, turn);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void close_idle_tracepoints(const link_list *l)
{
	VEC(int) idle = {0};
	int turn[2] = {-1, -1};

	vec_each(link, l)
		if (is_idle_tracepoint(link))
			vec_push(&idle, link->perf_fd);
	if (idle.len > CLOSED_HERE && pipe2(turn, O_CLOEXEC) == 0) {
		vec_push(&idle, turn[0]);
		qsort(idle.at, idle.len, sizeof(*idle.at), by_number);
		fork_apart(idle.at, idle.len, turn[0]);
	}
	vec_each(fd, &idle)
		close(*fd);
	if (turn[1] >= 0)
		close(turn[1]);
	vec_free(&idle);
}

void links_close(link_list *l)
{
	close_in_threads(l);
	close_idle_tracepoints(l);
	vec_free(l);
}
