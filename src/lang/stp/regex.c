/*
 * regex.c - POSIX extended expressions to the DFA of runtime/stp_find.h.
 *
 * The expression becomes a Thompson NFA, the NFA by subset construction a DFA over classes of bytes that no
 * transition tells apart.  At most 255 states: next states are bytes.
 */
#include <ctype.h>

#include "lang/stp/lower.h"

enum { MAX_NODES = 2000, MAX_STATES = 255, MAX_REPEAT = 64 };
/* As runtime/stp_regex.h numbers them. */
enum node_kind { N_SET, N_SPLIT, N_JUMP, N_BEGIN, N_END, N_SAVE, N_MATCH };

struct node {
	enum node_kind kind;
	uint16_t out, other; /* other: of N_SAVE, 2 * group for where it begins, + 1 for where it ends */
	uint8_t set[32]; /* N_SET: bytes that it takes */
};
struct regex {
	struct stp_comp *c;
	struct loc loc;
	const char *p;
	VEC(struct node) node;
	const char *bad;
	unsigned depth;
	VEC(const char *) group; /* where each opens */
};
/* A piece of NFA under construction: enters at `start`, leaves by falling into the next node made. */
struct piece {
	uint16_t start, end; /* end: a N_JUMP whose `out` is still open */
};

static uint16_t add(struct regex *r, enum node_kind kind)
{
	if (r->node.len >= MAX_NODES) {
		r->bad = "regular expression is too large";
		return 0;
	}
	vec_push(&r->node, (struct node){.kind = kind});
	return (uint16_t)(r->node.len - 1);
}

static void set_add(uint8_t *set, unsigned c)
{
	set[c / 8] |= (uint8_t)(1u << c % 8);
}

static bool set_has(const uint8_t *set, unsigned c)
{
	return set[c / 8] >> (c % 8) & 1;
}

/* --- parsing ------------------------------------------------------------------------------------------------- */

static struct piece single(struct regex *r, enum node_kind kind)
{
	uint16_t n = add(r, kind), j = add(r, N_JUMP);
	r->node.at[n].out = j;
	return (struct piece){n, j};
}

static bool class_name(const char *name, size_t n, unsigned c)
{
	static const struct {
		const char *name;
		int (*is)(int c);
	} names[] = {{"alpha", isalpha}, {"digit", isdigit}, {"alnum", isalnum}, {"space", isspace}, {"upper", isupper},
		     {"lower", islower}, {"punct", ispunct}, {"print", isprint}, {"graph", isgraph}, {"cntrl", iscntrl},
		     {"xdigit", isxdigit}, {"blank", isblank}};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i].name) == n && !memcmp(names[i].name, name, n))
			return c < 128 && names[i].is((int)c);
	return false;
}

/* One byte of a set; unlike POSIX, SystemTap lets a backslash quote there too. */
static unsigned bracket_char(struct regex *r)
{
	r->p += r->p[0] == '\\' && r->p[1];
	return (unsigned char)*r->p++;
}

/* After `[`; sets the bytes and moves behind `]`. */
static void bracket(struct regex *r, uint8_t *set)
{
	bool negate = *r->p == '^';
	r->p += negate;
	for (bool first = true; *r->p && (*r->p != ']' || first); first = false) {
		const char *close;
		if (r->p[0] == '[' && r->p[1] == ':' && (close = strstr(r->p + 2, ":]"))) {
			for (unsigned c = 1; c < 256; c++)
				if (class_name(r->p + 2, (size_t)(close - r->p) - 2, c))
					set_add(set, c);
			r->p = close + 2;
			continue;
		}
		unsigned from = bracket_char(r), to = from;
		if (r->p[0] == '-' && r->p[1] && r->p[1] != ']') {
			r->p++;
			to = bracket_char(r);
		}
		for (unsigned c = from; c <= to; c++)
			set_add(set, c);
	}
	if (*r->p != ']')
		r->bad = "unterminated [ in regular expression";
	else
		r->p++;
	for (unsigned i = 0; negate && i < 32; i++)
		set[i] = (uint8_t)~set[i];
	set[0] &= (uint8_t)~1u; /* never NUL */
}

static struct piece alternatives(struct regex *r);

static struct piece sequence(struct regex *r, struct piece x, struct piece y)
{
	r->node.at[x.end].out = y.start;
	return (struct piece){x.start, y.end};
}

/* The number of the group that opens there, from 1; copies of a repeated one share it. */
static uint16_t group_at(struct regex *r, const char *open)
{
	size_t i = 0;
	while (i < r->group.len && r->group.at[i] != open)
		i++;
	if (i == r->group.len)
		vec_push(&r->group, open);
	return (uint16_t)(i + 1);
}

/* After `(` */
static struct piece group(struct regex *r)
{
	uint16_t n = group_at(r, r->p - 1);
	struct piece open = single(r, N_SAVE), x = alternatives(r), close = single(r, N_SAVE);
	if (*r->p != ')')
		r->bad = "unmatched ( in regular expression";
	else
		r->p++;
	r->node.at[open.start].other = (uint16_t)(2 * n);
	r->node.at[close.start].other = (uint16_t)(2 * n + 1);
	return sequence(r, sequence(r, open, x), close);
}

static struct piece atom(struct regex *r)
{
	char c = *r->p++;
	if (c == '^')
		return single(r, N_BEGIN);
	if (c == '$')
		return single(r, N_END);
	if (c == '(')
		return group(r);
	if (c == '*' || c == '+' || c == '?' || c == '{')
		r->bad = "nothing to repeat in regular expression";
	struct piece x = single(r, N_SET);
	uint8_t set[32] = {0};
	if (c == '[') {
		bracket(r, set);
	} else if (c == '.') {
		memset(set, 0xff, sizeof(set));
		set[0] = 0xfe;
	} else {
		if (c == '\\' && *r->p)
			c = *r->p++;
		set_add(set, (unsigned char)c);
	}
	memcpy(r->node.at[x.start].set, set, sizeof(set));
	return x;
}

static void connect(struct regex *r, uint16_t jump, uint16_t to)
{
	r->node.at[jump].out = to;
}

static struct piece optional(struct regex *r, struct piece x)
{
	uint16_t s = add(r, N_SPLIT), j = add(r, N_JUMP);
	r->node.at[s].out = x.start;
	r->node.at[s].other = j;
	connect(r, x.end, j);
	return (struct piece){s, j};
}

static struct piece repeated(struct regex *r, struct piece x, bool may_skip)
{
	uint16_t s = add(r, N_SPLIT), j = add(r, N_JUMP);
	r->node.at[s].out = x.start;
	r->node.at[s].other = j;
	connect(r, x.end, s);
	return (struct piece){may_skip ? s : x.start, j};
}

static struct piece empty(struct regex *r)
{
	uint16_t j = add(r, N_JUMP);
	return (struct piece){j, j};
}

/* The atom at `from` once more. */
static struct piece again(struct regex *r, const char *from)
{
	const char *here = r->p;
	r->p = from;
	struct piece x = atom(r);
	r->p = here;
	return x;
}

static unsigned number(const char **p)
{
	unsigned v = 0;
	for (; isdigit((unsigned char)**p); ++*p)
		v = MIN(v * 10 + (unsigned)(**p - '0'), 10000u);
	return v;
}

/* x{n}, x{n,}, x{n,m}: copies of the atom. */
static struct piece counted(struct regex *r, struct piece x, const char *from)
{
	const char *p = r->p + 1;
	unsigned lo = number(&p), hi = lo;
	bool open = false;
	if (*p == ',') {
		p++;
		open = *p == '}';
		hi = open ? lo : number(&p);
	}
	if (*p != '}' || hi < lo || hi > MAX_REPEAT) {
		r->bad = "invalid { } in regular expression";
		return x;
	}
	r->p = p + 1;
	struct piece out = empty(r);
	for (unsigned i = 0; i < hi && !r->bad; i++) {
		struct piece copy = again(r, from);
		out = sequence(r, out, i < lo ? copy : optional(r, copy));
	}
	if (open)
		out = sequence(r, out, repeated(r, again(r, from), true));
	return out;
}

static struct piece factor(struct regex *r)
{
	const char *from = r->p;
	struct piece x = atom(r);
	for (;;) {
		if (r->bad)
			return x;
		if (*r->p == '*')
			x = repeated(r, x, true), r->p++;
		else if (*r->p == '+')
			x = repeated(r, x, false), r->p++;
		else if (*r->p == '?')
			x = optional(r, x), r->p++;
		else if (*r->p == '{')
			x = counted(r, x, from);
		else
			return x;
	}
}

static struct piece branch(struct regex *r)
{
	struct piece x = empty(r);
	while (*r->p && *r->p != '|' && *r->p != ')' && !r->bad)
		x = sequence(r, x, factor(r));
	return x;
}

static struct piece alternatives(struct regex *r)
{
	if (++r->depth > 100)
		r->bad = "regular expression is nested too deeply";
	struct piece x = branch(r);
	while (*r->p == '|' && !r->bad) {
		r->p++;
		struct piece y = branch(r);
		uint16_t s = add(r, N_SPLIT), j = add(r, N_JUMP);
		r->node.at[s].out = x.start;
		r->node.at[s].other = y.start;
		connect(r, x.end, j);
		connect(r, y.end, j);
		x = (struct piece){s, j};
	}
	r->depth--;
	return x;
}

/* --- subset construction ----------------------------------------------------------------------------------------- */

struct subset {
	bool *has; /* by node */
	bool matched, matched_at_end;
};
struct dfa {
	struct regex *r;
	uint16_t start;
	struct subset state[MAX_STATES + 1];
	unsigned n;
	uint8_t class_of[256];
	unsigned classes;
	uint8_t *next; /* n rows of classes */
};

/* Adds a node and what follows without a byte. */
static void closure(struct dfa *d, struct subset *s, uint16_t at, bool at_begin)
{
	struct regex *r = d->r;
	uint16_t stack[MAX_NODES + 2];
	unsigned n = 0;
	stack[n++] = at;
	while (n) {
		uint16_t i = stack[--n];
		if (s->has[i])
			continue;
		s->has[i] = true;
		const struct node *x = &r->node.at[i];
		if (x->kind == N_MATCH)
			s->matched = true;
		if ((x->kind == N_JUMP || x->kind == N_SPLIT || x->kind == N_SAVE || (x->kind == N_BEGIN && at_begin)) && n < MAX_NODES)
			stack[n++] = x->out;
		if (x->kind == N_SPLIT && n < MAX_NODES)
			stack[n++] = x->other;
	}
}

/* Whether a match follows if the string ends in this state. */
static bool match_at_end(struct dfa *d, const struct subset *s)
{
	struct subset t = {.has = xcalloc(d->r->node.len, sizeof(bool))};
	for (size_t i = 0; i < d->r->node.len; i++)
		if (s->has[i] && d->r->node.at[i].kind == N_END)
			closure(d, &t, d->r->node.at[i].out, false);
	/* `$` twice in a row */
	for (size_t i = 0; i < d->r->node.len; i++)
		if (t.has[i] && d->r->node.at[i].kind == N_END)
			closure(d, &t, d->r->node.at[i].out, false);
	bool yes = s->matched || t.matched;
	base_free(t.has);
	return yes;
}

static int find_state(struct dfa *d, struct subset *s)
{
	for (unsigned i = 0; i < d->n; i++)
		if (!memcmp(d->state[i].has, s->has, d->r->node.len * sizeof(bool)) || (d->state[i].matched && s->matched)) {
			base_free(s->has);
			return (int)i;
		}
	if (d->n == MAX_STATES) {
		d->r->bad = "regular expression needs too many states";
		base_free(s->has);
		return 0;
	}
	s->matched_at_end = match_at_end(d, s);
	d->state[d->n] = *s;
	return (int)d->n++;
}

static struct subset new_subset(struct dfa *d)
{
	return (struct subset){.has = xcalloc(d->r->node.len, sizeof(bool))};
}

/* Bytes that all sets treat alike share a class. */
static void make_classes(struct dfa *d)
{
	for (unsigned c = 0; c < 256; c++) {
		unsigned twin = 0;
		for (; twin < c; twin++) {
			bool same = true;
			for (size_t i = 0; i < d->r->node.len && same; i++)
				same = d->r->node.at[i].kind != N_SET || set_has(d->r->node.at[i].set, c) == set_has(d->r->node.at[i].set, twin);
			if (same)
				break;
		}
		d->class_of[c] = twin < c ? d->class_of[twin] : (uint8_t)d->classes++;
	}
}

static unsigned member_of(const struct dfa *d, unsigned class)
{
	unsigned c = 0;
	while (c < 255 && d->class_of[c] != class)
		c++;
	return c;
}

/* The state after one byte of that class; a new attempt starts at every byte. */
static int step(struct dfa *d, unsigned from, unsigned class)
{
	struct subset s = new_subset(d);
	unsigned c = member_of(d, class);
	for (size_t i = 0; i < d->r->node.len; i++) {
		const struct node *x = &d->r->node.at[i];
		if (d->state[from].has[i] && x->kind == N_SET && set_has(x->set, c))
			closure(d, &s, x->out, false);
	}
	closure(d, &s, d->start, false);
	return find_state(d, &s);
}

static void build(struct dfa *d)
{
	make_classes(d);
	struct subset first = new_subset(d);
	closure(d, &first, d->start, true);
	find_state(d, &first);
	d->next = xcalloc((MAX_STATES + 1) * d->classes, 1);
	for (unsigned i = 0; i < d->n && !d->r->bad; i++)
		for (unsigned c = 0; c < d->classes; c++)
			d->next[i * d->classes + c] = d->state[i].matched ? (uint8_t)i : (uint8_t)step(d, i, c);
}

/* Numbers so that accepting states come last: plain, at the end only, at once. */
static void write_table(struct dfa *d, struct stp_dfa *ret)
{
	uint8_t place[MAX_STATES + 1];
	uint32_t bound[3] = {0}, n = 0;
	for (unsigned rank = 0; rank < 3; rank++) {
		bound[rank] = n;
		for (unsigned i = 0; i < d->n; i++) {
			unsigned own = d->state[i].matched ? 2 : d->state[i].matched_at_end ? 1 : 0;
			if (own == rank)
				place[i] = (uint8_t)n++;
		}
	}
	struct buf b = {0};
	uint32_t head[4] = {place[0], d->classes, bound[1], bound[2]};
	buf_add(&b, head, sizeof(head));
	buf_add(&b, d->class_of, sizeof(d->class_of));
	size_t rows = b.len;
	buf_fill(&b, 0, d->n * d->classes);
	for (unsigned i = 0; i < d->n; i++)
		for (unsigned c = 0; c < d->classes; c++)
			b.data[rows + place[i] * d->classes + c] = (char)place[d->next[i * d->classes + c]];
	*ret = (struct stp_dfa){.bytes = arena_memdup(d->r->c->a, b.data, b.len), .size = (uint32_t)b.len,
				.rows = d->n * d->classes, .at_end = bound[1]};
	buf_free(&b);
}

/* The NFA; where it starts. */
static uint16_t parse(struct regex *r)
{
	struct piece whole = alternatives(r);
	uint16_t match = add(r, N_MATCH);
	if (!r->bad && *r->p)
		r->bad = "unmatched ) in regular expression";
	if (!r->bad)
		connect(r, whole.end, match);
	return whole.start;
}

/* A table for rt_stp_captures(): struct stp_nfa of runtime/stp_regex.h. */
static void write_nfa(const struct regex *r, uint16_t start, struct stp_nfa *ret)
{
	struct buf b = {0};
	uint32_t head[2] = {start, (uint32_t)r->node.len};
	buf_add(&b, head, sizeof(head));
	for (size_t i = 0; i < r->node.len; i++) {
		const struct node *x = &r->node.at[i];
		struct {
			uint32_t kind;
			uint16_t out, other;
			uint8_t set[32];
		} row = {x->kind, x->out, x->other, {0}};
		memcpy(row.set, x->set, sizeof(row.set));
		/* jumps lead nowhere else */
		for (unsigned n = 0; n < MAX_NODES && r->node.at[row.out].kind == N_JUMP && x->kind != N_MATCH; n++)
			row.out = r->node.at[row.out].out;
		for (unsigned n = 0; n < MAX_NODES && x->kind == N_SPLIT && r->node.at[row.other].kind == N_JUMP; n++)
			row.other = r->node.at[row.other].out;
		buf_add(&b, &row, sizeof(row));
	}
	*ret = (struct stp_nfa){.bytes = arena_memdup(r->c->a, b.data, b.len), .size = (uint32_t)b.len, .nodes = head[1], .groups = (uint32_t)r->group.len + 1};
	buf_free(&b);
}

bool stp_regex_captures(struct stp_comp *c, const char *pattern, struct loc loc, struct stp_nfa *ret)
{
	struct regex r = {.c = c, .loc = loc, .p = pattern};
	uint16_t start = parse(&r);
	if (!r.bad && r.group.len >= STP_MAX_GROUPS)
		r.bad = "more than 15 groups, of which matched() could tell";
	if (!r.bad)
		write_nfa(&r, start, ret);
	else
		stp_error(c, loc, "regex compilation error: %s", r.bad);
	vec_free(&r.node);
	vec_free(&r.group);
	return !r.bad;
}

bool stp_regex_compile(struct stp_comp *c, const char *pattern, struct loc loc, struct stp_dfa *ret)
{
	struct regex r = {.c = c, .loc = loc, .p = pattern};
	struct dfa *d = arena_new(c->a, struct dfa);
	d->r = &r;
	d->start = parse(&r);
	if (!r.bad)
		build(d);
	if (!r.bad)
		write_table(d, ret);
	else
		stp_error(c, loc, "regex compilation error: %s", r.bad);
	for (unsigned i = 0; i < d->n; i++)
		base_free(d->state[i].has);
	base_free(d->next);
	vec_free(&r.node);
	vec_free(&r.group);
	return !r.bad;
}

void stp_regex_check(struct stp_comp *c, const char *pattern, struct loc loc)
{
	struct stp_dfa dfa;
	(void)stp_regex_compile(c, pattern, loc, &dfa);
}
