/* syscalls.c - the aliases of system calls, written as script from the tracepoints' records. */
#include "lang/stp/comp.h"

void stp_make_syscalls(struct stp_comp *c, const char *pattern)
{
}
