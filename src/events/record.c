/*
 * record.c - records come from the kernel, but their bytes are checked like a stranger's: a
 * replayed file or a damaged ring must never make us read outside of them.
 */
#include "events/record.h"

#include <stddef.h>

enum {
	MAX_DEPTH = 16
};

/* A string that does not lie in the fixed part: u32 {offset from the record's start}, u32 {length}.
 */
static bool decode_packed(const uint8_t *rec, size_t size, size_t at, struct value *v)
{
	uint32_t offset, len;

	if (at > size || size - at < 8)
		return false;
	memcpy(&offset, rec + at, 4);
	memcpy(&len, rec + at + 4, 4);
	if (offset > size || len > size - offset)
		return false;
	v->data = rec + offset;
	v->size = MIN(len, v->type->size);
	return true;
}

static bool decode_buf(const uint8_t *rec, size_t size, size_t at, struct value *v)
{
	uint32_t len;

	if (!v->size || v->size > size - at)
		return false;
	memcpy(&len, rec + at, 4);
	return len <= v->type->size;
}

static bool decode_field(const struct field *f, const uint8_t *rec, size_t size, struct value *v)
{
	size_t at = sizeof(struct record_wire) + (size_t)f->offset;

	*v = (struct value){.type = f->type};
	if (f->type->kind == TYPE_STR && f->type->size > PACKED_STR)
		return decode_packed(rec, size, at, v);
	v->size = type_mem_size(f->type);
	if (at > size || v->size > size - at)
		return false;
	v->data = rec + at;
	return f->type->kind != TYPE_BUF || decode_buf(rec, size, at, v);
}

bool record_decode(const struct program *p, const void *bytes, size_t n, struct record *ret)
{
	const struct type *args;
	struct record_wire head;

	ret->args.len = 0;
	ret->action = NULL;
	if (n < sizeof(head))
		return false;
	memcpy(&head, bytes, sizeof(head));
	if (head.action >= p->action.len || head.size < sizeof(head) || head.size > n)
		return false;
	ret->action = p->action.at[head.action];
	args = ret->action->args;
	for (uint32_t i = 0; args && i < args->nfield; i++) {
		struct value v;

		if (!decode_field(&args->field[i], bytes, head.size, &v))
			return false;
		vec_push(&ret->args, v);
	}
	return true;
}

void record_free(struct record *r)
{
	vec_free(&r->args);
}

/* --- process ids
 * ---------------------------------------------------------------------------------------- */

static void find_pids(const struct type *t, size_t at, unsigned depth, struct pid_offsets *ret)
{
	if (t->kind == TYPE_USTACK)
		vec_push(&ret->offset, (uint32_t)(at + offsetof(struct stack_value_wire, pid)));
	else if (t->kind == TYPE_USYM)
		vec_push(&ret->offset, (uint32_t)(at + offsetof(struct usym_wire, pid)));
	else if ((t->kind == TYPE_TUPLE || t->kind == TYPE_RECORD) && depth < MAX_DEPTH)
		for (uint32_t i = 0; i < t->nfield; i++)
			find_pids(t->field[i].type, at + t->field[i].offset, depth + 1, ret);
}

void record_pids(const struct action *act, struct pid_offsets *ret)
{
	*ret = (struct pid_offsets){0};
	if (act->args)
		find_pids(act->args, sizeof(struct record_wire), 0, ret);
}
