/* demangle.c - names of C++, Rust and D as their authors wrote them, through libiberty. */
#include "debuginfo/world.h"

#if HAVE_LIBIBERTY
#include <libiberty/demangle.h>

char *demangle(const char *name)
{
	if (name[0] != '_' || (name[1] != 'Z' && name[1] != 'R' && name[1] != 'D'))
		return NULL;
	return cplus_demangle(name, DMGL_AUTO | DMGL_PARAMS | DMGL_ANSI);
}
#else
char *demangle(const char *name)
{
	return NULL;
}
#endif
