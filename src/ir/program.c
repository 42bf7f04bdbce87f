/* program.c - the parts of a program and the memory that it lays out for itself. */
#include "ir/program.h"

#include "runtime/unwind_types.h"

_Static_assert(sizeof(struct stack_value_wire) == 16, "types/type.c knows this size");
_Static_assert(sizeof(struct usym_wire) == 16, "types/type.c knows this size");
_Static_assert(sizeof(struct minmax_wire) == 16, "types/type.c knows this size");
_Static_assert(sizeof(struct stats_wire) == 16, "types/type.c knows this size");
_Static_assert(sizeof(struct stat_wire) == 48, "types/type.c knows this size");
_Static_assert(sizeof(struct tseries_wire) == 24, "types/type.c knows this size");

enum {
	CACHE_LINE = 64,
	DATA_RESERVED = 8, /* offset 0 of `data` means "unused" in the counters of struct program */
	RING_BYTES = 4 << 20,
	STACK_ENTRIES = 128 << 10,
};

/* Names with a dot are no names of script variables. */
static void make_maps(struct program *p)
{
	p->data = program_map(p, ".data", MAP_DATA, 4, DATA_RESERVED, 1);
	p->rodata = program_map(p, ".rodata", MAP_DATA, 4, 0, 1);
	p->rodata->read_only = true;
	p->percpu = program_map(p, ".percpu", MAP_DATA, 4, 0, 1);
	p->ring = program_map(p, ".ring", MAP_RINGBUF, 0, 0, RING_BYTES);
	p->stacks = program_map(p, ".stacks", MAP_HASH, 8, 0, STACK_ENTRIES);
	p->stacks->no_prealloc = true;
	p->scratch = program_map(p, ".scratch", MAP_DATA, 4, 0, 1);
}

struct program *program_new(struct arena *a, const char *lang_name)
{
	struct program *p = arena_new(a, struct program);
	p->arena = a;
	p->lang_name = arena_strdup(a, lang_name);
	p->ncpus = 1;
	p->opt = (struct program_options){
		.max_map_keys = 4096,
		.max_strlen = 1024,
		.max_cat_bytes = 10240,
		.max_probes = 1024,
		.max_progs = 1024,
		.stack_limit = 127,
		.print_maps_on_exit = true,
		.demangle = true,
		.str_trunc_trailer = "..",
		.license = "GPL",
		.log_size = 1000000,
	};
	make_maps(p);
	return p;
}

void program_free(struct program *p)
{
	if (!p)
		return;
	vec_each(it, &p->fn)
		ir_fn_free(*it);
	vec_free(&p->fn);
	vec_free(&p->map);
	vec_free(&p->var);
	vec_free(&p->action);
	vec_free(&p->probe);
	vec_free(&p->string);
	vec_free(&p->name);
	vec_free(&p->type);
	vec_free(&p->row_consts);
	vec_free(&p->entry);
	buf_free(&p->rodata_bytes);
	strtab_free(&p->string_index);
	strtab_free(&p->rodata_index);
}

struct map *program_map(struct program *p, const char *name, enum map_kind kind, uint32_t key_size,
			uint32_t value_size, uint32_t nentries)
{
	struct map *m = arena_new(p->arena, struct map);
	*m = (struct map){
		.name = arena_strdup(p->arena, name),
		.kind = kind,
		.key_size = key_size,
		.value_size = value_size,
		.nentries = nentries,
		.id = (unsigned)p->map.len,
	};
	vec_push(&p->map, m);
	return m;
}

struct var *program_var(struct program *p, const char *name)
{
	struct var *v = arena_new(p->arena, struct var);
	v->name = arena_strdup(p->arena, name);
	v->id = (unsigned)p->var.len;
	vec_push(&p->var, v);
	return v;
}

struct action *program_action(struct program *p, enum action_kind kind, struct loc loc)
{
	struct action *act = arena_new(p->arena, struct action);
	act->kind = kind;
	act->id = (unsigned)p->action.len;
	act->loc = loc;
	vec_push(&p->action, act);
	return act;
}

struct probe *program_probe(struct program *p, const char *name, struct ir_fn *fn,
			    enum prog_kind kind)
{
	struct probe *probe = arena_new(p->arena, struct probe);
	probe->id = (unsigned)p->probe.len;
	probe->name = arena_strdup(p->arena, name);
	probe->fn = fn;
	probe->kind = kind;
	vec_push(&p->probe, probe);
	return probe;
}

/* The tables hold value + 1, as a table's value must not be NULL. */
uint32_t program_string(struct program *p, const char *s)
{
	uintptr_t known = (uintptr_t)strtab_get(&p->string_index, s);
	if (known)
		return (uint32_t)(known - 1);
	vec_push(&p->string, arena_strdup(p->arena, s));
	strtab_set(&p->string_index, s, (void *)p->string.len);
	return (uint32_t)(p->string.len - 1);
}

uint32_t program_rodata(struct program *p, const void *bytes, size_t n, size_t align)
{
	uintptr_t known = (uintptr_t)strtab_getn(&p->rodata_index, bytes, n);
	if (known && (known - 1) % align == 0)
		return (uint32_t)(known - 1);
	size_t offset = ALIGN_UP(p->rodata_bytes.len, align);
	buf_fill(&p->rodata_bytes, 0, offset - p->rodata_bytes.len);
	buf_add(&p->rodata_bytes, bytes, n);
	strtab_setn(&p->rodata_index, bytes, n, (void *)(offset + 1));
	return (uint32_t)offset;
}

uint32_t program_data(struct program *p, uint32_t size, uint32_t align)
{
	uint32_t offset = ALIGN_UP(p->data->value_size, align);
	p->data->value_size = offset + size;
	return offset;
}

uint32_t program_percpu(struct program *p, uint32_t size, uint32_t align)
{
	uint32_t offset = ALIGN_UP(p->percpu_row, align);
	p->percpu_row = offset + size;
	return offset;
}

void program_unwind(struct program *p)
{
	if (p->unwind.procs)
		return;
	p->unwind.procs = program_map(p, ".uw_procs", MAP_HASH, 4, sizeof(struct uw_proc), UW_PROCS);
	p->unwind.procs->no_prealloc = true;
	p->unwind.files = program_map(p, ".uw_files", MAP_HASH, sizeof(struct uw_file_key), sizeof(struct uw_file_maps), UW_FILES);
	p->unwind.files->no_prealloc = true;
	p->unwind.segs = program_map(p, ".uw_segs", MAP_SEGMENTS, 4, UW_SEG_WORDS * 4, UW_SEGS);
	p->unwind.rules = program_map(p, ".uw_rules", MAP_DATA, 4, UW_MET_AT + 8 * UW_MET_WORDS, 1);
	p->unwind.miss = program_map(p, ".uw_miss", MAP_RINGBUF, 0, 0, UW_MISS_BYTES);
	p->unwind.ends_offset = program_data(p, 8 * UW_ENDS, 8);
}

uint32_t program_exit_word(struct program *p, bool sets)
{
	if (!p->exit_offset)
		p->exit_offset = program_data(p, 8, 8);
	p->exits |= sets;
	return p->exit_offset;
}

static void patch_row_consts(struct program *p)
{
	vec_each(it, &p->row_consts) {
		int64_t v = it->what == ROW_SCRATCH ? it->times * (int64_t)p->scratch_row
			    : it->what == ROW_SUB   ? it->times * (int64_t)p->sub_row
			    : it->what == ROW_EXITS ? -(int64_t)p->exits
						    : (int64_t)p->percpu_row;
		ir_const_set(it->fn, it->insn, v);
	}
}

void program_finish(struct program *p)
{
	uint32_t ncpus = MAX(p->ncpus, 1u);
	struct buf *ro = &p->rodata_bytes;
	buf_fill(ro, 0, ALIGN_UP(MAX(ro->len, (size_t)1), 8) - ro->len);
	p->rodata->value_size = (uint32_t)ro->len;
	p->rodata->init = arena_memdup(p->arena, ro->data, ro->len);
	p->data->value_size = ALIGN_UP(p->data->value_size, 8);
	/* A row a CPU, none sharing a cache line with another's. */
	p->percpu_row = ALIGN_UP(MAX(p->percpu_row, 1u), CACHE_LINE);
	p->percpu->value_size = p->percpu_row * ncpus;
	/* Storing a stack reads a whole element of `stacks` from scratch. */
	p->scratch_row = ALIGN_UP(MAX(p->scratch_row + p->stacks->value_size, 1u), CACHE_LINE);
	if (p->subs)
		p->subs->value_size = MAX(p->sub_row * p->sub_depth, 8u);
	p->scratch->value_size = p->scratch_row * (p->one_at_a_time ? 1 : SCRATCH_LEVELS) * ncpus;
	if (p->opt.ring_bytes)
		p->ring->nentries = p->opt.ring_bytes;
	patch_row_consts(p);
}

void program_dump_maps(const struct program *p, struct buf *out)
{
	for (size_t i = 0; i < p->map.len; i++)
		ir_print_map(p->map.at[i], out);
}
