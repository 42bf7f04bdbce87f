/* samples.c - the rows of a map as weighted samples: labels, then frames with their names, outermost first. */
#include "output/samples.h"

enum { MAX_DEPTH = 8 /* of tuples in a key */ };

static bool is_stack(const struct type *t)
{
	return t->kind == TYPE_KSTACK || t->kind == TYPE_USTACK;
}

/* A stack, or a tuple with one in it: $both = (kstack, ustack) may be a key or a part of one. */
static bool holds_stack(const struct type *t, unsigned depth)
{
	for (uint32_t i = 0; t->kind == TYPE_TUPLE && depth && i < t->nfield; i++)
		if (holds_stack(t->field[i].type, depth - 1))
			return true;
	return is_stack(t);
}

bool samples_are_in(const struct var *v)
{
	return v->key && holds_stack(v->key, MAX_DEPTH);
}

static void add_label(struct exporter *x, const struct value *v, struct samples *ret)
{
	struct buf text = {0};

	format_value_bt(x, v, &text);
	vec_push(&ret->frame, ((struct sample_frame){.name = arena_strdup(ret->arena, buf_str(&text))}));
	buf_free(&text);
}

static void add_stack(struct exporter *x, const struct value *v, struct samples *ret)
{
	bool is_kernel = v->type->kind == TYPE_KSTACK;
	struct arena *a = ret->arena;
	struct frames frames = {0};

	if (!x->env.symbols)
		return;
	symbolizer_stack(x->env.symbols, v, &frames);
	for (size_t i = frames.frame.len; i-- > 0;) {
		const struct frame *f = &frames.frame.at[i];

		vec_push(&ret->frame, ((struct sample_frame){
					      .origin = is_kernel ? FRAME_KERNEL : FRAME_USER,
					      .name = f->symbol ? arena_strdup(a, f->symbol)
								: arena_printf(a, "0x%llx", (unsigned long long)f->ip),
					      .module = f->module ? arena_strdup(a, f->module) : NULL,
					      .file = f->file ? arena_strdup(a, f->file) : NULL,
					      .line = f->line,
					      .ip = f->ip,
					      .is_inlined = f->is_inlined,
				      }));
	}
	frames_free(&frames);
}

/* The parts of one kind, wherever they stand in the key. */
static void add_parts(struct exporter *x, const struct value *v, unsigned depth, enum frame_origin wanted, struct samples *ret)
{
	enum frame_origin origin = v->type->kind == TYPE_KSTACK	  ? FRAME_KERNEL
				   : v->type->kind == TYPE_USTACK ? FRAME_USER
								  : FRAME_LABEL;

	if (v->type->kind == TYPE_TUPLE && depth && holds_stack(v->type, depth)) {
		for (uint32_t i = 0; i < v->type->nfield; i++) {
			uint8_t room[8];
			struct value part = value_field(v, &v->type->field[i], room);
			add_parts(x, &part, depth - 1, wanted, ret);
		}
		return;
	}
	if (origin != wanted)
		return;
	if (origin == FRAME_LABEL)
		add_label(x, v, ret);
	else
		add_stack(x, v, ret);
}

void samples_make(struct exporter *x, const struct var *v, struct map_rows *rows, uint64_t top, uint64_t div,
		  struct samples *ret)
{
	*ret = (struct samples){.arena = arena_create()};
	ret->name = arena_strdup(ret->arena, v->name);
	for (size_t i = rows_sort(rows, v, top); i < rows->row.len; i++) {
		const struct map_row *row = &rows->row.at[i];
		uint32_t first = (uint32_t)ret->frame.len;

		for (enum frame_origin o = FRAME_LABEL; o <= FRAME_KERNEL; o++)
			add_parts(x, &row->key, MAX_DEPTH, o, ret);
		vec_push(&ret->sample, ((struct sample){
					       .first = first,
					       .n = (uint32_t)ret->frame.len - first,
					       .value = value_number(&row->value) / (int64_t)(div ? div : 1),
				       }));
	}
}

void samples_free(struct samples *s)
{
	vec_free(&s->frame);
	vec_free(&s->sample);
	arena_destroy(s->arena);
	s->arena = NULL;
}
