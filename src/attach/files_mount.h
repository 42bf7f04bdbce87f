/* files_mount.h - inside the attach room: a folder that the kernel asks this process about. */
#pragma once

#include <sys/types.h>

#include "base/base.h"

struct files_mount {
	int fd;	   /* requests come from it, answers go into it; -1: none */
	char *dir; /* heap; NULL: none */
	pid_t guard;
	int guard_fd; /* closed, as when we are killed: the guard takes the folder away */
};
/* Makes the folder DIR, which must not be there, and the one above it. */
struct err *files_mount(struct files_mount *m, const char *dir);
void files_unmount(struct files_mount *m);
