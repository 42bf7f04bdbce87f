/* btf.c - opening BTF, and finding types by name. */
#include "debuginfo/btf_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

/* Bounded by the next place that is noted: an index that was kept by another run says where records start, not that they are sound. */
const struct btf_type *btf_record(const struct btf *b, uint32_t id)
{
	if (b->base && id < b->first_id)
		return btf_record(b->base, id);
	if (id < b->first_id || id - b->first_id >= b->count)
		return NULL;
	uint32_t i = id - b->first_id, step = i / BTF_STEP, at = b->checkpoint[step];
	uint32_t end = step < (b->count - 1) / BTF_STEP ? b->checkpoint[step + 1] : b->types_len;
	if (!btf_bytes_touch(&b->bytes, b->types + at, end - at))
		return NULL;
	for (i %= BTF_STEP; end - at >= sizeof(struct btf_type); i--) {
		const struct btf_type *t = (const struct btf_type *)(b->types + at);
		uint32_t size = btf_record_size(t);
		if (size > end - at)
			break;
		if (!i)
			return t;
		at += size;
	}
	return NULL;
}

const char *btf_string(const struct btf *b, uint32_t offset)
{
	if (b->base && offset < b->first_string)
		return btf_string(b->base, offset);
	offset -= b->first_string;
	return offset < b->strings_len ? btf_bytes_string(&b->bytes, b->strings + offset) : "";
}

bool btf_is_modifier(uint32_t kind)
{
	return kind == BTF_KIND_CONST || kind == BTF_KIND_VOLATILE || kind == BTF_KIND_RESTRICT ||
	       kind == BTF_KIND_TYPEDEF || kind == BTF_KIND_TYPE_TAG;
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

static struct err *find_sections(struct btf *b)
{
	const struct btf_header *h = (const void *)b->bytes.data;
	if (!btf_bytes_touch(&b->bytes, h, MIN(b->bytes.len, sizeof(*h))))
		return err_new(EIO, "BTF cannot be read");
	struct err *e = check_header(h, b->bytes.len);
	if (e)
		return e;
	b->types = (const uint8_t *)h + h->hdr_len + h->type_off;
	b->types_len = h->type_len;
	b->strings = (const char *)h + h->hdr_len + h->str_off;
	b->strings_len = h->str_len;
	if (!h->str_len)
		return NULL;
	const char *last = b->strings + h->str_len - 1;
	if (!btf_bytes_touch(&b->bytes, b->strings, 1) || !btf_bytes_touch(&b->bytes, last, 1))
		return err_new(EIO, "BTF cannot be read");
	return *last || (!b->base && *b->strings) ? err_new(EINVAL, "BTF strings do not end") : NULL;
}

/* Takes what `bytes` owns, and `kept`: see struct btf. */
static struct err *open_bytes(struct btf_bytes bytes, struct btf *base, char *kept, struct btf **ret)
{
	struct btf *b = xcalloc(1, sizeof(*b));
	*ret = NULL;
	b->bytes = bytes;
	b->kept_name = kept;
	b->arena = arena_create();
	b->base = base;
	b->first_id = base ? base->first_id + base->count : 1;
	b->first_string = base ? base->first_string + base->strings_len : 0;
	struct err *e = find_sections(b);
	if (!e && !btf_kept_load(b, BTF_INDEX_TYPES))
		e = btf_scan(b);
	if (!e) {
		*ret = b;
		return NULL;
	}
	name_index_free(&b->index[BTF_INDEX_TYPES]); /* of a part: not kept */
	btf_close(b);
	return e;
}

struct err *btf_open_bytes(const void *data, size_t n, struct btf *base, struct btf **ret)
{
	struct btf_bytes bytes;
	btf_bytes_borrow(data, n, &bytes);
	return open_bytes(bytes, base, NULL, ret);
}

static struct err *open_file(const char *path, struct btf *base, char *kept, struct btf **ret)
{
	struct btf_bytes bytes;
	struct err *e = btf_bytes_open(path, &bytes);
	if (e) {
		free(kept);
		return e;
	}
	e = open_bytes(bytes, base, kept, ret);
	return e ? err_note(e, "%s", path) : NULL;
}

void btf_close(struct btf *b)
{
	if (!b)
		return;
	for (unsigned i = 0; i < BTF_INDEXES; i++) {
		btf_kept_save(b, (enum btf_index)i);
		name_index_free(&b->index[i]);
		free(b->kept[i]);
	}
	numtab_free(&b->cache);
	arena_destroy(b->arena);
	free(b->checkpoint);
	free(b->kept_name);
	btf_bytes_close(&b->bytes);
	free(b);
}

struct btf *world_btf(struct world *w, struct err **err)
{
	if (err)
		*err = NULL;
	if (w->btf)
		return w->btf;
	struct err *e = NULL;
	if (!w->btf_failed && w->btf_path)
		e = open_file(w->btf_path, NULL, btf_kept_name(w), &w->btf);
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
	struct err *e = open_file(path, base, NULL, &b);
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

/* --- names ------------------------------------------------------------------------------------------------------------ */

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

uint32_t btf_find(struct btf *b, enum btf_namespace ns, const char *name)
{
	const struct name_index *ix = btf_names(b, ns == BTF_NS_FUNC ? BTF_INDEX_FUNCS : BTF_INDEX_TYPES);
	uint32_t hash = name_hash(name, strlen(name)), pos = hash, id;
	while ((id = name_index_next(ix, hash, &pos))) {
		const struct btf_type *t = btf_record(b, id);
		if (t && kind_is_in(btf_kind(t), ns) && !strcmp(btf_string(b, t->name_off), name))
			return id;
	}
	return b->base ? btf_find(b->base, ns, name) : 0;
}

void btf_each(struct btf *b, enum btf_namespace ns,
	      void (*fn)(void *arg, const char *name, uint32_t id), void *arg)
{
	for (struct btf_cursor c = btf_first(b); c.t; btf_next(b, &c))
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

/* --- enumerators ------------------------------------------------------------------------------------------------------ */

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

bool btf_enumerator(struct btf *b, const char *name, int64_t *value_ret, uint32_t *enum_ret)
{
	const struct name_index *ix = btf_names(b, BTF_INDEX_ENUMERATORS);
	uint32_t hash = name_hash(name, strlen(name)), pos = hash, id;
	while ((id = name_index_next(ix, hash, &pos))) {
		const struct btf_type *t = btf_record(b, id);
		for (uint32_t k = 0; t && btf_is_enum(t) && k < btf_vlen(t); k++) {
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
