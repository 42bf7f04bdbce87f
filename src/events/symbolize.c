/* symbolize.c - addresses to names: kernel symbols, and symbols of processes from remembered
 * mappings. */
#include <linux/bpf.h>
#include <stdlib.h>

#include "attach/sys.h"
#include "debuginfo/dwarf.h"
#include "events/symbolize.h"
#include "runtime/unwind_types.h"

enum {
	MAX_SITES = 64 /* calls inlined into one another */
};

struct symbolizer {
	struct session *session; /* NULL: no stacks to read */
	struct world *world;
	struct track *track;     /* NULL: processes are looked at when they are asked for */
	struct usyms *usyms;     /* made on first use */
	struct strtab demangled; /* mangled name -> heap string, or `plain` */
	uint8_t *frames;         /* room for one value of the stacks map */
	bool knows_kernel;	 /* its symbols were read since programs and trampolines are there */
};
static char plain[] = ""; /* stands for "is not mangled" */

struct symbolizer *symbolizer_create(struct session *s, struct world *w)
{
	struct symbolizer *y = xcalloc(1, sizeof(*y));

	y->session = s;
	y->world = w;
	return y;
}

void symbolizer_destroy(struct symbolizer *y)
{
	if (!y)
		return;
	usyms_destroy(y->usyms);
	vec_each(e, &y->demangled.entry)
		if (e->value && e->value != plain)
			free(e->value);
	strtab_free(&y->demangled);
	free(y->frames);
	free(y);
}

void symbolizer_follow(struct symbolizer *y, struct track *t)
{
	y->track = t;
}

/* With everything that is known about processes up to now. */
static struct usyms *usyms_now(struct symbolizer *y)
{
	if (!y->usyms)
		y->usyms = usyms_create(y->world);
	if (y->track)
		track_apply(y->track, y->usyms);
	return y->usyms;
}

void symbolizer_catch_up(struct symbolizer *y)
{
	if (y->track)
		usyms_keep(usyms_now(y));
}

static const char *readable(struct symbolizer *y, const char *name)
{
	bool wanted = !y->session || session_program(y->session)->opt.demangle;
	char *plainer;

	if (!wanted || name[0] != '_' || (name[1] != 'Z' && name[1] != 'R'))
		return name;
	plainer = strtab_get(&y->demangled, name);
	if (!plainer) {
		plainer = demangle(name);
		if (!plainer)
			plainer = plain;
		strtab_set(&y->demangled, name, plainer);
	}
	return plainer == plain ? name : plainer;
}

/* What BPF has made has no sizes: an address in what came later, or is gone, would get a neighbour's name. */
void symbolizer_know_kernel(struct symbolizer *y)
{
	if (!y->knows_kernel && y->world->kallsyms)
		world_kallsyms_renew(y->world);
	y->knows_kernel = true;
	(void)world_kallsyms(y->world);
}

void symbolizer_attached(struct symbolizer *y)
{
	y->knows_kernel = false;
}

bool symbolizer_kernel(struct symbolizer *y, uint64_t addr, struct frame *ret)
{
	symbolizer_know_kernel(y);
	const struct ksym *k = kallsyms_by_addr(world_kallsyms(y->world), addr);

	*ret = (struct frame){.ip = addr};
	if (!k || !k->addr)
		return false;
	ret->symbol = k->name;
	ret->offset = addr - k->addr;
	ret->size = kallsyms_size(world_kallsyms(y->world), k);
	ret->module = k->module;
	return true;
}

static void name_user(struct symbolizer *y, uint32_t pid, uint64_t addr, struct frame *ret, struct usym *sym)
{
	usyms_resolve(usyms_now(y), pid, addr, sym);
	*ret = (struct frame){.ip = addr};
	ret->module = sym->module;
	ret->module_offset = sym->module_offset;
	ret->map_offset = sym->map_offset;
	ret->map_size = sym->map_size;
	ret->size = sym->size;
	if (!sym->name)
		return;
	ret->symbol = readable(y, sym->name);
	ret->offset = sym->offset;
}

bool symbolizer_user(struct symbolizer *y, uint32_t pid, uint64_t addr, struct frame *ret)
{
	struct usym sym;

	name_user(y, pid, addr, ret, &sym);
	return ret->symbol;
}

/* The debug information around an address, NULL: none is here; *linked: the address in its file. */
static struct dwarf *dwarf_of(struct symbolizer *y, bool is_user, uint32_t pid, uint64_t addr, uint64_t *linked)
{
	struct usym sym;

	if (!is_user) {
		const struct ksym *k = kallsyms_by_addr(world_kallsyms(y->world), addr);
		return k ? kernel_dwarf_here(y->world, k->module, addr, linked) : NULL;
	}
	usyms_resolve(usyms_now(y), pid, addr, &sym);
	*linked = sym.module_offset;
	return sym.file ? elf_dwarf_here(sym.file) : NULL;
}

bool symbolizer_source(struct symbolizer *y, bool is_user, uint32_t pid, uint64_t addr, struct frame *ret)
{
	struct dwarf_site site;
	uint64_t linked;
	struct dwarf *d = dwarf_of(y, is_user, pid, addr, &linked);

	if (!d || !dwarf_sites_at(d, linked, &site, 1) || !site.file || !site.line)
		return false;
	ret->file = site.file;
	ret->line = site.line;
	return true;
}

/* --- stacks
 * ------------------------------------------------------------------------------------------------ */

/* The calls that were inlined at an address, each as a frame of its own; file and line of the one that was not. */
static void add_inlined(struct symbolizer *y, struct dwarf *d, uint64_t linked, uint64_t ip, struct frame *outer,
			struct frames *ret)
{
	struct dwarf_site site[MAX_SITES];
	unsigned n = d ? dwarf_sites_at(d, linked, site, MAX_SITES) : 0;

	for (unsigned i = 0; i < n; i++) {
		struct frame f = {.ip = ip, .module = outer->module, .is_inlined = true};

		f.file = site[i].line ? site[i].file : NULL;
		f.line = site[i].line;
		if (!site[i].is_inlined) {
			outer->file = f.file;
			outer->line = f.line;
			if (!outer->symbol && site[i].function) {
				outer->symbol = readable(y, site[i].function);
				outer->offset = linked - site[i].entry;
			}
		} else if (site[i].function) {
			f.symbol = readable(y, site[i].function);
			vec_push(&ret->frame, f);
		}
	}
}

/*
 * An outer frame's address is where its call returns to, which may already belong to the next
 * function (a call that never returns may be the last instruction): the byte before it is looked
 * up.
 */
static void add_frame(struct symbolizer *y, const struct value *stack, uint32_t pid, uint64_t ip,
		      bool is_outer, struct frames *ret)
{
	bool wants_source = !y->session || session_program(y->session)->opt.show_debug_info;
	uint64_t at = ip - (is_outer && ip ? 1 : 0), linked = 0;
	struct dwarf *d = NULL;
	struct frame f;
	struct usym sym;

	if (stack->type->kind == TYPE_USTACK) {
		name_user(y, pid, at, &f, &sym);
		linked = sym.module_offset;
		if (wants_source && sym.file)
			d = elf_dwarf_here(sym.file);
	} else if (symbolizer_kernel(y, at, &f) && wants_source) {
		d = kernel_dwarf_here(y->world, f.module, at, &linked);
	}
	add_inlined(y, d, linked, ip, &f, ret);
	if (f.symbol)
		f.offset += ip - at;
	f.map_offset += ip - at;
	f.ip = ip;
	vec_push(&ret->frame, f);
}

static void add_build_id(const uint8_t *entry, struct frames *ret)
{
	struct bpf_stack_build_id id;
	struct frame f = {0};

	memcpy(&id, entry, sizeof(id));
	f.has_build_id = id.status == BPF_STACK_BUILD_ID_VALID;
	if (f.has_build_id) {
		memcpy(f.build_id, id.build_id, sizeof(f.build_id));
		f.module_offset = id.offset;
	} else {
		f.ip = id.ip;
	}
	vec_push(&ret->frame, f);
}

/* The frames of a stack by its id, and how it ended; NULL: they are not (or no longer) there. */
static const uint8_t *read_frames(struct symbolizer *y, uint64_t id, size_t *bytes, unsigned *end)
{
	struct stack_frames_wire wire;
	const struct map *m = y->session ? session_program(y->session)->stacks : NULL;
	int fd = m ? session_map_fd(y->session, m) : -1;

	if (fd < 0)
		return NULL;
	if (!y->frames)
		y->frames = xcalloc(1, MAX(m->value_size, 1u));
	if (m->value_size < sizeof(wire) || sys_map_lookup(fd, &id, y->frames) < 0)
		return NULL;
	memcpy(&wire, y->frames, sizeof(wire));
	*bytes = m->value_size - sizeof(wire);
	*end = (unsigned)wire.end;
	return y->frames + sizeof(wire);
}

void symbolizer_stack(struct symbolizer *y, const struct value *stack, struct frames *ret)
{
	bool is_build_id =
		stack->type->kind == TYPE_USTACK && stack->type->stack_mode == STACK_BUILD_ID;
	size_t one = is_build_id ? sizeof(struct bpf_stack_build_id) : sizeof(uint64_t), bytes = 0;
	struct stack_value_wire w;
	const uint8_t *at;

	*ret = (struct frames){.arena = NULL};
	if (stack->size < sizeof(w))
		return;
	memcpy(&w, stack->data, sizeof(w));
	at = w.id ? read_frames(y, w.id, &bytes, &ret->end) : NULL;
	for (uint32_t i = 0; at && i < w.nframes && (i + 1) * one <= bytes; i++, at += one) {
		uint64_t ip;

		if (is_build_id) {
			add_build_id(at, ret);
			continue;
		}
		memcpy(&ip, at, sizeof(ip));
		bool is_return = i > 0;
		if (stack->type->kind == TYPE_USTACK && uw_is_interrupted(ip)) {
			ip ^= UW_INTERRUPTED;
			is_return = false;
		}
		if (is_return && (ret->end == UW_NEW || ret->end == UW_32_BITS) && usyms_is_no_code(usyms_now(y), w.pid, ip))
			return; /* what the chain of frame pointers led to */
		if (stack->type->stack_mode == STACK_RAW)
			vec_push(&ret->frame, (struct frame){.ip = ip});
		else
			add_frame(y, stack, w.pid, ip, is_return, ret);
	}
}

void frames_free(struct frames *f)
{
	arena_destroy(f->arena);
	vec_free(&f->frame);
	f->arena = NULL;
}
