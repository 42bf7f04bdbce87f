/*
 * kernel_debug_test.c - debug information of a kernel that is a folder: found by build-id, refused when it is another build's, moved to where the
 * kernel and its modules are.
 */
#include "test.h"

#include "debuginfo/dwarf.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static struct arena *arena;
static char top[] = "/tmp/kdebug-XXXXXX";

static bool sh(const char *fmt, ...) PRINTF_LIKE(1, 2);
static bool sh(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = arena_vprintf(arena, fmt, ap);
	va_end(ap);
	return system(arena_printf(arena, "cd %s && { %s; }", top, text)) == 0;
}

static struct world *open_top(void)
{
	struct world *w = NULL;
	struct err *e = world_open(arena, top, &w);
	CHECK(!e && w);
	return w;
}

/* A program plays the kernel: its notes are what the kernel tells of itself, its symbols lie 0x7000000 higher. */
static bool make_kernel(void)
{
	struct utsname u;
	return !uname(&u) &&
	       sh("mkdir -p sys/kernel proc usr/lib/debug/boot sys/module/tiny/notes sys/module/tiny/sections usr/lib/debug/lib/modules/%s/kernel",
		  u.release) &&
	       sh("printf 'int _stext(int n) { int twice = n * 2; return twice; }\\nint main(void) { return _stext(4); }\\n' >k.c") &&
	       sh("printf '\\nint unlisted(int n) { return n + 1; }\\n' >other.c; cc -g -O0 -c other.c && objcopy -R .debug_aranges other.o") &&
	       sh("cc -g -O0 -no-pie -Wl,--build-id=sha1 -o usr/lib/debug/boot/vmlinux-%s k.c other.o", u.release) &&
	       sh("objcopy -O binary --only-section=.note.gnu.build-id usr/lib/debug/boot/vmlinux-%s sys/kernel/notes", u.release) &&
	       sh("printf '%%016x T _stext\\n' $((0x$(nm usr/lib/debug/boot/vmlinux-%s | grep ' _stext' | cut -d' ' -f1) + 0x7000000)) >proc/kallsyms",
		  u.release);
}

static bool make_module(void)
{
	struct utsname u;
	return !uname(&u) && sh("printf 'int tiny_add(int a, int b)\\n{\\n\\tint sum = a + b;\\n\\treturn sum;\\n}\\n' >t.c") &&
	       sh("cc -g -O0 -c -ffunction-sections -fno-asynchronous-unwind-tables -o t.o t.c && ld -r --build-id=sha1 -o usr/lib/debug/lib/modules/%s/kernel/tiny.ko t.o",
		  u.release) &&
	       sh("objcopy -O binary --only-section=.note.gnu.build-id usr/lib/debug/lib/modules/%s/kernel/tiny.ko "
		  "sys/module/tiny/notes/.note.gnu.build-id", u.release) &&
	       sh("echo 0xffffffffc0123000 >sys/module/tiny/sections/.text.tiny_add; echo 0xffffffffc0122000 >sys/module/tiny/sections/.text");
}

static void note(void *arg, const struct dwarf_func *f)
{
	*(struct dwarf_func *)arg = *f;
}

static void test_kernel(void)
{
	struct world *w = open_top();
	const char *why = NULL;
	uint64_t bias = 1;
	struct dwarf_func f = {0};
	struct dwarf *d = kernel_dwarf(w, NULL, &why);
	CHECK(d && d == kernel_dwarf(w, "vmlinux", NULL));
	CHECK(kernel_bias(w, NULL, &bias) && bias == 0x7000000);
	if (d)
		dwarf_functions(d, "_stext", DWARF_CONCRETE, arena, note, &f);
	CHECK(f.entry && f.entry < 1 << 24);
	world_close(w);
}

/* A frame of the kernel: the unit is in the list of units' code or, like that of other.c, is not. */
static void check_site(struct world *w, const char *function, const char *file, uint32_t line)
{
	struct dwarf_site site = {0};
	uint64_t linked = 0;
	const struct elf_symbol *sym = elf_symbol_by_name(kernel_debug_file(w, NULL, false, NULL), function);
	struct dwarf *d = kernel_dwarf_here(w, NULL, (sym ? sym->value : 0) + 4 + 0x7000000, &linked);
	CHECK(sym && d && linked == sym->value + 4);
	CHECK(d && dwarf_sites_at(d, linked, &site, 1) == 1 && str_eq(site.function, function) && !site.is_inlined);
	CHECK(site.file && str_has_suffix(site.file, file) && *site.file == '/' && site.line == line);
}

static void test_sites(void)
{
	uint64_t linked;
	struct world *w = open_top();
	check_site(w, "main", "/k.c", 2);
	check_site(w, "unlisted", "/other.c", 2);
	check_site(w, "_stext", "/k.c", 1);
	CHECK(!kernel_dwarf_here(w, "nothing", 0xffffffffc0123000, &linked));
	struct dwarf_site site = {0};
	struct dwarf *d = kernel_dwarf_here(w, "tiny", 0xffffffffc0123004, &linked);
	CHECK(d && linked == 0xffffffffc0123004 && dwarf_sites_at(d, linked, &site, 1) == 1);
	CHECK(str_eq(site.function, "tiny_add") && str_has_suffix(site.file, "/t.c") && site.line == 2);
	world_close(w);
}

static void note_line(void *arg, const struct dwarf_line *l)
{
	uint64_t *pc = arg;
	if (!*pc || l->pc < *pc)
		*pc = l->pc;
}

static void test_module(void)
{
	struct world *w = open_top();
	const char *why = NULL;
	uint64_t bias = 1, pc = 0;
	struct dwarf_func f = {0};
	struct dwarf_vars vars = {0};
	struct dwarf *d = kernel_dwarf(w, "tiny", &why);
	CHECK(d != NULL);
	if (!d)
		return;
	CHECK(kernel_bias(w, "tiny", &bias) && !bias);
	dwarf_functions(d, "tiny_add", DWARF_CONCRETE, arena, note, &f);
	CHECK(f.entry == 0xffffffffc0123000);
	dwarf_lines(d, "t.c", 4, 4, note_line, &pc);
	CHECK(pc > f.entry && pc < f.entry + 64);
	dwarf_variables(d, pc, 0, DWARF_AT_PC, false, arena, &vars);
	CHECK(vars.list.len == 3);
	for (size_t i = 0; i < vars.list.len; i++)
		CHECK(vars.list.at[i]->loc != NULL);
	vec_free(&vars.list);
	world_close(w);
}

static void test_refused(void)
{
	struct utsname u;
	const char *why = "";
	CHECK(!uname(&u) && sh("echo 'int _stext(int n) { return n; } int main(void) { return _stext(5); }' >k.c") &&
	      sh("cc -g -O0 -no-pie -Wl,--build-id=sha1 -o usr/lib/debug/boot/vmlinux-%s k.c", u.release));
	struct world *w = open_top();
	CHECK(!kernel_dwarf(w, NULL, &why));
	CHECK(strstr(why, "was made for another build of the kernel") && strstr(why, "/boot/vmlinux-"));
	world_close(w);
	CHECK(sh("rm -r usr sys/kernel/notes"));
	w = open_top();
	CHECK(!kernel_dwarf(w, NULL, &why) && strstr(why, "does not tell its build-id"));
	CHECK(!kernel_dwarf(w, "nothing", &why) && strstr(why, "module nothing"));
	world_close(w);
}

int main(void)
{
	arena = arena_create();
	CHECK(mkdtemp(top) != NULL);
	unsetenv("DEBUGINFOD_URLS");
	CHECK(make_kernel() && make_module());
	test_kernel();
	test_sites();
	test_module();
	test_refused();
	CHECK(sh("rm -r %s", top));
	arena_destroy(arena);
	return test_end();
}
