/* look.h - what the files of the victim share: how its functions are kept, and where it is looked at. */
#pragma once

#define FN   extern "C" __attribute__((noinline, noclone, used))
#ifdef __clang__
#undef FN
#define FN extern "C" __attribute__((noinline, used))
#endif
#define KEEP() __asm__ volatile("" ::: "memory")

extern volatile long sink;
extern bool is_spinning; /* let the sampler see the chain */
FN int t_probe(int id);
FN int t_spin(int id);

static inline __attribute__((always_inline)) int look(int id)
{
	int r = is_spinning ? t_spin(id) : t_probe(id);

	KEEP();
	return r;
}

/* odd.cc: each a scenario, called with its number. */
extern "C" {
void t_nested_signals(int id);
void t_link(int id);
void t_lower_stack(int id);
void t_own_restorer(int id);
void t_signal_frame(int id);
void t_saved_pointer(int id);
void t_remembers(int id);
void t_in_register(int id);
}
