/* elf_test.c - ELF files, paths, USDT notes and user symbols, on this very program. */
#include "test.h"

#include "debuginfo/internal.h"
#include "debuginfo/perf_map.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct arena *arena;
static struct world *w;

/* Symbols to look for: one function with two names, one that only this file sees. */
int elf_test_target(int x);
__attribute__((noinline)) int elf_test_target(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}
int elf_test_alias(int x) __attribute__((alias("elf_test_target")));
static __attribute__((noinline, used)) int hidden_function(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x * 3;
}

/* A static probe as <sys/sdt.h> makes one, by hand; its semaphore is in the data. */
unsigned short elf_test_semaphore __attribute__((section(".probes"))) = 0;
static __attribute__((noinline, used)) void fire(long value)
{
	__asm__ volatile(
		"990:	nop\n"
		"	.pushsection .note.stapsdt,\"\",\"note\"\n"
		"	.balign 4\n"
		"	.4byte 992f-991f, 994f-993f, 3\n"
		"991:	.asciz \"stapsdt\"\n"
		"992:	.balign 4\n"
		"993:	.8byte 990b\n"
		"	.8byte _.stapsdt.base\n"
		"	.8byte elf_test_semaphore\n"
		"	.asciz \"demo\"\n"
		"	.asciz \"fired\"\n"
		"	.asciz \"-8@%0\"\n"
		"994:	.balign 4\n"
		"	.popsection\n"
		"	.ifndef _.stapsdt.base\n"
		"	.pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"
		"	.weak _.stapsdt.base\n"
		"	.hidden _.stapsdt.base\n"
		"_.stapsdt.base: .space 1\n"
		"	.size _.stapsdt.base, 1\n"
		"	.popsection\n"
		"	.endif\n" ::"r"(value));
}

static struct elf_file *open_self(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	struct elf_file *f = NULL;
	struct err *e = elf_open(w, path, &f);
	CHECK(!e && f);
	return f;
}

static void test_symbols(void)
{
	struct elf_file *f = open_self(), *again = NULL;
	struct err *e = elf_open(w, elf_path(f), &again);
	CHECK(!e && again == f);
	const struct elf_symbol *s = elf_symbol_by_name(f, "elf_test_target");
	CHECK(s && s->is_func && s->is_global && !s->is_undefined && s->size);
	uint64_t offset = 0, vaddr = 0;
	CHECK(elf_offset_of(f, s->value, &offset) && offset == s->file_offset);
	CHECK(elf_vaddr_of(f, offset, &vaddr) && vaddr == s->value);
	CHECK(!elf_offset_of(f, ~0ull - 5, &offset));
	/* of two names the same one each time, both by name */
	const struct elf_symbol *alias = elf_symbol_by_name(f, "elf_test_alias");
	CHECK(alias && alias->value == s->value);
	CHECK_STR(elf_symbol_at(f, s->value + s->size - 1)->name, "elf_test_alias");
	const struct elf_symbol *local = elf_symbol_by_name(f, "hidden_function");
	CHECK(local && local->is_func && !local->is_global);
	CHECK_STR(elf_symbol_at(f, local->value)->name, "hidden_function");
	CHECK(!elf_symbol_by_name(f, "no_such_function"));
	CHECK(!elf_symbol_at(f, 0x7fffffffffff));
	size_t n, len;
	const struct elf_symbol *all = elf_symbols(f, &n);
	bool sorted = true;
	for (size_t i = 1; i < n; i++)
		sorted &= all[i - 1].value <= all[i].value;
	CHECK(n > 20 && sorted);
	CHECK(elf_build_id(f, &len) && len == 20);
}

static void test_usdt(void)
{
	struct elf_file *f = open_self();
	size_t n;
	const struct usdt_site *site = elf_usdt(f, &n);
	CHECK(n == 1);
	if (n != 1)
		return;
	CHECK_STR(site->provider, "demo");
	CHECK_STR(site->name, "fired");
	CHECK(str_has_prefix(site->args, "-8@%"));
	const struct elf_symbol *s = elf_symbol_by_name(f, "fire");
	CHECK(s && site->pc >= s->value && site->pc < s->value + s->size);
	CHECK(site->file_offset >= s->file_offset && site->file_offset < s->file_offset + s->size);
	s = elf_symbol_by_name(f, "elf_test_semaphore");
	CHECK(s && site->semaphore == s->value && site->semaphore_offset == s->file_offset);
}

static const char *resolve_one(const char *spec)
{
	struct str_list paths = {0};
	struct err *e = elf_resolve_path(w, spec, &paths);
	const char *ret = !e && paths.list.len == 1 ? paths.list.at[0] : NULL;
	err_free(e);
	vec_free(&paths.list);
	return ret;
}

static void test_paths(void)
{
	const char *path = resolve_one("sh");
	CHECK(path && str_has_suffix(path, "/sh"));
	path = resolve_one("libc.so.6");
	CHECK(path && strstr(path, "/libc.so.6"));
	CHECK_STR(resolve_one("libc"), path);
	CHECK_STR(resolve_one("/bin/sh"), "/bin/sh");
	CHECK(!resolve_one("no-such-program-anywhere") && !resolve_one("/no/such/file"));
	CHECK(!resolve_one("") && !resolve_one("/proc/self/maps*"));
	struct elf_file *f = NULL;
	struct err *e = elf_open(w, "/proc/self/maps", &f);
	CHECK(e && !f);
	err_free(e);
	e = elf_open(w, "/", &f);
	CHECK(e && !f);
	err_free(e);
}

/* A loader's cache of one library, whose name is cut off byte by byte. */
static void test_ldcache(void)
{
	char file[48 + 24 + 32] = "glibc-ld.so.cache1.1";
	uint32_t flags = 0x0303, key = 72, value = 82, count = 1;
	uint64_t hwcap = 0;
#if defined(__aarch64__)
	flags = 0x0a03;
#endif
	memcpy(file + 20, &count, 4);
	memcpy(file + 48, &flags, 4);
	memcpy(file + 52, &key, 4);
	memcpy(file + 56, &value, 4);
	memcpy(file + 64, &hwcap, 8);
	memcpy(file + 72, "libx.so.2", 10);
	memcpy(file + 82, "/lib/libx.so.2", 15);
	CHECK_STR(ldcache_search(file, sizeof(file), "libx.so.2"), "/lib/libx.so.2");
	CHECK_STR(ldcache_search(file, sizeof(file), "libx"), "/lib/libx.so.2");
	CHECK_STR(ldcache_search(file, sizeof(file), "libx.so"), "/lib/libx.so.2");
	CHECK(!ldcache_search(file, sizeof(file), "lib"));
	CHECK(!ldcache_search(file, sizeof(file), "libx.so.3"));
	for (size_t n = 0; n < 96; n++) {
		char *exact = malloc(n ? n : 1);
		memcpy(exact, file, n);
		CHECK(!ldcache_search(exact, n, "libx"));
		free(exact);
	}
}

static void test_demangle(void)
{
	char *name = demangle("_ZN2ns3fooEiPKc");
#if HAVE_LIBIBERTY
	CHECK_STR(name, "ns::foo(int, char const*)");
#else
	CHECK(!name);
#endif
	free(name);
	CHECK(!demangle("main") && !demangle("_Z") && !demangle(""));
}

static void test_usyms(void)
{
	struct usyms *u = usyms_create(w);
	struct usym s;
	uint32_t me = (uint32_t)getpid();
	uint64_t here = (uint64_t)(uintptr_t)hidden_function;
	CHECK(usyms_resolve(u, me, here + 1, &s));
	CHECK_STR(s.name, "hidden_function");
	CHECK(s.offset == 1 && s.module && strstr(s.module, "elf_test"));
	CHECK(usyms_resolve(u, me, (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "getpid"), &s));
	CHECK_STR(s.name, "getpid");
	CHECK(!usyms_resolve(u, me, 16, &s) && !s.name && !s.module);

	/* a child keeps its names after it has gone; what was never seen has none */
	int pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	usyms_pid_seen(u, (uint32_t)pid);
	usyms_fork(u, (uint32_t)pid, 4000001);
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	CHECK(usyms_resolve(u, (uint32_t)pid, here, &s));
	CHECK_STR(s.name, "hidden_function");
	CHECK(usyms_resolve(u, 4000001, here, &s));
	CHECK(!usyms_resolve(u, 4000002, here, &s));
	usyms_pid_exec(u, 4000001);
	CHECK(!usyms_resolve(u, 4000001, here, &s));
	usyms_fork(u, (uint32_t)pid, 4000001);
	usyms_mmap(u, 4000001, here & ~4095ull, 4096, 0, "/no/file", NULL);
	CHECK(!usyms_resolve(u, 4000001, here, &s) && usyms_resolve(u, (uint32_t)pid, here, &s));
	usyms_forget(u, 4000001);
	CHECK(!usyms_resolve(u, 4000001, here, &s) && !s.module);

	/* mappings that come as events: the middle of one is replaced */
	const char *self = elf_path(open_self());
	const struct elf_symbol *target = elf_symbol_by_name(open_self(), "elf_test_target");
	usyms_mmap(u, 4000003, 0x10000000, 0x1000000, 0, self, NULL);
	CHECK(usyms_resolve(u, 4000003, 0x10000000 + target->file_offset, &s));
	usyms_mmap(u, 4000003, 0x10000000 + (target->file_offset & ~4095ull), 4096, 0, "/no/file", NULL);
	CHECK(!usyms_resolve(u, 4000003, 0x10000000 + target->file_offset, &s));
	CHECK_STR(s.module, "/no/file");
	usyms_mmap(u, 4000003, 0x10000000, 0x1000000, 0, self, NULL);
	CHECK(usyms_resolve(u, 4000003, 0x10000000 + target->file_offset + 2, &s) && s.offset == 2);

	/* a path that leads to another file than the one that was mapped gives no names */
	struct stat st;
	CHECK(!stat(self, &st));
	struct file_id id = {.dev = st.st_dev, .inode = st.st_ino};
	usyms_mmap(u, 4000004, 0x10000000, 0x1000000, 0, self, &id);
	CHECK(usyms_resolve(u, 4000004, 0x10000000 + target->file_offset, &s));
	id.inode++;
	usyms_mmap(u, 4000005, 0x10000000, 0x1000000, 0, self, &id);
	CHECK(!usyms_resolve(u, 4000005, 0x10000000 + target->file_offset, &s));
	CHECK_STR(s.module, self);
	id.dev++; /* of an overlay: inodes of two devices are not compared */
	usyms_mmap(u, 4000006, 0x10000000, 0x1000000, 0, self, &id);
	CHECK(usyms_resolve(u, 4000006, 0x10000000 + target->file_offset, &s));
	id = (struct file_id){.build_id = {1, 2, 3}, .build_id_len = 20};
	usyms_mmap(u, 4000007, 0x10000000, 0x1000000, 0, self, &id);
	CHECK(!usyms_resolve(u, 4000007, 0x10000000 + target->file_offset, &s));

	/* and where two files were one after the other, nobody knows which of them an address is of */
	id = (struct file_id){.dev = st.st_dev, .inode = st.st_ino};
	usyms_mmap(u, 4000008, 0x10000000, 0x1000000, 0, "/no/file", NULL);
	usyms_mmap(u, 4000008, 0x10000000, 0x1000000, 0, self, &id);
	CHECK(!usyms_resolve(u, 4000008, 0x10000000 + target->file_offset, &s) && !s.module);
	usyms_pid_exec(u, 4000008);
	usyms_mmap(u, 4000008, 0x10000000, 0x1000000, 0, self, &id);
	CHECK(usyms_resolve(u, 4000008, 0x10000000 + target->file_offset, &s));
	usyms_destroy(u);
}

static void test_perf_map(void)
{
	struct perf_map *m = perf_map_from_text("1000 20 first function\n2000 10 old\n"
						"not a line\n2000 10 new\n3000\n");
	uint64_t offset;
	CHECK_STR(perf_map_find(m, 0x101f, &offset), "first function");
	CHECK(offset == 0x1f);
	CHECK_STR(perf_map_find(m, 0x2001, &offset), "new");
	CHECK(!perf_map_find(m, 0x1020, &offset) && !perf_map_find(m, 0, &offset) &&
	      !perf_map_find(m, 0x3000, &offset));
	perf_map_free(m);
	m = perf_map_from_text("1000 100 gone\n1040 10 piece\n1080 40 other\n");
	CHECK_STR(perf_map_find(m, 0x1044, &offset), "piece");
	CHECK_STR(perf_map_find(m, 0x1060, &offset), "gone");
	CHECK(offset == 0x60);
	perf_map_free(m);
}

static void append(FILE *f, const char *text)
{
	CHECK(fputs(text, f) >= 0 && !fflush(f));
	usleep(60000); /* the map is not looked at all the time */
}

/* A file that grows, is written anew, is replaced, and is not the process's own. */
static void test_perf_map_file(void)
{
	uint32_t pid = (uint32_t)getpid();
	_cleanup_free_ char *path = xasprintf("/tmp/perf-%u.map", pid);
	struct perf_map *m = perf_map_open(pid, "");
	uint64_t offset;
	FILE *f;

	unlink(path);
	CHECK(!perf_map_find(m, 0x5000, &offset));
	f = fopen(path, "w");
	append(f, "5000 10 one\n5010 10 half");
	CHECK_STR(perf_map_find(m, 0x5000, &offset), "one");
	CHECK(!perf_map_find(m, 0x5010, &offset));
	append(f, "way\n4000 10 before\n5000 8 again\n");
	CHECK_STR(perf_map_find(m, 0x5000, &offset), "again");
	CHECK_STR(perf_map_find(m, 0x5009, &offset), "one");
	CHECK_STR(perf_map_find(m, 0x5010, &offset), "halfway");
	CHECK_STR(perf_map_find(m, 0x400f, &offset), "before");
	f = freopen(path, "w", f);
	append(f, "6000 10 anew\n");
	CHECK(!perf_map_find(m, 0x5000, &offset));
	CHECK_STR(perf_map_find(m, 0x6000, &offset), "anew");
	fclose(f);
	unlink(path);
	f = fopen(path, "w");
	append(f, "6000 10 another file\n");
	CHECK_STR(perf_map_find(m, 0x6000, &offset), "another file");
	fclose(f);
	unlink(path);
	usleep(60000);
	CHECK_STR(perf_map_find(m, 0x6000, &offset), "another file");
	perf_map_free(m);
	m = perf_map_open(pid, "");
	if (!symlink("/proc/self/maps", path)) /* another file's text is nobody's names */
		perf_map_refresh(m);
	CHECK(!perf_map_find(m, 0x6000, &offset));
	unlink(path);
	perf_map_free(m);
}

static void test_map_line(void)
{
	char line[] =
		"7f0000001000-7f0000002000 r-xp 00003000 08:01 1234    /lib/with a space.so\n";
	struct map_line m;
	CHECK(parse_map_line(line, &m) && m.start == 0x7f0000001000 && m.offset == 0x3000);
	CHECK(m.is_exec && !strcmp(m.path, "/lib/with a space.so"));
	char anonymous[] = "1000-2000 rw-p 00000000 00:00 0 ", junk[] = "hello", empty[] = "";
	CHECK(parse_map_line(anonymous, &m) && !*m.path && !m.is_exec);
	CHECK(!parse_map_line(junk, &m) && !parse_map_line(empty, &m));
}

int main(void)
{
	arena = arena_create();
	struct err *e = world_open(arena, NULL, &w);
	CHECK(!e);
	if (elf_test_alias(elf_test_target(1)) + hidden_function(1) == 0)
		fire(1);
	test_symbols();
	test_usdt();
	test_paths();
	test_ldcache();
	test_demangle();
	test_map_line();
	test_perf_map();
	test_perf_map_file();
	test_usyms();
	world_close(w);
	arena_destroy(arena);
	return test_end();
}
