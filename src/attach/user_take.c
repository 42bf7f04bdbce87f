/*
 * user_take.c - arrays that a handler in user space takes out of the kernel, looks at and then deletes.
 *
 * A handler that reads a whole array and deletes it must not lose what is counted in between.  Holding the lock all that time would keep
 * the kernel's handlers waiting, longer than some of them may.  So their elements are taken out at once, under the lock, and the
 * handler works on what it took: for the kernel it has deleted them already.
 */
#include <errno.h>

#include "attach/user.h"

static struct user_taken *taken_of(const struct user_run *u, const struct map *m)
{
	vec_each(t, &u->taken)
		if (t->var->map == m)
			return t;
	return NULL;
}

/* Whoever looks after an error may still want what was read and not deleted. */
static bool may_be_wanted_again(const struct session *s)
{
	return s->prog->opt.max_errors || session_has_kind(s, PK_ERROR);
}

static struct err *take_one(struct user_run *u, struct user_taken *t)
{
	struct err *e = elements_take(u->s, t->var->map, &t->elements);

	return e ? err_note(e, "taking the elements of %s", t->var->name) : NULL;
}

int64_t user_take(struct user_run *u, const uint64_t v[5])
{
	int64_t ret;

	user_take_end(u);
	for (unsigned i = 0; i < 5 && v[i] && !may_be_wanted_again(u->s); i++) {
		const struct var *var = v[i] <= u->s->prog->var.len ? u->s->prog->var.at[v[i] - 1] : NULL;

		if (!var || !var->map || !var->key)
			return -EINVAL;
		vec_push(&u->taken, ((struct user_taken){.var = var}));
		/* no page is missing while others wait */
		elements_prepare(u->s, var->map, &vec_last(&u->taken).elements);
	}
	ret = user_lock(u);
	if (ret < 0 || !u->taken.len)
		return ret;
	vec_each(t, &u->taken)
		if (!u->err)
			u->err = take_one(u, t);
	user_unlock(u);
	vec_each(t, &u->taken) {
		for (size_t i = 0; i < t->elements.n; i++)
			strtab_setn(&t->by_key, t->elements.key + i * t->elements.key_size, t->elements.key_size,
				    t->elements.value + i * t->elements.value_size);
	}
	return u->err ? -EIO : 0;
}

void user_taken_free(struct user_run *u)
{
	vec_each(t, &u->taken) {
		elements_free(&t->elements);
		strtab_free(&t->by_key);
	}
	vec_free(&u->taken);
}

int64_t user_take_end(struct user_run *u)
{
	vec_each(t, &u->taken)
		user_drop_copies(u, t->var->map);
	user_taken_free(u);
	user_unlock(u);
	return 0;
}

bool user_has_taken(const struct user_run *u, const struct map *m)
{
	return taken_of(u, m) != NULL;
}

const uint8_t *user_taken_value(const struct user_run *u, const struct map *m, const uint8_t *key)
{
	const struct user_taken *t = taken_of(u, m);

	return t ? strtab_getn(&t->by_key, key, t->elements.key_size) : NULL;
}

const struct elements *user_taken_elements(const struct user_run *u, const struct map *m)
{
	const struct user_taken *t = taken_of(u, m);

	return t ? &t->elements : NULL;
}

/* What the handler deletes, it has taken from the kernel before. */
void user_taken_clear(struct user_run *u, const struct map *m)
{
	struct user_taken *t = taken_of(u, m);

	t->elements.n = 0;
	strtab_free(&t->by_key);
}
