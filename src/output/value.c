/* value.c - typed bytes as text: one value as bpftrace's print() shows it. */
#include "output/parts.h"

enum {
	MAX_DEPTH = 16
}; /* of structs in structs; types nest by value, so this is only a belt */

static uint64_t load(const uint8_t *p, uint32_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, MIN(n, 8u)); /* little-endian machines only, like the wire formats */
	return v;
}

bool value_is_signed(const struct type *t)
{
	return t->kind != TYPE_PTR && t->kind != TYPE_KSYM && t->is_signed;
}

int64_t value_int(const struct value *v)
{
	uint32_t n = MIN(v->type->size ? v->type->size : v->size, v->size);
	if (!v->data || !n)
		return 0;
	uint64_t u = load(v->data, n);
	if (n >= 8 || !value_is_signed(v->type))
		return (int64_t)u;
	unsigned shift = 64 - 8 * n;
	return (int64_t)(u << shift) >> shift;
}

struct stats_wire value_stats(const struct value *v)
{
	struct stats_wire s = {0, 0};
	if (v->size >= sizeof(s))
		memcpy(&s, v->data, sizeof(s));
	return s;
}

int64_t stats_average(const struct stats_wire *s, bool is_signed)
{
	if (!s->count)
		return 0;
	return is_signed ? (int64_t)s->total / (int64_t)s->count : (int64_t)(s->total / s->count);
}

int64_t value_number(const struct value *v)
{
	switch (v->type->kind) {
	case TYPE_COUNT:
	case TYPE_SUM:
	case TYPE_MIN:
	case TYPE_MAX: /* struct minmax_wire starts with the value */ {
		return v->size >= 8 ? (int64_t)load(v->data, 8) : 0;
	}
	case TYPE_AVG:
	case TYPE_STATS: {
		struct stats_wire s = value_stats(v);
		if (v->size < sizeof(s)) /* read in the kernel already */
			return v->size >= 8 ? (int64_t)load(v->data, 8) : 0;
		return stats_average(&s, v->type->is_signed);
	}
	default: return value_int(v);
	}
}

struct value value_field(const struct value *v, const struct field *f, uint8_t room[8])
{
	struct value r = {.type = f->type};
	uint32_t n = f->bit_width ? f->type->size : type_mem_size(f->type);
	if (!n && f->offset < v->size) /* flexible array, empty struct */
		return r;
	if (f->offset > v->size || n > v->size - f->offset)
		return r;
	r.data = v->data + f->offset;
	r.size = n;
	if (!f->bit_width || n > 8)
		return r;
	uint64_t u = load(r.data, n) >> (f->bit_offset & 63);
	unsigned drop = 64 - MIN(f->bit_width, 64u);
	u = f->type->is_signed ? (uint64_t)((int64_t)(u << drop) >> drop) : u << drop >> drop;
	memcpy(room, &u, 8);
	r.data = room;
	return r;
}

struct value value_element(const struct value *v, uint32_t i)
{
	struct value r = {.type = v->type->elem};
	uint64_t n = type_mem_size(r.type), at = n * i;
	if (at + n <= v->size) {
		r.data = v->data + at;
		r.size = (uint32_t)n;
	}
	return r;
}

bool value_string(const struct value *v, const char **s, size_t *n)
{
	*s = v->data ? (const char *)v->data : "";
	*n = v->data ? strnlen(*s, v->size) : 0;
	uint32_t cap = v->type->kind == TYPE_ARRAY ? v->type->count : v->type->size;
	return *n && *n == cap;
}

bool value_is_char_array(const struct type *t)
{
	return t->kind == TYPE_ARRAY && t->elem && t->elem->kind == TYPE_INT &&
	       t->elem->size == 1 && str_eq(t->elem->name, "char");
}

const char *enumerator_name(struct exporter *x, const struct type *t, int64_t v)
{
	if (t->complete && x->env.prog)
		type_complete((struct type *)t, x->env.prog->arena);
	uint64_t mask = t->size >= 8 || !t->size ? ~0ull : (1ull << 8 * t->size) - 1;
	for (uint32_t i = 0; i < t->nenumerator; i++)
		if (((uint64_t)t->enumerator[i].value & mask) == ((uint64_t)v & mask))
			return t->enumerator[i].name;
	return NULL;
}

void format_buffer(const struct value *v, bool keep_ascii, bool escape, struct buf *out)
{
	uint32_t n = v->size >= 4 ? (uint32_t)load(v->data, 4) : 0;
	n = v->size >= 4 ? MIN(n, v->size - 4) : 0;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t c = v->data[4 + i];
		if (keep_ascii && c >= 32 && c <= 126)
			buf_putc(out, (char)c);
		else if (escape)
			buf_printf(out, "\\x%02x", c);
		else
			buf_printf(out, i + 1 == n ? "%02x" : "%02x ", c);
	}
}

static void format_string(struct exporter *x, const struct value *v, struct buf *out)
{
	const char *s, *trailer = x->env.prog ? x->env.prog->opt.str_trunc_trailer : NULL;
	size_t n;
	bool is_full = value_string(v, &s, &n);
	buf_add(out, s, n);
	/* an array of char need not end in NUL: nothing was cut off */
	if (is_full && v->type->kind == TYPE_STR && !v->type->is_chars)
		buf_puts(out, trailer ? trailer : "..");
}

static void format_float(const struct value *v, struct buf *out)
{
	float f = 0;
	double d = 0;
	if (v->size == 4)
		memcpy(&f, v->data, 4), d = f;
	else if (v->size == 8)
		memcpy(&d, v->data, 8);
	buf_printf(out, "%.10g", d);
}

static void format_at(struct exporter *x, const struct value *v, uint64_t div, unsigned depth,
		      struct buf *out);

/* Fields with names; anonymous members show theirs in place. */
static void format_members(struct exporter *x, const struct value *v, unsigned depth, bool *first,
			   struct buf *out)
{
	struct type *t = (struct type *)v->type;
	if (t->complete && x->env.prog)
		type_complete(t, x->env.prog->arena);
	for (uint32_t i = 0; i < t->nfield && depth < MAX_DEPTH; i++) {
		const struct field *f = &t->field[i];
		uint8_t room[8];
		struct value m = value_field(v, f, room);
		if (!f->name && (m.type->kind == TYPE_STRUCT || m.type->kind == TYPE_UNION)) {
			format_members(x, &m, depth + 1, first, out);
			continue;
		}
		buf_puts(out, *first ? "{ ." : ", .");
		*first = false;
		buf_puts(out, f->name ? f->name : "");
		buf_puts(out, " = ");
		format_at(x, &m, 1, depth + 1, out);
	}
}

static void format_tuple(struct exporter *x, const struct value *v, unsigned depth, struct buf *out)
{
	for (uint32_t i = 0; i < v->type->nfield && depth < MAX_DEPTH; i++) {
		uint8_t room[8];
		struct value m = value_field(v, &v->type->field[i], room);
		if (i)
			buf_puts(out, ", ");
		format_at(x, &m, 1, depth + 1, out);
	}
}

static void format_array(struct exporter *x, const struct value *v, unsigned depth, struct buf *out)
{
	if (value_is_char_array(v->type)) {
		format_string(x, v, out);
		return;
	}
	buf_putc(out, '[');
	for (uint32_t i = 0; i < v->type->count && depth < MAX_DEPTH; i++) {
		struct value e = value_element(v, i);
		if (i)
			buf_putc(out, ',');
		format_at(x, &e, 1, depth + 1, out);
	}
	buf_putc(out, ']');
}

static void format_number(const struct value *v, uint64_t div, struct buf *out)
{
	int64_t n = value_number(v);
	if (!value_is_signed(v->type))
		out_uint(out, (uint64_t)n / div);
	else
		out_int(out, div == 1 ? n : n / (int64_t)div);
}

static void format_stats(const struct value *v, uint64_t div, struct buf *out)
{
	struct stats_wire s = value_stats(v);
	int64_t avg = stats_average(&s, v->type->is_signed);
	buf_puts(out, "{ .count = ");
	out_uint(out, s.count);
	buf_puts(out, ", .average = ");
	v->type->is_signed ? out_int(out, avg / (int64_t)div) : out_uint(out, (uint64_t)avg / div);
	buf_puts(out, ", .total = ");
	v->type->is_signed ? out_int(out, (int64_t)s.total) : out_uint(out, s.total);
	buf_puts(out, " }");
}

static void format_probe_name(struct exporter *x, const struct value *v, struct buf *out)
{
	uint64_t i = (uint64_t)value_int(v);
	if (x->env.prog && i < x->env.prog->name.len)
		buf_puts(out, x->env.prog->name.at[i]);
}

static void format_enum(struct exporter *x, const struct value *v, struct buf *out)
{
	const char *name = enumerator_name(x, v->type, value_int(v));
	if (name)
		buf_puts(out, name);
	else
		format_number(v, 1, out);
}

static void format_mac(const struct value *v, struct buf *out)
{
	const uint8_t *b = v->data;
	if (v->size >= 6)
		buf_printf(out, "%02X:%02X:%02X:%02X:%02X:%02X", b[0], b[1], b[2], b[3], b[4],
			   b[5]);
}

static void format_at(struct exporter *x, const struct value *v, uint64_t div, unsigned depth,
		      struct buf *out)
{
	bool first = true;
	switch (v->type->kind) {
	case TYPE_INT:
	case TYPE_COUNT:
	case TYPE_SUM:
	case TYPE_MIN:
	case TYPE_MAX:
	case TYPE_AVG: format_number(v, div, out); break;
	case TYPE_STATS: format_stats(v, div, out); break;
	case TYPE_BOOL: buf_puts(out, value_int(v) ? "true" : "false"); break;
	case TYPE_ENUM: format_enum(x, v, out); break;
	case TYPE_PTR: out_hex(out, (uint64_t)value_int(v)); break;
	case TYPE_FLOAT: format_float(v, out); break;
	case TYPE_STR: format_string(x, v, out); break;
	case TYPE_BUF: format_buffer(v, true, true, out); break;
	case TYPE_ARRAY: format_array(x, v, depth, out); break;
	case TYPE_STRUCT:
	case TYPE_UNION:
	case TYPE_RECORD:
		format_members(x, v, depth, &first, out);
		buf_puts(out, first ? "{}" : " }");
		break;
	case TYPE_TUPLE:
		buf_putc(out, '(');
		format_tuple(x, v, depth, out);
		buf_putc(out, ')');
		break;
	case TYPE_KSTACK:
	case TYPE_USTACK: format_stack(x, v, out); break;
	case TYPE_KSYM:
	case TYPE_USYM: format_symbol(x, v, out); break;
	case TYPE_INET: format_inet(v, out); break;
	case TYPE_MAC: format_mac(v, out); break;
	case TYPE_TIMESTAMP: format_timestamp(x, v, out); break;
	case TYPE_CGROUP_PATH: format_cgroup_path(x, v, out); break;
	case TYPE_USERNAME: format_user_name((uint64_t)value_int(v), out); break;
	case TYPE_PROBE_NAME: format_probe_name(x, v, out); break;
	default: buf_puts(out, "null"); break;
	}
}

void format_value_div(struct exporter *x, const struct value *v, uint64_t div, struct buf *out)
{
	format_at(x, v, div ? div : 1, 0, out);
}

void format_value_bt(struct exporter *x, const struct value *v, struct buf *out)
{
	format_at(x, v, 1, 0, out);
}

void format_key(struct exporter *x, const struct value *key, struct buf *out)
{
	if (key->type->kind == TYPE_TUPLE)
		format_tuple(x, key, 0, out);
	else
		format_at(x, key, 1, 0, out);
}

void format_join(struct exporter *x, const char *separator, const struct value *args, unsigned n,
		 struct buf *out)
{
	const char *p = n > 1 ? (const char *)args[1].data : NULL,
		   *end = p ? p + args[1].size : NULL;
	for (bool first = true; p && p < end; first = false) {
		size_t len = strnlen(p, (size_t)(end - p));
		if (!first)
			buf_puts(out, separator ? separator : " ");
		buf_add(out, p, len);
		p += len + 1;
	}
}
