/*
 * boundary.c - a breakpoint in the middle of an instruction destroys the traced program, so a place that a user
 * wrote as an offset or an address is proved to be the start of one first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "attach/session.h"
#include "debuginfo/insn.h"

#define ANYWAY \
	"\nUse --unsafe to force attachment. WARNING: This option could lead to data corruption in the target process."

enum {
	MAX_FUNCTION = 64 << 20
};

/* Decodes from the start of the function; false: the place is inside an instruction, or something is no code. */
static bool starts_instruction(const char *path, uint64_t from, uint64_t to)
{
	enum {
		CHUNK = 4096
	};
	uint8_t code[CHUNK + INSN_LONGEST];
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (from < to && fd >= 0) {
		size_t want = (size_t)MIN(to - from, (uint64_t)CHUNK) + INSN_LONGEST, at = 0;
		ssize_t got = pread(fd, code, want, (off_t)from);

		if (got <= 0)
			return false;
		while (from + at < to && at < CHUNK) {
			unsigned n = at < (size_t)got ? insn_length(code + at, (size_t)got - at) : 0;

			if (!n)
				return false;
			at += n;
		}
		from += at;
	}
	return from == to;
}

static bool has_functions(struct elf_file *f)
{
	size_t n;
	const struct elf_symbol *sym = elf_symbols(f, &n);

	for (size_t i = 0; i < n; i++)
		if (sym[i].is_func && !sym[i].is_undefined)
			return true;
	return false;
}

static struct err *unknown_address(const struct attach_point *p, struct elf_file *f)
{
	if (f && has_functions(f))
		return err_new(ENOENT, "Could not resolve address: %s:0x%llx", p->target,
			       (unsigned long long)p->address);
	return err_new(ENOENT,
		       "Could not determine instruction boundary for %s (binary appears stripped)." ANYWAY,
		       p->name);
}

struct err *boundary_check(struct world *w, const struct attach_point *p)
{
	struct elf_file *f = NULL;
	const struct elf_symbol *sym;

	if (!p->is_unproven || w->unsafe)
		return NULL;
	err_free(elf_open(w, p->target, &f));
	sym = !f ? NULL : p->func ? elf_symbol_by_name(f, p->func) : elf_symbol_at(f, p->address);
	if (!sym || !sym->file_offset)
		return unknown_address(p, f);
	if (!sym->size)
		return err_new(EINVAL,
			       "Could not determine boundary for %s (symbol has size 0)." ANYWAY,
			       sym->name);
	if (p->address - sym->value > MAX_FUNCTION ||
	    !starts_instruction(p->target, sym->file_offset,
				sym->file_offset + (p->address - sym->value)))
		return err_new(EILSEQ, "Could not add uprobe into middle of instruction: %s" ANYWAY,
			       p->name + (str_has_prefix(p->name, "uprobe:") ? strlen("uprobe:") : 0));
	return NULL;
}
