/*
 * session.h - inside the attach room: what a running session is made of.
 */
#pragma once

#include <sys/types.h>

#include "attach/attach.h"
#include "attach/sys.h"

/* A map of the program in the kernel. */
struct kmap {
	const struct map *map;
	int fd;    /* -1: not created */
	int inner_fd; /* MAP_SEGMENTS: the map that showed what inner ones look like, until it is used; else -1 */
	void *mem; /* MAP_DATA: where it is mapped, or where the initial bytes are for read-only
		      ones */
	size_t mem_size;   /* of a mapping; 0 when mem is borrowed */
	uint32_t nentries; /* as created: of a ring, bytes */
};

/* A handler, compiled; shared by all programs that run it. */
struct compiled {
	struct ir_fn *fn;
	struct bpf_image *image;
	int btf_fd; /* -1: none needed */
	struct bpf_btf btf;
};

/* A handler, loaded for one way of attaching it. */
struct loaded {
	struct compiled *code;
	enum prog_kind kind;
	bool sleepable, is_session;
	uint32_t btf_id;
	const struct attach_point *target; /* of typed programs: what btf_id is of; NULL others */
	int fd;
};

struct link {
	int fd;      /* of the link; -1: the perf event alone holds the program */
	int perf_fd; /* -1: none */
	const struct running *r;
};
typedef VEC(struct link) link_list;

/* One probe of the program in this session. */
struct running {
	struct probe *probe;
	struct compiled *code;
	struct loaded *prog; /* NULL: run by user space */
	unsigned nattached;  /* places */
	struct probe_stats in_user; /* of runs in user space */
};

struct user_timer {
	struct probe *probe;
	uint64_t period, due; /* ns of CLOCK_MONOTONIC */
	uint64_t jitter;      /* up to so much before or after the period's end */
};

struct session {
	struct program *prog;
	struct world *world;
	struct session_options opt;
	struct arena *arena;
	struct kmap *map; /* one a map of the program, by its id */
	VEC(struct compiled *) code;
	VEC(struct loaded *) loaded;
	struct running *running; /* one a probe of the program, by its id */
	link_list links;
	struct gate *gates; /* attach_syscall.c */
	VEC(int) iters; /* iterator links, read once */
	VEC(char *) pins; /* files that iterators were left in, to be read by others */
	VEC(struct user_timer) timers;
	int stats_fd; /* keeps the kernel timing programs; -1: it does not for us */
	struct served *served; /* files and the terminal; NULL: no probe wants them */
	struct traced_cmd *cmd;
	bool owns_cmd;
	struct kernel_reader *reader; /* made on first use */
	int target_pidfd;
	void (*on_entry)(void *arg, int pid);
	void *on_entry_arg;
	void (*on_record)(void *arg, const void *record, size_t n);
	void *on_record_arg;
};

/* maps.c */
struct err *maps_create(struct session *s);
void maps_destroy(struct session *s);
/* map_warm.c: where the kernel will not have it the first elements may be missing, and are counted. */
void map_warm(int map_fd, uint32_t value_size, uint32_t ncpus);
bool map_is_percpu(const struct map *m);
/* Bytes that one look-up of the map writes: all CPUs of a per-CPU map, each rounded up to 8. */
size_t map_lookup_size(const struct session *s, const struct map *m);

/* kernel_read.c: at most 4096 bytes of kernel memory; false: not readable, or not on this kernel. */
bool kernel_read(struct session *s, void *dst, uint64_t addr, size_t n);
uint64_t kernel_current(struct session *s); /* task_struct of the thread that calls this; 0: not on this kernel */
void kernel_reader_close(struct session *s);

/* hurry.c: between these nothing ordinary runs in this thread's place; they may be nested. */
struct hurry {
	int policy, nice;
};
struct hurry hurry_begin(void);
void hurry_end(const struct hurry *h);

/* load.c */
bool image_has_callbacks(const struct bpf_image *img); /* for bpf_loop and the like */
bool image_has_globals(const struct bpf_image *img);   /* functions that many statements share */
struct err *load_programs(struct session *s);
void unload_programs(struct session *s);
/* The program of a probe's handler; of a typed one for that point (which may be NULL otherwise). */
struct loaded *load_find(struct session *s, const struct running *r, const struct attach_point *point);

/* place.c: what every family of probes uses to attach */
struct place {
	struct session *s;
	struct running *r;
	link_list *links;
	int pid; /* 0: all */
	/* places that could not be attached, and why the first one */
	unsigned nmissing;
	struct err *missing;
};
/* Opens nothing itself: puts the program on a perf event and keeps both; takes the event's descriptor over. */
struct err *place_perf(struct place *pl, int prog_fd, int perf_fd, uint64_t cookie);
int place_pid(const struct place *pl, const struct attach_point *p); /* -1: every process */

/* detach.c: when it returns no program runs any more; frees the list. */
void links_close(link_list *l);

/* One file a family; each attaches all points of pl->r and adds to pl->r->nattached. */
struct err *attach_tracepoints(struct place *pl);
struct err *tracepoint_open(const struct world *w, const char *category, const char *event, int *perf_fd);
/* attach_syscall.c: one point whose `syscall` is a number, after the points before it in the script. */
struct err *attach_syscall(struct place *pl, const struct attach_point *p);
uint64_t syscall_gates_missed(const struct session *s, const struct running *r); /* events, some of other calls maybe */
void syscall_gates_close(struct session *s); /* when the links are closed */
struct err *attach_raw_tracepoints(struct place *pl);
struct err *attach_tracing(struct place *pl);
struct err *attach_functions(struct place *pl); /* fentry and fexit of many functions by one link */
struct err *attach_iter(struct place *pl);
struct err *attach_netfilter(struct place *pl);
struct err *attach_perf_events(struct place *pl);
struct err *attach_uprobes(struct place *pl);
struct err *attach_kprobes(struct place *pl);
/* Notes a point that could not be attached; an error only when the next points would fail for the
 * same reason. */
struct err *attach_missing(struct place *pl, const struct attach_point *p, struct err *e);
/* The same with a message that names the place itself. */
struct err *attach_refused(struct place *pl, struct err *e);

/*
 * arch_x86_64.c: why the kernel would refuse a breakpoint on the instruction at `insn`, as far as
 * its first bytes tell; NULL: it may take it.
 */
const char *arch_refuses_breakpoint(const uint8_t *insn, size_t n);

/* What task_struct.thread_info.status has while a call of the 32-bit interface runs: TS_COMPAT of arch/x86/include/asm/thread_info.h. */
enum { ARCH_COMPAT = 2 };


/* boundary.c: why a breakpoint there could harm the program (uprobes that are written as offsets); NULL: it is safe,
 * or asked for with --unsafe. */
struct err *boundary_check(struct world *w, const struct attach_point *p);

/* user.c */
struct err *user_run(struct session *s, struct running *r);

/*
 * cmd_entry.c: cmd_hold() before the command may exec (false: it cannot be held); then cmd_run_to_exec() and
 * cmd_run_to_entry().  true: it waits there; false: it waits where it is, or has ended: *status is that of waitpid(2).
 * cmd_let_go() ends the holding of one that has not ended.
 */
bool cmd_hold(pid_t pid);
bool cmd_run_to_exec(pid_t pid, int *status);
bool cmd_run_to_entry(pid_t pid, int *status);
void cmd_let_go(pid_t pid);

/* features.c */
const char *missing_rights(void); /* what bpf(2) lacks, as text; NULL: nothing that is known */
bool feature_breakpoint_fires(void);
