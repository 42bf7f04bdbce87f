/*
 * dwarf_search.c - which units know a name?
 *
 * Entries name themselves by a 4-byte offset into .debug_str, or by an index into .debug_str_offsets, or by the text
 * itself.  Looking for the text in the string section and then for its offset in the bytes of the units goes at the
 * speed of memory; a unit that holds neither need not be decoded.  False hits only cost time.  Where something was found is kept
 * for the next run.
 */
#include "debuginfo/cache_dir.h"
#include "debuginfo/dwarf_internal.h"

#include <stdlib.h>

enum { MAX_OFFSETS = 32 };

struct section {
	const uint8_t *data;
	size_t n;
};

struct dwarf_needle {
	struct section info;
	char *text; /* with its NUL; NULL: only offsets are looked for */
	uint32_t offset[MAX_OFFSETS];
	unsigned n;
	bool all; /* no way to tell: every unit */
	uint16_t common[256]; /* of a sample of .debug_info */
};

static struct section section_of(struct dwarf *d, const char *name)
{
	struct section s;
	s.data = dwarf_section(d, name, &s.n);
	return s;
}

/*
 * Where the string starts in a string section.  A linker may let it share the tail of a longer one, but not when it
 * is there on its own.
 */
static void find_string(struct dwarf_needle *nd, const struct section *s)
{
	size_t len = strlen(nd->text) + 1;
	unsigned before = nd->n;
	for (unsigned tails = 0; tails < 2 && nd->n == before && !nd->all; tails++)
		for (const uint8_t *p = s->data, *end = s->data ? s->data + s->n : NULL;
		     p && p < end && (p = memmem(p, (size_t)(end - p), nd->text, len)); p++) {
			bool whole = p == s->data || !p[-1];
			if (!whole && !tails)
				continue;
			if (nd->n == MAX_OFFSETS || (size_t)(p - s->data) > UINT32_MAX) {
				nd->all = true;
				return;
			}
			nd->offset[nd->n++] = (uint32_t)(p - s->data);
		}
}

/* How often each byte value occurs, from a sample: the search looks for the rarest byte of its needle first. */
static void sample(struct dwarf_needle *nd)
{
	enum { SAMPLES = 4096 };
	size_t step = nd->info.n / SAMPLES + 1;
	for (size_t i = 0; i < nd->info.n; i += step | 1)
		nd->common[nd->info.data[i]]++;
}

static bool find_bytes(const struct dwarf_needle *nd, const uint8_t *from, const uint8_t *to, const uint8_t *bytes, size_t len)
{
	size_t rare = 0;
	for (size_t i = 1; i < len; i++)
		if (nd->common[bytes[i]] < nd->common[bytes[rare]])
			rare = i;
	if ((size_t)(to - from) < len)
		return false;
	const uint8_t *p = from + rare, *last = to - (len - rare) + 1;
	while (p < last && (p = memchr(p, bytes[rare], (size_t)(last - p)))) {
		if (!memcmp(p - rare, bytes, len))
			return true;
		p++;
	}
	return false;
}

static struct dwarf_needle *make_needle(struct dwarf *d, const char *name)
{
	struct dwarf_needle *nd = xcalloc(1, sizeof(*nd));
	struct section str = section_of(d, ".debug_str"), indexes = section_of(d, ".debug_str_offsets");
	nd->info = section_of(d, ".debug_info");
	nd->text = xstrdup(name);
	/* a dwz file has strings elsewhere; names by index are not told apart by unit; split units are other files */
	nd->all = dwarf_getalt(d->dw) || indexes.n || !nd->info.n || strpbrk(name, "*?[");
	if (!nd->all)
		find_string(nd, &str);
	if (!nd->all)
		sample(nd);
	return nd;
}

static bool needle_in(const struct dwarf_needle *nd, const struct dwarf_unit *u)
{
	if (nd->all || u->cu.addr != u->die.addr || u->begin >= nd->info.n)
		return true;
	const uint8_t *from = nd->info.data + u->begin, *to = nd->info.data + MIN(u->end, (uint64_t)nd->info.n);
	for (unsigned i = 0; i < nd->n; i++)
		if (find_bytes(nd, from, to, (const uint8_t *)&nd->offset[i], 4))
			return true;
	return nd->text && find_bytes(nd, from, to, (const uint8_t *)nd->text, strlen(nd->text) + 1);
}

static void free_needle(struct dwarf_needle *nd)
{
	if (!nd)
		return;
	free(nd->text);
	free(nd);
}

/* --- references between units ------------------------------------------------------------------------------------ */

static bool skip_uleb(struct section *s, uint64_t *ret)
{
	for (unsigned shift = 0; s->n; shift += 7) {
		uint8_t byte = *s->data++;
		s->n--;
		if (shift < 64)
			*ret = (shift ? *ret : 0) | (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* Does any kind of entry refer to another unit (DW_FORM_ref_addr)?  DWARF 5, 7.5.3: code, tag, children, (attribute, form)*. */
static bool has_far_refs(struct section s)
{
	uint64_t code, tag, attr, form, constant;
	while (skip_uleb(&s, &code)) {
		if (!code)
			continue;
		if (!skip_uleb(&s, &tag) || !s.n)
			return false;
		s.data++;
		s.n--;
		while (skip_uleb(&s, &attr) && skip_uleb(&s, &form) && (attr || form)) {
			if (form == DW_FORM_ref_addr)
				return true;
			if (form == DW_FORM_implicit_const && !skip_uleb(&s, &constant))
				return false;
		}
	}
	return false;
}

void dwarf_search_ref(struct dwarf_search *s, uint64_t offset)
{
	struct dwarf *d = s->d;
	if (d->far_refs == DWARF_UNKNOWN)
		d->far_refs = has_far_refs(section_of(d, ".debug_abbrev")) ? DWARF_YES : DWARF_NO;
	if (s->kept || s->second || !s->needle || d->far_refs == DWARF_NO)
		return;
	if (!s->refs) {
		s->refs = xcalloc(1, sizeof(*s->refs));
		s->refs->info = section_of(d, ".debug_info");
		sample(s->refs);
	}
	s->refs->all |= s->refs->n == MAX_OFFSETS || offset > UINT32_MAX;
	if (!s->refs->all)
		s->refs->offset[s->refs->n++] = (uint32_t)offset;
}

/* --- what earlier runs found ---------------------------------------------------------------------------------- */

/* Tells two files apart that have one build-id: the debug file as the compiler made it and as dwz did. */
static uint64_t fingerprint(struct dwarf *d)
{
	static const char *const names[] = {".debug_info", ".debug_abbrev", ".debug_str", ".debug_line"};
	enum { SAMPLES = 64, BYTES = 64 };
	uint64_t h = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct section s = section_of(d, names[i]);
		h = hash_num(h ^ s.n);
		for (size_t k = 0; s.data && s.n > BYTES && k < SAMPLES; k++)
			h = hash_num(h ^ hash_bytes(s.data + (s.n - BYTES) / SAMPLES * k, BYTES));
	}
	return h;
}

/* "BUILDID.names", heap; NULL: nothing is kept of this file.  Parts of it that may come and go (.dwo, dwz) would make it wrong. */
static char *kept_name(struct dwarf *d)
{
	size_t n, alt;
	const uint8_t *id = elf_build_id(d->file, &n);
	bool whole = !d->is_split && (dwarf_getalt(d->dw) || !dwarf_section(d, ".gnu_debugaltlink", &alt));
	if (!id || n < 8 || n > 32 || *d->world->root || d->fd < 0 || !whole)
		return NULL;
	struct buf name = {0};
	for (size_t i = 0; i < n; i++)
		buf_printf(&name, "%02x", id[i]);
	buf_puts(&name, ".names");
	return name.data;
}

static struct kept *get_kept(struct dwarf *d)
{
	size_t n, units;
	if (d->asked_kept)
		return d->kept;
	d->asked_kept = true;
	dwarf_units(d, &units);
	_cleanup_free_ char *name = kept_name(d);
	_cleanup_free_ uint8_t *data = name ? cache_read(name, &n) : NULL;
	if (name)
		d->kept = kept_read(data, data ? n : 0, fingerprint(d));
	return d->kept;
}

void dwarf_keep(struct dwarf *d)
{
	struct buf out = {0};
	_cleanup_free_ char *name = d->kept && kept_is_changed(d->kept) ? kept_name(d) : NULL;
	if (!name)
		return;
	kept_pack(d->kept, CACHE_MAX_FILE, fingerprint(d), &out);
	cache_write(name, out.data, out.len);
	buf_free(&out);
}

/* --- a search ----------------------------------------------------------------------------------------------------- */

void dwarf_search_begin(struct dwarf_search *s, struct dwarf *d, const char *name, const char *question, ...)
{
	va_list ap;
	*s = (struct dwarf_search){.d = d};
	va_start(ap, question);
	buf_vprintf(&s->question, question, ap);
	va_end(ap);
	struct kept *k = get_kept(d);
	s->kept = k ? kept_get(k, buf_str(&s->question), &s->nkept) : NULL;
	if (!s->kept && name)
		s->needle = make_needle(d, name);
}

const struct dwarf_unit *dwarf_search_next(struct dwarf_search *s)
{
	size_t n;
	const struct dwarf_unit *u = dwarf_units(s->d, &n);
	if (s->kept) {
		uint32_t i = s->next < s->nkept ? s->kept[s->next++] : UINT32_MAX;
		return i < n ? &u[i] : NULL;
	}
	while (s->next < n) {
		const struct dwarf_unit *at = &u[s->next++];
		bool named = !s->needle || needle_in(s->needle, at);
		if (s->second ? !named && needle_in(s->refs, at) : named)
			return at;
	}
	if (s->second || !s->refs)
		return NULL;
	s->second = true;
	s->next = 0;
	return dwarf_search_next(s);
}

void dwarf_search_hit(struct dwarf_search *s)
{
	uint32_t i = (uint32_t)s->next - 1;
	if (!s->kept && (!s->hit.len || vec_last(&s->hit) != i))
		vec_push(&s->hit, i);
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

void dwarf_search_end(struct dwarf_search *s)
{
	struct kept *k = get_kept(s->d);
	if (s->second && s->hit.len)
		qsort(s->hit.at, s->hit.len, sizeof(*s->hit.at), by_number);
	if (!s->kept && k)
		kept_set(k, buf_str(&s->question), s->hit.at, (uint32_t)s->hit.len);
	free_needle(s->needle);
	free_needle(s->refs);
	buf_free(&s->question);
	vec_free(&s->hit);
}
