/* user_lock.c - the lock of lang/kit_lock.c, held by a handler in user space. */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "attach/user.h"

static uint64_t *lock_of(const struct user_run *u)
{
	uint8_t *data = session_map_mem(u->s, u->s->prog->data);

	return data && u->s->prog->lock_offset ? (uint64_t *)(data + u->s->prog->lock_offset) : NULL;
}

/* Its holder is a handler in the kernel, which is quick; were it preempted by us, it must get the CPU. */
int64_t user_lock(struct user_run *u)
{
	uint64_t *word = lock_of(u), none = 0;
	const struct timespec pause = {0, 50000};

	if (!word || u->holds_lock)
		return -EINVAL;
	u->hurry = hurry_begin();
	for (unsigned n = 1; !__atomic_compare_exchange_n(word, &none, (uint64_t)gettid() << 16, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); n++) {
		none = 0;
		if (n % 10000 == 0)
			nanosleep(&pause, NULL);
	}
	u->holds_lock = true;
	user_forget(u); /* elements as they were when nobody kept others from changing them */
	return 0;
}

void user_unlock(struct user_run *u)
{
	if (!u->holds_lock)
		return;
	user_flush(u, true);
	__atomic_store_n(lock_of(u), 0, __ATOMIC_SEQ_CST);
	u->holds_lock = false;
	hurry_end(&u->hurry);
}
