/* btf.c - opening BTF, checking its records once, and finding types by name. */
#include "debuginfo/btf_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Each kind's record: what follows struct btf_type (fixed bytes, and bytes for each of vlen) and
 * the index that holds its names.  A table and no switch: the kinds of 130,000 records cannot be
 * predicted.
 */
static const struct {
	uint8_t known, fixed, each, index;
} layout[32] = {
	[BTF_KIND_INT] = {1, 4, 0, BTF_INDEX_TYPES},
	[BTF_KIND_PTR] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_ARRAY] = {1, sizeof(struct btf_array), 0, BTF_INDEXES},
	[BTF_KIND_STRUCT] = {1, 0, sizeof(struct btf_member), BTF_INDEX_TYPES},
	[BTF_KIND_UNION] = {1, 0, sizeof(struct btf_member), BTF_INDEX_TYPES},
	[BTF_KIND_ENUM] = {1, 0, sizeof(struct btf_enum), BTF_INDEX_TYPES},
	[BTF_KIND_FWD] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_TYPEDEF] = {1, 0, 0, BTF_INDEX_TYPES},
	[BTF_KIND_VOLATILE] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_CONST] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_RESTRICT] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_FUNC] = {1, 0, 0, BTF_INDEX_FUNCS},
	[BTF_KIND_FUNC_PROTO] = {1, 0, sizeof(struct btf_param_record), BTF_INDEXES},
	[BTF_KIND_VAR] = {1, sizeof(struct btf_var), 0, BTF_INDEX_TYPES},
	[BTF_KIND_DATASEC] = {1, 0, sizeof(struct btf_var_secinfo), BTF_INDEXES},
	[BTF_KIND_FLOAT] = {1, 0, 0, BTF_INDEX_TYPES},
	[BTF_KIND_DECL_TAG] = {1, sizeof(struct btf_decl_tag), 0, BTF_INDEXES},
	[BTF_KIND_TYPE_TAG] = {1, 0, 0, BTF_INDEXES},
	[BTF_KIND_ENUM64] = {1, 0, sizeof(struct btf_enum64), BTF_INDEX_TYPES},
};

uint32_t btf_record_size(const struct btf_type *t)
{
	uint32_t kind = btf_kind(t);
	return (uint32_t)sizeof(*t) + layout[kind].fixed + btf_vlen(t) * layout[kind].each;
}

const struct btf_type *btf_record(const struct btf *b, uint32_t id)
{
	if (b->base && id < b->first_id)
		return btf_record(b->base, id);
	if (id < b->first_id || id - b->first_id >= b->count)
		return NULL;
	uint32_t i = id - b->first_id;
	const uint8_t *at = b->types + b->checkpoint[i / BTF_STEP];
	for (i %= BTF_STEP; i; i--)
		at += btf_record_size((const struct btf_type *)at);
	return (const struct btf_type *)at;
}

const char *btf_string(const struct btf *b, uint32_t offset)
{
	if (b->base && offset < b->first_string)
		return btf_string(b->base, offset);
	offset -= b->first_string;
	return offset < b->strings_len ? b->strings + offset : "";
}

bool btf_is_modifier(uint32_t kind)
{
	return kind == BTF_KIND_CONST || kind == BTF_KIND_VOLATILE || kind == BTF_KIND_RESTRICT ||
	       kind == BTF_KIND_TYPEDEF || kind == BTF_KIND_TYPE_TAG;
}

static bool is_enum(const struct btf_type *t)
{
	return btf_kind(t) == BTF_KIND_ENUM || btf_kind(t) == BTF_KIND_ENUM64;
}

static void add_name(struct btf *b, struct name_index *ix, const struct btf_type *t, uint32_t id)
{
	const char *name = btf_string(b, t->name_off);
	name_index_add(ix, name_hash(name, strlen(name)), id);
}

/*
 * One walk over all records: that each lies within the section, where some of them start, how many
 * names. The names of types go into their index on the way, since somebody will ask for one; for
 * how many there are it can only be guessed (kernels have one for about 170 bytes), and when the
 * guess is too low the index is built later as the others are.
 */
static struct err *scan(struct btf *b)
{
	struct name_index *ix = &b->index[BTF_INDEX_TYPES];
	uint32_t at = 0, len = b->types_len, guess = len / 140 + 16, *named = b->named;
	name_index_init(ix, guess, b->first_id + len / (uint32_t)sizeof(struct btf_type));
	b->checkpoint = xmalloc((len / sizeof(struct btf_type) / BTF_STEP + 1) * sizeof(uint32_t));
	while (len - at >= sizeof(struct btf_type)) {
		const struct btf_type *t = (const struct btf_type *)(b->types + at);
		if (!layout[btf_kind(t)].known)
			return err_new(EINVAL, "BTF type %u has the unknown kind %u",
				       b->first_id + b->count, btf_kind(t));
		uint32_t size = btf_record_size(t);
		if (size > len - at)
			break;
		/* the next page: its translation is what takes long, and no hardware fetches that
		 */
		__builtin_prefetch(b->types + at + 4096);
		if (b->count % BTF_STEP == 0)
			b->checkpoint[b->count / BTF_STEP] = at;
		uint32_t index = layout[btf_kind(t)].index;
		if (t->name_off && named[index]++ < guess && index == BTF_INDEX_TYPES)
			add_name(b, ix, t, b->first_id + b->count);
		b->count++;
		at += size;
	}
	if (named[BTF_INDEX_TYPES] > guess)
		name_index_free(ix);
	if (at != len)
		return err_new(EINVAL, "BTF type %u does not end within the data",
			       b->first_id + b->count);
	return NULL;
}

static struct err *check_header(const struct btf_header *h, size_t n)
{
	if (n < sizeof(*h) || h->magic != BTF_MAGIC)
		return err_new(EINVAL, "not BTF of this byte order");
	if (h->version != BTF_VERSION || h->hdr_len < sizeof(*h) || h->hdr_len > n)
		return err_new(EINVAL, "BTF version %u with a header of %u bytes is not known",
			       h->version, h->hdr_len);
	size_t body = n - h->hdr_len;
	if (h->type_off % 4 || h->hdr_len % 4 || h->type_off > body ||
	    h->type_len > body - h->type_off)
		return err_new(EINVAL, "BTF types lie outside the data");
	if (h->str_off > body || h->str_len > body - h->str_off)
		return err_new(EINVAL, "BTF strings lie outside the data");
	return NULL;
}

struct err *btf_open_bytes(const void *data, size_t n, struct btf *base, struct btf **ret)
{
	*ret = NULL;
	void *copy = NULL;
	if ((uintptr_t)data % 4) {
		copy = xmalloc(n);
		data = memcpy(copy, data, n);
	}
	const struct btf_header *h = data;
	struct err *e = check_header(h, n);
	const char *strings = NULL;
	if (!e) {
		strings = (const char *)data + h->hdr_len + h->str_off;
		if (h->str_len && (strings[h->str_len - 1] || (!base && strings[0])))
			e = err_new(EINVAL, "BTF strings do not end");
	}
	if (e) {
		free(copy);
		return e;
	}
	struct btf *b = xcalloc(1, sizeof(*b));
	b->copy = copy;
	b->arena = arena_create();
	b->base = base;
	b->types = (const uint8_t *)data + h->hdr_len + h->type_off;
	b->strings = strings;
	b->strings_len = h->str_len;
	b->first_id = base ? base->first_id + base->count : 1;
	b->first_string = base ? base->first_string + base->strings_len : 0;
	b->types_len = h->type_len;
	e = scan(b);
	if (e) {
		btf_close(b);
		return e;
	}
	*ret = b;
	return NULL;
}

void btf_close(struct btf *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < BTF_INDEXES; i++)
		name_index_free(&b->index[i]);
	numtab_free(&b->cache);
	arena_destroy(b->arena);
	free(b->checkpoint);
	free(b->copy);
	if (b->map)
		munmap(b->map, b->map_len);
	free(b);
}

/* Kernels before 6.16 cannot map the file: it is read then. */
static struct err *open_file(const char *path, struct btf *base, struct btf **ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("cannot open %s", path);
	size_t n = (size_t)st.st_size;
	void *map = n ? mmap(NULL, n, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0) : MAP_FAILED;
	if (map != MAP_FAILED) {
		struct err *e = btf_open_bytes(map, n, base, ret);
		if (e) {
			munmap(map, n);
			return err_note(e, "%s", path);
		}
		(*ret)->map = map;
		(*ret)->map_len = n;
		return NULL;
	}
	char *data = read_file(path, &n);
	if (!data)
		return err_errno("cannot read %s", path);
	struct err *e = btf_open_bytes(data, n, base, ret);
	if (e) {
		free(data);
		return err_note(e, "%s", path);
	}
	(*ret)->copy = data; /* malloc is aligned, so there was no other copy */
	return NULL;
}

struct btf *world_btf(struct world *w, struct err **err)
{
	if (err)
		*err = NULL;
	if (w->btf)
		return w->btf;
	struct err *e = NULL;
	if (!w->btf_failed && w->btf_path)
		e = open_file(w->btf_path, NULL, &w->btf);
	else if (err)
		e = err_new(ENOENT, "no kernel BTF");
	w->btf_failed = !w->btf;
	if (e)
		e = err_hint(e, "the kernel must be built with CONFIG_DEBUG_INFO_BTF");
	if (err)
		*err = e;
	else
		err_free(e);
	return w->btf;
}

struct btf *world_module_btf(struct world *w, const char *module)
{
	if (!strcmp(module, "vmlinux"))
		return world_btf(w, NULL);
	struct btf *b = strtab_get(&w->module_btf, module);
	struct btf *base = b || strchr(module, '/') ? NULL : world_btf(w, NULL);
	if (!base)
		return b;
	_cleanup_free_ char *path = xasprintf("%s/sys/kernel/btf/%s", w->root, module);
	struct err *e = open_file(path, base, &b);
	err_free(e);
	if (b)
		strtab_set(&w->module_btf, module, b);
	return b;
}

void world_btf_modules(struct world *w, struct arena *a, struct str_list *ret)
{
	_cleanup_free_ char *path = xasprintf("%s/sys/kernel/btf", w->root);
	DIR *dir = opendir(path);
	for (struct dirent *d; dir && (d = readdir(dir));)
		if (d->d_name[0] != '.' && strcmp(d->d_name, "vmlinux") != 0)
			vec_push(&ret->list, arena_strdup(a, d->d_name));
	if (dir)
		closedir(dir);
}

/* --- names
 * --------------------------------------------------------------------------------------------- */

static bool kind_is_in(uint32_t kind, enum btf_namespace ns)
{
	static const uint32_t kinds[] = {
		[BTF_NS_STRUCT] = 1u << BTF_KIND_STRUCT,
		[BTF_NS_UNION] = 1u << BTF_KIND_UNION,
		[BTF_NS_ENUM] = 1u << BTF_KIND_ENUM | 1u << BTF_KIND_ENUM64,
		[BTF_NS_TYPEDEF] = 1u << BTF_KIND_TYPEDEF,
		[BTF_NS_BASE] = 1u << BTF_KIND_INT | 1u << BTF_KIND_FLOAT,
		[BTF_NS_FUNC] = 1u << BTF_KIND_FUNC,
		[BTF_NS_VAR] = 1u << BTF_KIND_VAR,
	};
	return kinds[ns] >> kind & 1;
}

/* Walks a reader's own types: `for (struct cursor c = first(b); c.t; next(b, &c))`. */
struct cursor {
	const struct btf_type *t;
	uint32_t id;
};

static struct cursor first(const struct btf *b)
{
	return (struct cursor){b->count ? (const void *)b->types : NULL, b->first_id};
}

static void next(const struct btf *b, struct cursor *c)
{
	const uint8_t *at = (const uint8_t *)c->t + btf_record_size(c->t);
	c->t = at < b->types + b->types_len ? (const void *)at : NULL;
	c->id++;
}

static void build_index(struct btf *b, enum btf_index which)
{
	struct name_index *ix = &b->index[which];
	name_index_init(ix, b->named[which], b->first_id + b->count);
	for (struct cursor c = first(b); c.t; next(b, &c))
		if (layout[btf_kind(c.t)].index == which && c.t->name_off)
			add_name(b, ix, c.t, c.id);
}

uint32_t btf_find(struct btf *b, enum btf_namespace ns, const char *name)
{
	enum btf_index which = ns == BTF_NS_FUNC ? BTF_INDEX_FUNCS : BTF_INDEX_TYPES;
	struct name_index *ix = &b->index[which];
	if (!ix->mask)
		build_index(b, which);
	uint32_t hash = name_hash(name, strlen(name)), pos = hash, id;
	while ((id = name_index_next(ix, hash, &pos))) {
		const struct btf_type *t = btf_record(b, id);
		if (kind_is_in(btf_kind(t), ns) && !strcmp(btf_string(b, t->name_off), name))
			return id;
	}
	return b->base ? btf_find(b->base, ns, name) : 0;
}

void btf_each(struct btf *b, enum btf_namespace ns,
	      void (*fn)(void *arg, const char *name, uint32_t id), void *arg)
{
	for (struct cursor c = first(b); c.t; next(b, &c))
		if (kind_is_in(btf_kind(c.t), ns) && c.t->name_off)
			fn(arg, btf_string(b, c.t->name_off), c.id);
}

bool btf_func(struct btf *b, uint32_t id, struct btf_params *params, uint32_t *ret_type_id)
{
	const struct btf_type *t = btf_record(b, id);
	if (t && btf_kind(t) == BTF_KIND_FUNC)
		t = btf_record(b, t->type);
	if (!t || btf_kind(t) != BTF_KIND_FUNC_PROTO)
		return false;
	const struct btf_param_record *p = (const void *)(t + 1);
	for (uint32_t i = 0; i < btf_vlen(t); i++)
		vec_push(&params->list,
			 (struct btf_param){btf_string(b, p[i].name_off), p[i].type});
	*ret_type_id = t->type;
	return true;
}

/* --- enumerators
 * ---------------------------------------------------------------------------------------- */

const char *btf_enumerator_name(const struct btf *b, const struct btf_type *t, uint32_t i)
{
	return btf_string(b, btf_kind(t) == BTF_KIND_ENUM
				     ? ((const struct btf_enum *)(t + 1))[i].name_off
				     : ((const struct btf_enum64 *)(t + 1))[i].name_off);
}

int64_t btf_enumerator_value(const struct btf_type *t, uint32_t i)
{
	if (btf_kind(t) == BTF_KIND_ENUM) {
		int32_t v = ((const struct btf_enum *)(t + 1))[i].val;
		return btf_kflag(t) ? v : (int64_t)(uint32_t)v;
	}
	const struct btf_enum64 *e = (const struct btf_enum64 *)(t + 1) + i;
	return (int64_t)((uint64_t)e->val_hi32 << 32 | e->val_lo32);
}

/* Enumerators are indexed to their enum: few share one. */
static void index_enumerators(struct btf *b)
{
	struct name_index *ix = &b->index[BTF_INDEX_ENUMERATORS];
	uint32_t n = 0;
	for (struct cursor c = first(b); c.t; next(b, &c))
		n += is_enum(c.t) ? btf_vlen(c.t) : 0;
	name_index_init(ix, n, b->first_id + b->count);
	for (struct cursor c = first(b); c.t; next(b, &c))
		for (uint32_t k = 0; is_enum(c.t) && k < btf_vlen(c.t); k++) {
			const char *name = btf_enumerator_name(b, c.t, k);
			name_index_add(ix, name_hash(name, strlen(name)), c.id);
		}
}

bool btf_enumerator(struct btf *b, const char *name, int64_t *value_ret, uint32_t *enum_ret)
{
	struct name_index *ix = &b->index[BTF_INDEX_ENUMERATORS];
	if (!ix->mask)
		index_enumerators(b);
	uint32_t hash = name_hash(name, strlen(name)), pos = hash, id;
	while ((id = name_index_next(ix, hash, &pos))) {
		const struct btf_type *t = btf_record(b, id);
		for (uint32_t k = 0; k < btf_vlen(t); k++) {
			if (strcmp(btf_enumerator_name(b, t, k), name) != 0)
				continue;
			*value_ret = btf_enumerator_value(t, k);
			if (enum_ret)
				*enum_ret = id;
			return true;
		}
	}
	return b->base && btf_enumerator(b->base, name, value_ret, enum_ret);
}
