/* unwind_file.c - see unwind_file.h. */
#include "events/unwind_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>

#include "attach/sys.h"

enum {
	PIECE_WORDS = UW_SEG_WORDS /
		      2,      /* small enough for gaps, large enough for nearly all files in one */
	IDLE_WORDS = 4 << 20, /* of tables that nothing uses: 16 MiB */
	VDSO_MAX = 1 << 20,
};

static const uint64_t FILE_END = 1ull << 47;

void uw_files_init(struct uw_files *f, struct uw_space *space, struct uw_rule *shared, int map_fd)
{
	*f = (struct uw_files){.space = space, .shared = shared, .map_fd = map_fd};
	cfi_rules_init(&f->rules);
}

static void free_file(struct uw_files *f, struct uw_file *file)
{
	vec_each(p, &file->piece)
		uw_space_free(f->space, p->range);
	uw_space_free(f->space, file->maps);
	vec_free(&file->key);
	vec_free(&file->piece);
	vec_free(&file->segment);
	free(file);
}

void uw_files_destroy(struct uw_files *f)
{
	vec_each(file, &f->all)
		free_file(f, *file);
	vec_free(&f->all);
	strtab_free(&f->by_key);
	strtab_free(&f->by_build_id);
	cfi_rules_free(&f->rules);
}

/* Rules that are new go to the map before any table that names them. */
static void share_rules(struct uw_files *f)
{
	for (; f->nshared < f->rules.rule.len && f->shared; f->nshared++)
		f->shared[f->nshared] = f->rules.rule.at[f->nshared];
}

static void add_piece(struct uw_files *f, struct uw_file *file, const struct cfi_table *t,
		      size_t from, size_t to)
{
	struct uw_piece p = {.begin = t->row.at[from].pc, .base = cfi_pack_base(t, from)};
	size_t words = cfi_pack_words(t, from, to);

	p.end = to < t->row.len ? t->row.at[to].pc : t->row.at[to - 1].pc;
	p.range = words <= UW_SEG_WORDS ? uw_space_alloc(f->space, (uint32_t)words)
					: (struct uw_range){.words = 0};
	if (!p.range.words || p.end <= p.begin)
		return;
	cfi_pack(t, from, to, uw_space_words(f->space, p.range));
	file->words += p.range.words;
	vec_push(&file->piece, p);
}

/* --- lists of what is mapped
 * ------------------------------------------------------------------------------------------ */

static void add_map(uw_map_list *out, struct uw_map m)
{
	if (m.start < m.end && out->len < UW_MAPS_MAX)
		vec_push(out, m);
}

void uw_file_maps(const struct uw_file *file, uint64_t start, uint64_t end, uint64_t offset, uw_map_list *out)
{
	uint64_t at = start;

	for (size_t i = 0; file && i < file->segment.len; i++) {
		const struct cfi_segment *s = &file->segment.at[i];
		uint64_t bias = start - offset + s->offset - s->vaddr; /* modulo 2^64 */
		uint64_t first = MAX(start, bias + s->vaddr), last = MIN(end, bias + s->vaddr + s->size);

		if (offset + (end - start) <= s->offset || offset >= s->offset + s->size)
			continue;
		vec_each(p, &file->piece) {
			struct uw_map m = {.start = MAX(MAX(first, at), bias + p->begin),
					   .end = MIN(last, bias + p->end),
					   .base = bias + p->base,
					   .table = p->range.at,
					   .seg = (uint16_t)p->range.seg};

			if (p->end <= s->vaddr || p->begin >= s->vaddr + s->size || m.start >= m.end)
				continue;
			add_map(out, (struct uw_map){.start = at, .end = m.start, .kind = UW_MAP_FP});
			add_map(out, m);
			at = m.end;
		}
	}
	add_map(out, (struct uw_map){.start = at, .end = end, .kind = UW_MAP_FP});
}

/* The list that programs search when they find the file in the kernel. */
static void add_list(struct uw_files *f, struct uw_file *file)
{
	uw_map_list maps = {0};

	uw_file_maps(file, 0, FILE_END, 0, &maps);
	file->maps = uw_space_alloc(f->space, (uint32_t)(maps.len * sizeof(struct uw_map) / 4));
	if (file->maps.words) {
		memcpy(uw_space_words(f->space, file->maps), maps.at, maps.len * sizeof(*maps.at));
		file->nmaps = (uint32_t)maps.len;
	}
	vec_free(&maps);
}

/* From now on programs know the file by this key. */
static void add_key(struct uw_files *f, struct uw_file *file, const struct uw_file_key *key)
{
	struct uw_file_maps at = {.seg = file->maps.seg, .first = file->maps.at, .n = file->nmaps};

	strtab_setn(&f->by_key, (const char *)key, sizeof(*key), file);
	vec_push(&file->key, *key);
	if (file->nmaps)
		(void)sys_map_update(f->map_fd, key, &at, 0); /* full: processes are read before their stacks are whole */
}

static struct uw_file_key key_of(const struct stat *st)
{
	return (struct uw_file_key){.inode = st->st_ino,
				    .size = (uint64_t)st->st_size,
				    .mtime = (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec};
}

/* --- files
 * ------------------------------------------------------------------------------------------------------------ */

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* of the thread that builds: what else runs is not its cost */
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct uw_file *same_build_id(const struct uw_files *f, const uint8_t *id, size_t n)
{
	return n ? strtab_getn(&f->by_build_id, (const char *)id, n) : NULL;
}

/* Takes what is read over. */
static struct uw_file *make_file(struct uw_files *f, struct cfi_file *c)
{
	struct uw_file *file = same_build_id(f, c->build_id, c->build_id_len);

	if (!file) {
		file = xcalloc(1, sizeof(*file));
		memcpy(file->build_id, c->build_id, sizeof(file->build_id));
		file->build_id_len = c->build_id_len;
		vec_each(s, &c->segment)
			vec_push(&file->segment, *s);
		share_rules(f);
		for (size_t from = 0, to; from < c->table.row.len; from = to) {
			to = cfi_pack_fit(&c->table, from, PIECE_WORDS);
			add_piece(f, file, &c->table, from, to);
		}
		add_list(f, file);
		vec_push(&f->all, file);
		if (file->build_id_len)
			strtab_setn(&f->by_build_id, (const char *)file->build_id, file->build_id_len, file);
		f->idle_words += file->words;
		f->nbuilt++;
	}
	cfi_file_free(c);
	return file;
}

static struct uw_file *ref(struct uw_files *f, struct uw_file *file)
{
	if (file && !file->refs++)
		f->idle_words -= file->words;
	return file;
}

struct uw_file *uw_files_open(struct uw_files *f, int fd)
{
	struct cfi_file c = {.build_id_len = 0};
	struct uw_file *file;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	struct uw_file_key key = key_of(&st);
	file = strtab_getn(&f->by_key, (const char *)&key, sizeof(key));
	if (!file) {
		uint64_t begin = cpu_ns();

		err_free(cfi_open(fd, &f->rules, &c)); /* what is no ELF file has an empty table */
		file = make_file(f, &c);
		add_key(f, file, &key);
		f->build_ns += cpu_ns() - begin;
	}
	return ref(f, file);
}

struct uw_file *uw_files_known(struct uw_files *f, const uint8_t *build_id, size_t n)
{
	return ref(f, same_build_id(f, build_id, n));
}

struct uw_file *uw_files_vdso(struct uw_files *f)
{
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct cfi_file c;
	unsigned long long begin, end;
	_cleanup_free_ char *maps = f->vdso || !image ? NULL : read_file("/proc/self/maps", NULL);

	for (const char *line = maps; line && *line && !f->vdso;
	     line += strcspn(line, "\n"), line += *line == '\n') {
		if (sscanf(line, "%llx-%llx", &begin, &end) != 2 || begin != (uintptr_t)image ||
		    end - begin > VDSO_MAX)
			continue;
		err_free(cfi_open_memory(image, end - begin, &f->rules, &c));
		f->vdso = ref(f, make_file(f, &c)); /* never let go */
	}
	return ref(f, f->vdso);
}

/* The file that was let go longest ago. */
static size_t oldest_idle(const struct uw_files *f)
{
	size_t best = f->all.len;

	for (size_t i = 0; i < f->all.len; i++)
		if (!f->all.at[i]->refs &&
		    (best == f->all.len || f->all.at[i]->used < f->all.at[best]->used))
			best = i;
	return best;
}

static void forget(struct uw_files *f, size_t i)
{
	struct uw_file *file = f->all.at[i];

	vec_each(key, &file->key) {
		strtab_setn(&f->by_key, (const char *)key, sizeof(*key), NULL);
		(void)sys_map_delete(f->map_fd, key);
	}
	if (file->build_id_len)
		strtab_setn(&f->by_build_id, (const char *)file->build_id, file->build_id_len, NULL);
	f->idle_words -= file->words;
	free_file(f, file);
	f->all.at[i] = vec_last(&f->all);
	f->all.len--;
}

void uw_files_unref(struct uw_files *f, struct uw_file *file)
{
	if (!file || --file->refs)
		return;
	file->used = ++f->clock;
	f->idle_words += file->words;
	while (f->idle_words > IDLE_WORDS) {
		size_t i = oldest_idle(f);

		if (i == f->all.len)
			return;
		forget(f, i);
	}
}
