/* phases.c - --time: where the time until the first event goes. */
#include <time.h>

#include "cli/cli.h"

static uint64_t now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void phases_start(struct phases *p, struct arena *a)
{
	p->arena = a;
	p->wall = now(CLOCK_MONOTONIC);
	p->cpu = now(CLOCK_PROCESS_CPUTIME_ID);
}

void phases_end(void *arg, const char *name)
{
	struct phases *p = arg;
	uint64_t wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	if (p->n == ARRAY_SIZE(p->at))
		return;
	p->at[p->n].name = arena_strdup(p->arena, name);
	p->at[p->n].wall = wall - p->wall;
	p->at[p->n].cpu = cpu - p->cpu;
	p->n++;
	p->wall = wall;
	p->cpu = cpu;
}

unsigned phases_find(const struct phases *p, const char *name)
{
	unsigned i = 0;
	while (i < p->n && !str_eq(p->at[i].name, name))
		i++;
	return i;
}

void phases_say(const struct phases *p, unsigned from, unsigned to, FILE *out)
{
	uint64_t wall = 0, cpu = 0;
	for (unsigned i = from; i < to && i < p->n; i++) {
		wall += p->at[i].wall;
		cpu += p->at[i].cpu;
	}
	fprintf(out, "in %lluusr/0sys/%llureal ms.\n", (unsigned long long)(cpu / 1000000), (unsigned long long)(wall / 1000000));
}

void phases_print(const struct phases *p, FILE *to)
{
	uint64_t wall = 0, cpu = 0;
	fprintf(to, "%-24s %10s %10s\n", "phase", "wall us", "cpu us");
	for (unsigned i = 0; i < p->n; i++) {
		fprintf(to, "%-24s %10.1f %10.1f\n", p->at[i].name, (double)p->at[i].wall / 1e3,
			(double)p->at[i].cpu / 1e3);
		wall += p->at[i].wall;
		cpu += p->at[i].cpu;
	}
	fprintf(to, "%-24s %10.1f %10.1f\n", "total", (double)wall / 1e3, (double)cpu / 1e3);
}
