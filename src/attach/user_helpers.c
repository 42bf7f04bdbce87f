/*
 * user_helpers.c - the kernel's helpers, and those of bpf/user_helpers.h, for handlers in user
 * space.
 */
#include "bpf/user_helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "attach/served.h"
#include "attach/user.h"

enum {
	MAX_LOOPS = 1 << 23,
	MAX_RECORD = 1 << 20
};

/* The kernel copies from and to our own memory and says EFAULT where a load would end the process.
 */
bool user_get(void *dst, uint64_t addr, size_t n)
{
	struct iovec to = {dst, n}, from = {(void *)(uintptr_t)addr, n};

	return n == 0 || process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)n;
}

bool user_put(uint64_t addr, const void *src, size_t n)
{
	struct iovec from = {(void *)(uintptr_t)src, n}, to = {(void *)(uintptr_t)addr, n};

	return n == 0 || process_vm_writev(getpid(), &from, 1, &to, 1, 0) == (ssize_t)n;
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- maps: the first argument is what loading the map's address gave
 * ---------------------------------- */

static struct kmap *map_of(struct user_run *u, uint64_t handle)
{
	uint64_t off = handle - (uint64_t)(uintptr_t)u->s->map;

	if (off % sizeof(struct kmap) || off / sizeof(struct kmap) >= u->s->prog->map.len) {
		u->err = err_new(EINVAL, "a helper was given something that is no map");
		return NULL;
	}
	return &u->s->map[off / sizeof(struct kmap)];
}

static int64_t h_lookup(struct user_run *u, const uint64_t v[5])
{
	struct kmap *k = map_of(u, v[0]);

	return k ? (int64_t)user_map_lookup(u, k, v[1], u->cpu) : 0;
}

static int64_t h_lookup_percpu(struct user_run *u, const uint64_t v[5])
{
	struct kmap *k = map_of(u, v[0]);

	return k ? (int64_t)user_map_lookup(u, k, v[1], (unsigned)MIN(v[2], (uint64_t)UINT32_MAX))
		 : 0;
}

static int64_t h_update(struct user_run *u, const uint64_t v[5])
{
	struct kmap *k = map_of(u, v[0]);

	return k ? user_map_update(u, k, v[1], v[2], v[3]) : -EINVAL;
}

static int64_t h_delete(struct user_run *u, const uint64_t v[5])
{
	struct kmap *k = map_of(u, v[0]);

	return k ? user_map_delete(u, k, v[1]) : -EINVAL;
}

static int64_t h_each(struct user_run *u, const uint64_t v[5])
{
	struct kmap *k = map_of(u, v[0]);

	return k ? user_map_each(u, k, v[1], v[2]) : -EINVAL;
}

static int64_t h_loop(struct user_run *u, const uint64_t v[5])
{
	uint64_t i;

	if (v[0] > MAX_LOOPS)
		return -E2BIG;
	for (i = 0; i < v[0]; i++) {
		uint64_t args[2] = {i, v[2]}, ret = 0;

		u->err = bpf_vm_call(u->vm, v[1], args, 2, &ret);
		if (u->err || ret)
			return (int64_t)i + 1;
	}
	return (int64_t)i;
}

/* --- records
 * -------------------------------------------------------------------------------------------- */

static void emit(struct user_run *u, const void *data, size_t n)
{
	if (u->s->on_record)
		u->s->on_record(u->s->on_record_arg, data, n);
}

static int64_t h_output(struct user_run *u, const uint64_t v[5])
{
	uint8_t *copy;

	if (v[2] > MAX_RECORD)
		return -E2BIG;
	copy = xmalloc(MAX(v[2], (uint64_t)1));
	if (!user_get(copy, v[1], v[2])) {
		free(copy);
		return -EFAULT;
	}
	emit(u, copy, v[2]);
	free(copy);
	return 0;
}

static int64_t h_reserve(struct user_run *u, const uint64_t v[5])
{
	struct user_reservation r = {.size = v[1]};

	if (r.size > MAX_RECORD)
		return 0;
	r.data = arena_alloc(u->arena, MAX(r.size, (uint64_t)1));
	bpf_vm_region(u->vm, r.data, r.size, true);
	vec_push(&u->reserved, r);
	return (int64_t)(uintptr_t)r.data;
}

static int64_t finish(struct user_run *u, uint64_t addr, bool submit)
{
	for (size_t i = u->reserved.len; i-- > 0;) {
		struct user_reservation r = u->reserved.at[i];

		if ((uint64_t)(uintptr_t)r.data != addr)
			continue;
		u->reserved.at[i] = vec_last(&u->reserved);
		u->reserved.len--;
		if (submit)
			emit(u, r.data, r.size);
		return 0;
	}
	return -EINVAL;
}

static int64_t h_submit(struct user_run *u, const uint64_t v[5])
{
	return finish(u, v[0], true);
}

static int64_t h_discard(struct user_run *u, const uint64_t v[5])
{
	return finish(u, v[0], false);
}

/* --- memory: our own and the kernel's; what a script calls a user address is another process's
 * ---------------- */

static bool get_any(struct user_run *u, void *dst, uint64_t addr, size_t n)
{
	return (int64_t)addr < 0 ? kernel_read(u->s, dst, addr, n) : user_get(dst, addr, n);
}

static int64_t copy_in(struct user_run *u, const uint64_t v[5])
{
	uint8_t chunk[4096];

	for (uint64_t at = 0, n; at < v[1]; at += n) {
		n = MIN(v[1] - at, (uint64_t)sizeof(chunk));
		if (!get_any(u, chunk, v[2] + at, n) || !user_put(v[0] + at, chunk, n))
			return -EFAULT;
	}
	return 0;
}

static int64_t h_read_kernel(struct user_run *u, const uint64_t v[5])
{
	static const uint8_t zeroes[4096];
	int64_t ret = v[1] > MAX_RECORD ? -E2BIG : copy_in(u, v);

	for (uint64_t at = 0; ret < 0 && at < MIN(v[1], (uint64_t)MAX_RECORD); at += sizeof(zeroes))
		(void)user_put(v[0] + at, zeroes, MIN(v[1] - at, (uint64_t)sizeof(zeroes)));
	return ret;
}

/* Up to size bytes with the NUL, which is always written; returns bytes with the NUL.  Read in pieces that
 * do not cross a page, as the next one may not be there. */
static int64_t h_read_kernel_str(struct user_run *u, const uint64_t v[5])
{
	enum { PIECE = 256 };
	uint64_t done = 0, max = MIN(v[1], (uint64_t)MAX_RECORD);
	char piece[PIECE];

	while (done < max) {
		uint64_t from = v[2] + done;
		size_t n = MIN((size_t)(max - done), PIECE - (size_t)(from % PIECE));
		const char *nul;

		if (!get_any(u, piece, from, n))
			return -EFAULT;
		nul = memchr(piece, 0, n);
		if (nul)
			n = (size_t)(nul - piece) + 1;
		else if (done + n == max)
			piece[n - 1] = '\0';
		if (!user_put(v[0] + done, piece, n))
			return -EFAULT;
		done += n;
		if (nul)
			break;
	}
	return (int64_t)done;
}

static int64_t h_snprintf(struct user_run *u, const uint64_t v[5])
{
	return user_snprintf(v);
}

/* Only "%s\n" of one string is asked for: a line of the kernel's trace. */
static int64_t h_trace_printk(struct user_run *u, const uint64_t v[5])
{
	char text[512];
	size_t n = 0;
	int fd;

	while (n < sizeof(text) - 1 && user_get(&text[n], v[2] + n, 1) && text[n])
		n++;
	text[n++] = '\n';
	fd = open("/sys/kernel/tracing/trace_marker", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int64_t ret = write(fd, text, n) < 0 ? -errno : (int64_t)n;
	close(fd);
	return ret;
}

static int64_t h_fault(struct user_run *u, const uint64_t v[5])
{
	return -EFAULT;
}

static int64_t h_strncmp(struct user_run *u, const uint64_t v[5])
{
	for (uint64_t i = 0; i < v[1] && i < MAX_RECORD; i++) {
		uint8_t a, b;

		if (!user_get(&a, v[0] + i, 1) || !user_get(&b, v[2] + i, 1))
			return -EFAULT;
		if (a != b)
			return a < b ? -1 : 1;
		if (!a)
			break;
	}
	return 0;
}

/* --- what the event is: this process
 * ------------------------------------------------------------------- */

static int64_t h_zero(struct user_run *u, const uint64_t v[5])
{
	return 0;
}

static int64_t h_ktime(struct user_run *u, const uint64_t v[5])
{
	return clock_ns(CLOCK_MONOTONIC);
}

static int64_t h_ktime_boot(struct user_run *u, const uint64_t v[5])
{
	return clock_ns(CLOCK_BOOTTIME);
}

static int64_t h_ktime_tai(struct user_run *u, const uint64_t v[5])
{
	return clock_ns(CLOCK_TAI);
}

static int64_t h_pid_tgid(struct user_run *u, const uint64_t v[5])
{
	return (int64_t)((uint64_t)getpid() << 32 | (uint64_t)(uint32_t)gettid());
}

static int64_t h_uid_gid(struct user_run *u, const uint64_t v[5])
{
	return (int64_t)((uint64_t)getgid() << 32 | (uint64_t)getuid());
}

static int64_t h_current_task(struct user_run *u, const uint64_t v[5])
{
	return (int64_t)kernel_current(u->s);
}

static int64_t h_comm(struct user_run *u, const uint64_t v[5])
{
	char comm[16] = "";

	(void)prctl(PR_GET_NAME, comm);
	return user_put(v[0], comm, MIN(v[1], (uint64_t)sizeof(comm))) ? 0 : -EFAULT;
}

static int64_t h_cpu(struct user_run *u, const uint64_t v[5])
{
	return u->cpu;
}

static int64_t random_number(void)
{
	uint64_t n = 0;

	if (getrandom(&n, sizeof(n), GRND_INSECURE) != sizeof(n))
		n = (uint64_t)clock_ns(CLOCK_MONOTONIC) * UINT64_C(0x9e3779b97f4a7c15);
	return (int64_t)n;
}

static int64_t h_prandom(struct user_run *u, const uint64_t v[5])
{
	return (int64_t)((uint64_t)random_number() & UINT32_MAX);
}

/* --- user space's own
 * ----------------------------------------------------------------------------------- */

static int64_t h_snapshot_open(struct user_run *u, const uint64_t v[5])
{
	return user_snapshot_open(u, v[0], v[1], v[2]);
}

static int64_t h_snapshot_close(struct user_run *u, const uint64_t v[5])
{
	return user_snapshot_close(u, v[0]);
}

static int64_t h_var_clear(struct user_run *u, const uint64_t v[5])
{
	return user_var_clear(u, v[0]);
}

static int64_t h_lock(struct user_run *u, const uint64_t v[5])
{
	return user_lock(u);
}

static int64_t h_take_end(struct user_run *u, const uint64_t v[5])
{
	return user_take_end(u);
}

static int64_t h_unlock(struct user_run *u, const uint64_t v[5])
{
	user_unlock(u);
	return 0;
}

static int64_t h_hist_text(struct user_run *u, const uint64_t v[5])
{
	const struct var *var = v[0] < u->s->prog->var.len ? u->s->prog->var.at[v[0]] : NULL;
	uint32_t size = var ? type_mem_size(var->value) : 0, head = sizeof(struct stat_wire);
	struct buf text = {0};
	uint8_t *stat;
	bool ok;

	if (size <= head || !v[3] || v[3] > MAX_RECORD)
		return -EINVAL;
	stat = xmalloc(size);
	ok = user_get(stat, v[1], size);
	if (ok) {
		stp_hist_text(var->value, stat + head, (size - head) / 8, u->s->prog->opt.hist_elision, &text);
		if (text.len < v[3])
			buf_fill(&text, 0, v[3] - text.len);
		text.data[v[3] - 1] = 0;
		ok = user_put(v[2], text.data, v[3]);
	}
	buf_free(&text);
	free(stat);
	return ok ? 0 : -EFAULT;
}

static int64_t h_random(struct user_run *u, const uint64_t v[5])
{
	return v[0] ? (int64_t)((uint64_t)random_number() % v[0]) : 0;
}

/* symbol(addr, what, dst, cap) */
static int64_t h_symbol(struct user_run *u, const uint64_t v[5])
{
	const struct ksym *k = u->s->world ? kallsyms_by_addr(world_kallsyms(u->s->world), v[0]) : NULL;
	char text[256] = "";
	const char *module = k && k->module ? k->module : "kernel";
	if (!k)
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)v[0]);
	else if (v[1] == UH_SYMBOL_NAME)
		snprintf(text, sizeof(text), "%s", k->name);
	else if (v[1] == UH_SYMBOL_OFFSET)
		snprintf(text, sizeof(text), "%s+0x%llx/0x%llx [%s]", k->name, (unsigned long long)(v[0] - k->addr),
			 (unsigned long long)kallsyms_size(world_kallsyms(u->s->world), k), module);
	else
		snprintf(text, sizeof(text), "%s", module);
	if (!k && v[1] == UH_SYMBOL_MODULE)
		*text = '\0';
	if (!v[3] || v[3] > sizeof(text))
		return -EINVAL;
	text[v[3] - 1] = '\0';
	return user_put(v[2], text, v[3]) ? (int64_t)strlen(text) : -EFAULT;
}

static int64_t put_value(struct user_run *u, const uint64_t v[5], bool append)
{
	char text[4096];

	if (v[1] > sizeof(text) || !user_get(text, v[0], v[1]))
		return -EFAULT;
	served_value_set(u->s, text, strnlen(text, v[1]), append);
	return 0;
}

static int64_t h_value_set(struct user_run *u, const uint64_t v[5])
{
	return put_value(u, v, false);
}

static int64_t h_value_add(struct user_run *u, const uint64_t v[5])
{
	return put_value(u, v, true);
}

static int64_t h_value_get(struct user_run *u, const uint64_t v[5])
{
	const struct buf *value = served_value(u->s);
	char text[4096] = "";

	if (!v[1] || v[1] > sizeof(text))
		return -EINVAL;
	if (value && value->len)
		memcpy(text, value->data, MIN(value->len, v[1] - 1));
	return user_put(v[0], text, v[1]) ? 0 : -EFAULT;
}

static const struct {
	int32_t id;
	int64_t (*fn)(struct user_run *u, const uint64_t v[5]);
} helpers[] = {
	{BPF_FUNC_map_lookup_elem,        h_lookup          },
	{BPF_FUNC_map_update_elem,        h_update          },
	{BPF_FUNC_map_delete_elem,        h_delete          },
	{BPF_FUNC_map_lookup_percpu_elem, h_lookup_percpu   },
	{BPF_FUNC_for_each_map_elem,      h_each            },
	{BPF_FUNC_loop,                   h_loop            },
	{BPF_FUNC_ringbuf_output,         h_output          },
	{BPF_FUNC_ringbuf_reserve,        h_reserve         },
	{BPF_FUNC_ringbuf_submit,         h_submit          },
	{BPF_FUNC_ringbuf_discard,        h_discard         },
	{BPF_FUNC_ringbuf_query,          h_zero            },
	{BPF_FUNC_probe_read_kernel,      h_read_kernel     },
	{BPF_FUNC_probe_read_kernel_str,  h_read_kernel_str },
	{BPF_FUNC_probe_read_user,        h_fault           },
	{BPF_FUNC_probe_read_user_str,    h_fault           },
	{BPF_FUNC_copy_from_user,         h_fault           },
	{BPF_FUNC_strncmp,                h_strncmp         },
	{BPF_FUNC_snprintf,               h_snprintf        },
	{BPF_FUNC_ktime_get_ns,           h_ktime           },
	{BPF_FUNC_ktime_get_coarse_ns,    h_ktime           },
	{BPF_FUNC_ktime_get_boot_ns,      h_ktime_boot      },
	{BPF_FUNC_ktime_get_tai_ns,       h_ktime_tai       },
	{BPF_FUNC_get_current_pid_tgid,   h_pid_tgid        },
	{BPF_FUNC_get_current_uid_gid,    h_uid_gid         },
	{BPF_FUNC_get_current_comm,       h_comm            },
	{BPF_FUNC_get_smp_processor_id,   h_cpu             },
	{BPF_FUNC_get_prandom_u32,        h_prandom         },
	{BPF_FUNC_get_current_task,       h_current_task    },
	{BPF_FUNC_get_current_task_btf,   h_current_task    },
	{BPF_FUNC_get_current_cgroup_id,  h_zero            },
	{BPF_FUNC_get_numa_node_id,       h_zero            },
	{BPF_FUNC_get_attach_cookie,      h_zero            },
	{BPF_FUNC_get_func_ip,            h_zero            },
	{BPF_FUNC_get_stack,              h_fault           },
	{BPF_FUNC_send_signal,            h_fault           },
	{BPF_FUNC_trace_printk,           h_trace_printk    },
	{BPF_FUNC_trace_vprintk,          h_zero            },
	{UH_SNAPSHOT_OPEN,                h_snapshot_open   },
	{UH_SNAPSHOT_NEXT,                user_snapshot_next},
	{UH_SNAPSHOT_CLOSE,               h_snapshot_close  },
	{UH_VAR_CLEAR,                    h_var_clear       },
	{UH_HIST_TEXT,                    h_hist_text       },
	{UH_LOCK,                         h_lock            },
	{UH_UNLOCK,                       h_unlock          },
	{UH_TAKE,                         user_take         },
	{UH_TAKE_END,                     h_take_end        },
	{UH_RANDOM,		       h_random          },
	{UH_SYMBOL,		       h_symbol          },
	{UH_VALUE_SET,		       h_value_set       },
	{UH_VALUE_ADD,		       h_value_add       },
	{UH_VALUE_GET,		       h_value_get       },
};

struct err *user_helper(struct bpf_vm *vm, void *arg, int32_t id, const uint64_t v[5],
			uint64_t *ret)
{
	struct user_run *u = arg;
	struct err *e;

	u->vm = vm;
	user_flush(u, false);
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		if (helpers[i].id != id)
			continue;
		*ret = (uint64_t)helpers[i].fn(u, v);
		e = u->err;
		u->err = NULL;
		return e;
	}
	return err_new(ENOSYS, "helper %d does not exist in user space", id);
}
