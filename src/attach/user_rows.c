/* user_rows.c - sorted snapshots of variables for handlers in user space. */
#include <errno.h>
#include <stdlib.h>

#include "attach/user.h"
#include "bpf/user_helpers.h"

struct order {
	const struct var *var;
	uint64_t by, which;
	bool descending;
};

/* A row with what decides its place. */
struct ranked {
	struct map_row row;
	size_t index;
	int64_t number;
	const char *text; /* not NULL: compared instead of number */
	size_t text_size;
};

static int64_t integer_of(const struct value *v)
{
	uint64_t n = 0;
	unsigned bits;

	memcpy(&n, v->data, MIN(v->size, 8u));
	if (v->size >= 8 || !v->type->is_signed || !v->size)
		return (int64_t)n;
	bits = 64 - 8 * v->size;
	return (int64_t)(n << bits) >> bits;
}

static int64_t statistic(const struct value *v, uint64_t which)
{
	struct stat_wire w;

	if (v->size < sizeof(w))
		return 0;
	memcpy(&w, v->data, sizeof(w));
	if (w.count <= 0)
		return 0;
	switch (which) {
	case STAT_SUM: return w.sum;
	case STAT_MIN: return w.min;
	case STAT_MAX: return w.max;
	case STAT_AVG: return w.sum / w.count;
	default: return w.count;
	}
}

static void rank(struct ranked *r, const struct order *o)
{
	struct value v = o->by == UH_BY_KEY ? r->row.key : r->row.value;

	if (o->by == UH_BY_NONE) {
		r->number = (int64_t)r->row.seq;
		return;
	}
	if (o->by == UH_BY_KEY && v.type && v.type->kind == TYPE_TUPLE) {
		const struct field *f = o->which < v.type->nfield ? &v.type->field[o->which] : NULL;

		if (!f || f->offset + type_mem_size(f->type) > v.size)
			return;
		v = (struct value){f->type, v.data + f->offset, type_mem_size(f->type)};
	}
	if (!v.type)
		return;
	if (v.type->kind == TYPE_STR) {
		r->text = (const char *)v.data;
		r->text_size = v.size;
	} else {
		r->number = v.type->kind == TYPE_STAT ? statistic(&v, o->which) : integer_of(&v);
	}
}

/* Equal rows stay in insertion order, whichever way the rest is sorted. */
static int compare(const void *xp, const void *yp, void *arg)
{
	const struct ranked *x = xp, *y = yp;
	const struct order *o = arg;
	int c = x->text && y->text ? strncmp(x->text, y->text, MIN(x->text_size, y->text_size))
				   : (x->number > y->number) - (x->number < y->number);

	if (o->descending)
		c = -c;
	if (!c)
		c = (x->row.seq > y->row.seq) - (x->row.seq < y->row.seq);
	return c ? c : (x->index > y->index) - (x->index < y->index);
}

static void sort_rows(struct map_rows *rows, struct order o)
{
	struct ranked *r;

	if (o.by == UH_BY_NONE && !o.var->has_seq)
		return;
	r = xcalloc(MAX(rows->row.len, (size_t)1), sizeof(*r));
	for (size_t i = 0; i < rows->row.len; i++) {
		r[i] = (struct ranked){.row = rows->row.at[i], .index = i};
		rank(&r[i], &o);
	}
	qsort_r(r, rows->row.len, sizeof(*r), compare, &o);
	for (size_t i = 0; i < rows->row.len; i++)
		rows->row.at[i] = r[i].row;
	free(r);
}

static const struct var *var_of(const struct user_run *u, uint64_t var)
{
	return var < u->s->prog->var.len ? u->s->prog->var.at[var] : NULL;
}

int64_t user_snapshot_open(struct user_run *u, uint64_t var, uint64_t sort, uint64_t limit)
{
	struct user_snapshot snap = {.var = var_of(u, var), .is_open = true};
	struct order o = {snap.var, UH_SORT_BY(sort), UH_SORT_WHICH(sort),
			  UH_SORT_DESCENDING(sort)};

	if (!snap.var)
		return -EINVAL;
	user_flush(u, true);
	if (snap.var->map && user_has_taken(u, snap.var->map))
		events_rows_of(u->s, snap.var, user_taken_elements(u, snap.var->map), &snap.rows);
	else
		u->err = events_read_var(u->s, snap.var, &snap.rows);
	if (u->err)
		return -EIO;
	sort_rows(&snap.rows, o);
	snap.end = limit && limit < snap.rows.row.len ? (size_t)limit : snap.rows.row.len;
	vec_push(&u->snapshots, snap);
	return (int64_t)u->snapshots.len;
}

static bool put_value(uint64_t addr, uint64_t room, const struct value *v)
{
	return !addr || (v->size <= room && user_put(addr, v->data, v->size));
}

int64_t user_snapshot_next(struct user_run *u, const uint64_t v[5])
{
	struct user_snapshot *snap;
	const struct map_row *row;

	if (!v[0] || v[0] > u->snapshots.len || !u->snapshots.at[v[0] - 1].is_open)
		return -EINVAL;
	snap = &u->snapshots.at[v[0] - 1];
	if (snap->next >= snap->end)
		return 0;
	row = &snap->rows.row.at[snap->next++];
	if (!put_value(v[1], v[2], &row->key) || !put_value(v[3], v[4], &row->value))
		return -EFAULT;
	return 1;
}

int64_t user_snapshot_close(struct user_run *u, uint64_t handle)
{
	struct user_snapshot *snap =
		handle && handle <= u->snapshots.len ? &u->snapshots.at[handle - 1] : NULL;

	if (!snap || !snap->is_open)
		return -EINVAL;
	snap->is_open = false;
	map_rows_free(&snap->rows);
	return 0;
}

void user_snapshots_free(struct user_run *u)
{
	for (size_t i = 1; i <= u->snapshots.len; i++)
		(void)user_snapshot_close(u, i);
	vec_free(&u->snapshots);
}

int64_t user_var_clear(struct user_run *u, uint64_t var)
{
	const struct var *v = var_of(u, var);

	if (!v)
		return -EINVAL;
	/* copies of its elements must not come back */
	user_drop_copies(u, v->map);
	if (v->map && user_has_taken(u, v->map))
		user_taken_clear(u, v->map);
	else
		u->err = events_clear_var(u->s, v);
	return u->err ? -EIO : 0;
}
