/*
 * cdef_header.c - #include: where headers lie, and which of them are read.
 *
 * Headers of the kernel are only read when a script names something that neither BTF nor the script defines: a
 * constant of theirs, mostly.  They have tables of their own then, so that BTF's types stay what they are.
 */
#include "lang/bt/cdef.h"

#if defined(__aarch64__)
#define KERNEL_ARCH "arm64"
#define CPU_MACRO "__aarch64__"
#else
#define KERNEL_ARCH "x86"
#define CPU_MACRO "__x86_64__"
#endif

enum {
	MAX_FILES = 256,
	MAX_FILE_DEPTH = 24
};

/* What compilers define by themselves, as far as headers ask for it. */
void cdef_predefine(struct bt_cdefs *c)
{
	static const char *const known[][2] = {
		{CPU_MACRO, "1"},
		{"__LP64__", "1"},
		{"_LP64", "1"},
		{"__linux__", "1"},
		{"__unix__", "1"},
		{"__STDC__", "1"},
		{"__STDC_VERSION__", "201710"},
		{"__SIZEOF_POINTER__", "8"},
		{"__SIZEOF_LONG__", "8"},
		{"__CHAR_BIT__", "8"},
		{"__SCHAR_MAX__", "127"},
		{"__SHRT_MAX__", "32767"},
		{"__INT_MAX__", "2147483647"},
		{"__LONG_MAX__", "9223372036854775807"},
		{"__LONG_LONG_MAX__", "9223372036854775807"},
		{"__ORDER_LITTLE_ENDIAN__", "1234"},
		{"__ORDER_BIG_ENDIAN__", "4321"},
		{"__BYTE_ORDER__", "1234"},
		{"__SIZE_TYPE__", "unsigned long"},
		{"__PTRDIFF_TYPE__", "long"},
		{"__WCHAR_TYPE__", "int"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		strtab_set(&c->macros, known[i][0], (void *)(uintptr_t)known[i][1]);
}

/* Headers of the kernel: BTF knows their types, and most scripts ask them for nothing else. */
static bool is_kernel_header(const char *name)
{
	static const char *const dirs[] = {"linux/",     "net/",         "asm/",  "uapi/",
					   "trace/",     "asm-generic/", "vdso/", "scsi/",
					   "crypto/",    "drm/",         "rdma/", "sound/",
					   "generated/", "media/",       "video/"};
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (str_has_prefix(name, dirs[i]))
			return true;
	return false;
}

static bool read_header(struct creader *r, const char *dir, const char *name, bool quiet)
{
	if (!r->in->world || r->depth >= MAX_FILE_DEPTH || r->c->nfiles >= MAX_FILES)
		return true; /* enough: as if it were there */
	const char *path = arena_printf(r->in->arena, "%s%s%s", dir, *dir ? "/" : "", name);
	size_t len;
	char *text = read_file(path, &len);
	if (!text || len > 4u << 20) {
		base_free(text);
		return false;
	}
	r->c->nfiles++;
	struct source *src = arena_new(r->in->arena, struct source);
	*src = (struct source){
		.name = path, .text = arena_memdup(r->in->arena, text, len + 1), .len = len};
	base_free(text);
	struct creader sub = {.in = r->in,
			      .c = r->c,
			      .src = src,
			      .end = (uint32_t)len,
			      .depth = r->depth + 1,
			      .quiet = quiet};
	cdef_read(&sub);
	return true;
}

/* The directory of the file that includes. */
static const char *dir_of(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? arena_strndup(a, path, (size_t)(slash - path)) : "";
}

/* Where the headers of the running kernel are installed, with its source or what was built of it. */
static bool in_kernel_tree(struct creader *r, const char *name)
{
	static const char *const below[] = {
		"include",		      "include/uapi",
		"include/generated/uapi",     "arch/" KERNEL_ARCH "/include",
		"arch/" KERNEL_ARCH "/include/uapi", "arch/" KERNEL_ARCH "/include/generated",
		"arch/" KERNEL_ARCH "/include/generated/uapi"};
	const char *const tree[] = {r->in->kernel_source, r->in->kernel_build};
	for (size_t t = 0; t < ARRAY_SIZE(tree); t++)
		for (size_t i = 0; tree[t] && i < ARRAY_SIZE(below); i++)
			if (read_header(r, arena_printf(r->in->arena, "%s/%s", tree[t], below[i]), name,
					true))
				return true;
	return false;
}

void cdef_include(struct creader *r, const char *name, bool quoted, struct loc loc)
{
	static const char *const system_dirs[] = {"/usr/include", "/usr/include/x86_64-linux-gnu",
						  "/usr/include/aarch64-linux-gnu",
						  "/usr/local/include"};
	const char *root = r->in->world && r->in->world->root ? r->in->world->root : "";
	if (*name == '/' && read_header(r, "", name, r->quiet))
		return;
	if (quoted && read_header(r, dir_of(r->in->arena, r->src->name), name, r->quiet))
		return;
	for (unsigned i = 0; i < r->in->ninclude_dirs; i++)
		if (read_header(r, r->in->include_dirs[i], name, r->quiet))
			return;
	if (is_kernel_header(name) && !r->quiet) {
		vec_push(&r->c->later, name);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(system_dirs); i++)
		if (read_header(r, arena_printf(r->in->arena, "%s%s", root, system_dirs[i]), name,
				true))
			return;
	if (in_kernel_tree(r, name))
		return;
	if (!r->quiet)
		diag_error(r->in->diags, loc, "fatal error: '%s' file not found", name);
}

/* --- the kernel's headers, when they are needed ---------------------------------------------------- */

struct bt_cdefs *cdef_headers(struct lang_input *in, struct bt_cdefs *c)
{
	static const struct source nowhere = {.name = "", .text = ""};
	if (c->headers || !c->later.len)
		return c->headers;
	c->headers = arena_new(in->arena, struct bt_cdefs);
	cdef_predefine(c->headers);
	struct creader r = {.in = in, .c = c->headers, .src = &nowhere, .quiet = true};
	vec_each(name, &c->later)
		cdef_include(&r, *name, false, (struct loc){0});
	return c->headers;
}

bool bt_cdef_header_macro(struct lang_input *in, struct bt_cdefs *c, const char *name,
			  const char **text_ret)
{
	struct bt_cdefs *headers = cdef_headers(in, c);
	*text_ret = headers ? strtab_get(&headers->macros, name) : NULL;
	return *text_ret && **text_ret;
}
