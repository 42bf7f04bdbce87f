/*
 * tracefs.c - tracepoints: which there are, and the layout of their records.
 *
 * events/CATEGORY/NAME/format describes a record by lines such as
 *	field:const char * filename;	offset:24;	size:8;	signed:0;
 * The C text is the kernel source's, so that its type can be narrower than the field: system call
 *arguments are kept as whole registers whatever the argument's type is.
 */
#include "debuginfo/internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

struct field_line {
	char *decl; /* "const char * filename" */
	char *type, *name;
	uint32_t offset, size;
	bool is_signed;
	bool is_array, data_loc, rel_loc;
	uint32_t count; /* the number in the brackets, 0 when there is none */
};

/* --- C type text
 * ------------------------------------------------------------------------------------------ */

/* Integer types whose size needs no look-up; the long spellings with their words in any order of
 * the source. */
static const struct {
	const char *name;
	uint8_t size;
	bool is_signed;
} c_ints[] = {
	{"char",		   1, true },
	{"signed char",            1, true },
	{"unsigned char",          1, false},
	{"short",		  2, true },
	{"short int",              2, true },
	{"unsigned short",         2, false},
	{"short unsigned int",     2, false},
	{"int",		    4, true },
	{"unsigned",               4, false},
	{"unsigned int",           4, false},
	{"long",		   8, true },
	{"long int",               8, true },
	{"unsigned long",          8, false},
	{"long unsigned int",      8, false},
	{"long long",              8, true },
	{"long long int",          8, true },
	{"unsigned long long",     8, false},
	{"long long unsigned int", 8, false},
	{"s8",		     1, true },
	{"u8",		     1, false},
	{"__u8",		   1, false},
	{"uint8_t",                1, false},
	{"s16",		    2, true },
	{"u16",		    2, false},
	{"__u16",		  2, false},
	{"uint16_t",               2, false},
	{"s32",		    4, true },
	{"u32",		    4, false},
	{"__u32",		  4, false},
	{"__s32",		  4, true },
	{"int32_t",                4, true },
	{"uint32_t",               4, false},
	{"s64",		    8, true },
	{"u64",		    8, false},
	{"__u64",		  8, false},
	{"__s64",		  8, true },
	{"int64_t",                8, true },
	{"uint64_t",               8, false},
	{"size_t",                 8, false},
	{"ssize_t",                8, true },
	{"loff_t",                 8, true },
	{"pid_t",		  4, true },
	{"uid_t",		  4, false},
	{"gid_t",		  4, false},
	{"umode_t",                2, false},
	{"uint",		   4, false},
};

/* Takes "const", "volatile", "__user" and such out, one blank between words.  Counts stars. */
static char *plain_type(const char *text, struct arena *a, unsigned *stars, bool *is_user)
{
	static const char *const dropped[] = {"const",   "volatile", "restrict", "__restrict",
					      "__iomem", "__rcu",    "__percpu", "__seg_gs"};
	char *out = arena_alloc(a, strlen(text) + 1), *end = out;
	while (*text) {
		size_t n = strcspn(text, " \t*");
		if (!n) {
			*stars += *text++ == '*';
			continue;
		}
		bool drop = n == 6 && !memcmp(text, "__user", n);
		*is_user |= drop;
		for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
			drop |= strlen(dropped[i]) == n && !memcmp(text, dropped[i], n);
		if (!drop) {
			if (end > out)
				*end++ = ' ';
			memcpy(end, text, n);
			end += n;
		}
		text += n;
	}
	*end = 0;
	return out;
}

static struct type *new_int(struct arena *a, uint32_t size, bool is_signed, const char *name)
{
	struct type *t = arena_new(a, struct type);
	*t = (struct type){.kind = TYPE_INT, .size = size, .is_signed = is_signed, .name = name};
	return t;
}

static struct type *from_btf(struct world *w, const char *text, enum addr_space as)
{
	static const struct {
		const char *prefix;
		enum btf_namespace ns;
	} words[] = {
		{"struct ", BTF_NS_STRUCT },
		{"union ",  BTF_NS_UNION  },
		{"enum ",   BTF_NS_ENUM   },
		{"",        BTF_NS_TYPEDEF}
        };
	struct btf *b = world_btf(w, NULL);
	size_t i = 0;
	while (!str_has_prefix(text, words[i].prefix))
		i++;
	uint32_t id = b ? btf_find(b, words[i].ns, text + strlen(words[i].prefix)) : 0;
	return id ? btf_type(b, id, as, w->arena) : NULL;
}

/* A struct that nobody describes: pointers to it can be kept and printed. */
static struct type *unknown_pointee(struct world *w, const char *text)
{
	struct type *t = arena_new(w->arena, struct type);
	if (str_has_prefix(text, "struct ") || str_has_prefix(text, "union ")) {
		t->kind = *text == 's' ? TYPE_STRUCT : TYPE_UNION;
		t->name = strchr(text, ' ') + 1;
	}
	return t; /* TYPE_NONE: as void * */
}

/* A type without stars; size and sign are the field's, for names that nothing else explains. */
static struct type *base_type(struct world *w, const char *text, enum addr_space as)
{
	for (size_t i = 0; i < ARRAY_SIZE(c_ints); i++)
		if (!strcmp(text, c_ints[i].name))
			return new_int(w->arena, c_ints[i].size, c_ints[i].is_signed,
				       c_ints[i].name);
	if (!strcmp(text, "bool") || !strcmp(text, "_Bool")) {
		struct type *t = new_int(w->arena, 1, false, "bool");
		t->kind = TYPE_BOOL;
		return t;
	}
	return from_btf(w, text, as);
}

static struct type *pointer_type(struct world *w, const char *base, unsigned stars,
				 enum addr_space as)
{
	struct type *t = !strcmp(base, "void") || strchr(base, '(') ? NULL : base_type(w, base, as);
	if (!t)
		t = unknown_pointee(w, base);
	for (; stars; stars--) {
		struct type *p = arena_new(w->arena, struct type);
		*p = (struct type){.kind = TYPE_PTR, .size = 8, .as = (uint8_t)as, .elem = t};
		t = p;
	}
	return t;
}

/* --- fields
 * ------------------------------------------------------------------------------------------------
 */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static void cut_prefix(struct field_line *f, const char *prefix, bool *flag)
{
	if (str_has_prefix(f->type, prefix)) {
		*flag = true;
		f->type += strlen(prefix);
	}
}

/* "char comm[16]", "__data_loc char[] name": the name is the last word outside brackets. */
static bool split_decl(struct field_line *f, struct arena *a)
{
	char *s = arena_strdup(a, f->decl), *end = s + strlen(s);
	if (end > s && end[-1] == ']') {
		char *open = strrchr(s, '[');
		if (!open)
			return false;
		f->is_array = true;
		f->count = (uint32_t)strtoul(open + 1, NULL, 10);
		*open = 0;
		end = open;
	}
	while (end > s && end[-1] == ' ')
		*--end = 0;
	char *name = end;
	while (name > s && is_word(name[-1]))
		name--;
	if (name == end || name == s)
		return false;
	f->name = arena_strdup(a, name);
	*name = 0;
	f->type = s;
	cut_prefix(f, "__data_loc ", &f->data_loc);
	cut_prefix(f, "__rel_loc ", &f->rel_loc);
	char *brackets = strchr(f->type, '[');
	if (brackets) {
		f->is_array = true;
		*brackets = 0;
	}
	return true;
}

static bool number_after(const char *line, const char *key, uint32_t *ret)
{
	const char *s = strstr(line, key);
	if (!s)
		return false;
	*ret = (uint32_t)strtoul(s + strlen(key), NULL, 10);
	return true;
}

static bool parse_field(char *line, struct field_line *f, struct arena *a)
{
	char *decl = strstr(line, "field:");
	char *end = decl ? strchr(decl, ';') : NULL;
	uint32_t is_signed = 0;
	if (!end || !number_after(end, "offset:", &f->offset) ||
	    !number_after(end, "size:", &f->size))
		return false;
	number_after(end, "signed:", &is_signed);
	f->is_signed = is_signed;
	f->decl = arena_strndup(a, decl + 6, (size_t)(end - decl - 6));
	return split_decl(f, a);
}

static bool is_register_size(uint32_t n)
{
	return n == 1 || n == 2 || n == 4 || n == 8;
}

/* Bytes that nothing describes. */
static struct type *byte_array(struct arena *a, uint32_t n)
{
	struct type *t = arena_new(a, struct type);
	*t = (struct type){
		.kind = TYPE_ARRAY, .size = n, .count = n, .elem = new_int(a, 1, false, NULL)};
	return t;
}

static struct type *array_type(struct world *w, const struct field_line *f, struct type *elem)
{
	uint32_t each = elem ? elem->size : f->count ? f->size / f->count : 1;
	if (!elem || !each || f->size % each)
		return byte_array(w->arena, f->size);
	struct type *t = arena_new(w->arena, struct type);
	*t = (struct type){
		.kind = TYPE_ARRAY, .size = f->size, .elem = elem, .count = f->size / each};
	return t;
}

static struct type *field_type(struct world *w, const struct field_line *f, enum addr_space as)
{
	unsigned stars = 0;
	bool is_user = false;
	const char *base = plain_type(f->type, w->arena, &stars, &is_user);
	if (is_user)
		as = AS_USER;
	if (f->rel_loc)
		return new_int(w->arena, 4, false,
			       NULL); /* the word itself: no such event is known */
	if (f->data_loc)
		return pointer_type(w, base, stars + 1, AS_KERNEL);
	if (stars && !f->is_array)
		return f->size == 8 ? pointer_type(w, base, stars, as)
				    : byte_array(w->arena, f->size);
	struct type *t = stars ? pointer_type(w, base, stars, as) : NULL;
	/* Plain fields of a register's size need no BTF, unless they are enums, whose names are
	 * shown, or registers of system calls, which may hold something narrower. */
	bool look_up = f->is_array || as == AS_USER || !is_register_size(f->size) ||
		       str_has_prefix(base, "enum ") || !strcmp(base, "bool");
	for (size_t i = 0; !t && i < ARRAY_SIZE(c_ints); i++)
		look_up |= !strcmp(base, c_ints[i].name);
	if (!t && look_up)
		t = base_type(w, base, as);
	if (f->is_array)
		return array_type(w, f, t);
	if (t && t->size && t->size <= f->size)
		return t;
	return is_register_size(f->size) ? new_int(w->arena, f->size, f->is_signed, NULL)
					 : byte_array(w->arena, f->size);
}

static void add_field(struct world *w, struct tp_format *tp, const struct field_line *line)
{
	struct type *r = tp->record;
	bool is_user = !strcmp(tp->category, "syscalls") && str_has_prefix(tp->name, "sys_enter_");
	tp->decl[r->nfield] = line->decl;
	struct field *f = &r->field[r->nfield++];
	f->name = line->name;
	f->offset = line->offset;
	f->data_loc = line->data_loc;
	f->type = field_type(w, line, is_user ? AS_USER : AS_KERNEL);
	r->size = MAX(r->size, line->offset + line->size);
}

struct tp_format *tracefs_parse_format(struct world *w, const char *category, const char *name,
				       char *text)
{
	struct arena *a = w->arena;
	struct tp_format *tp = arena_new(a, struct tp_format);
	tp->category = arena_strdup(a, category);
	tp->name = arena_strdup(a, name);
	tp->record = arena_new(a, struct type);
	tp->record->kind = TYPE_STRUCT;
	tp->record->is_ctx_based = true;
	tp->record->name = arena_printf(a, "_tracepoint_%s_%s", category, name);
	size_t lines = 1;
	for (const char *s = text; *s; s++)
		lines += *s == '\n';
	tp->record->field = arena_array(a, struct field, lines);
	tp->decl = arena_array(a, const char *, lines);
	bool common = true; /* until the first empty line */
	for (char *s = text, *end; *s; s = *end ? end + 1 : end) {
		end = strchrnul(s, '\n');
		bool last = !*end;
		*end = 0;
		struct field_line line = {0};
		if (str_has_prefix(s, "ID: "))
			tp->id = (uint32_t)strtoul(s + 4, NULL, 10);
		else if (str_has_prefix(s, "print fmt:"))
			break;
		else if (!*s)
			common = false;
		else if (!common && parse_field(s, &line, a))
			add_field(w, tp, &line);
		if (last)
			break;
		*end = '\n';
	}
	return tp;
}

static bool is_plain_name(const char *s)
{
	return *s && *s != '.' && !strchr(s, '/');
}

struct tp_format *tracefs_format(struct world *w, const char *category, const char *name)
{
	if (!w->tracefs || !is_plain_name(category) || !is_plain_name(name))
		return NULL;
	_cleanup_free_ char *key = xasprintf("%s:%s", category, name);
	struct tp_format *tp = strtab_get(&w->tp_cache, key);
	if (tp)
		return tp;
	_cleanup_free_ char *path = xasprintf("%s/events/%s/%s/format", w->tracefs, category, name);
	_cleanup_free_ char *text = read_file(path, NULL);
	if (!text)
		return NULL;
	tp = tracefs_parse_format(w, category, name, text);
	strtab_set(&w->tp_cache, key, tp);
	return tp;
}

/* --- which events there are
 * ------------------------------------------------------------------------------- */

static int is_event_dir(const struct dirent *d)
{
	return d->d_name[0] != '.' && (d->d_type == DT_DIR || d->d_type == DT_UNKNOWN);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Sorted names of the folders in a folder; each freed by the caller, and the array. */
static int folders(const char *path, struct dirent ***ret)
{
	*ret = NULL;
	return scandir(path, ret, is_event_dir, by_name);
}

/* "ftrace" holds the tracers' own records: nothing can attach there. */
static void events_in(const char *top, const char *category, void (*fn)(void *arg, const char *category, const char *name), void *arg)
{
	if (!strcmp(category, "ftrace"))
		return;
	_cleanup_free_ char *path = xasprintf("%s/%s", top, category);
	struct dirent **event;
	int n = folders(path, &event);
	for (int i = 0; i < n; i++) {
		fn(arg, category, event[i]->d_name);
		free(event[i]);
	}
	free(event);
}

void tracefs_events_of(struct world *w, const char *category,
		       void (*fn)(void *arg, const char *category, const char *name), void *arg)
{
	if (!w->tracefs)
		return;
	_cleanup_free_ char *top = xasprintf("%s/events", w->tracefs);
	if (!strpbrk(category, "*/")) {
		events_in(top, category, fn, arg);
		return;
	}
	struct dirent **dir;
	int n = folders(top, &dir);
	for (int i = 0; i < n; i++) {
		if (glob_match(category, dir[i]->d_name))
			events_in(top, dir[i]->d_name, fn, arg);
		free(dir[i]);
	}
	free(dir);
}

void tracefs_events(struct world *w, void (*fn)(void *arg, const char *category, const char *name),
		    void *arg)
{
	tracefs_events_of(w, "*", fn, arg);
}
