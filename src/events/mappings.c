/* mappings.c - entries about processes, told to the symbolizer. */
#include "events/mappings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* "start-end perms offset dev inode   path" lines of /proc/PID/maps; only what can be executed. */
static void apply_maps(struct usyms *u, uint32_t pid, const char *text)
{
	for (const char *line = text; *line;) {
		uint64_t start = 0, end = 0, offset = 0;
		char perms[5] = "";
		int path = 0;
		size_t n = strcspn(line, "\n");

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &start, &end,
			   perms, &offset, &path) == 4 &&
		    path > 0 && (size_t)path < n && perms[2] == 'x' && end > start) {
			char *name = xstrndup(line + path, n - (size_t)path);

			usyms_mmap(u, pid, start, end - start, offset, name);
			free(name);
		}
		line += n + (line[n] == '\n');
	}
}

static void apply_mmap(struct usyms *u, const struct entry *e)
{
	struct mmap_entry m;

	memcpy(&m, e->data, sizeof(m));
	usyms_mmap(u, m.pid, m.addr, m.len, m.pgoff, (const char *)e->data + sizeof(m));
}

void mappings_apply(struct symbolizer *y, const struct entry *e)
{
	struct usyms *u = symbolizer_usyms(y);
	uint32_t pid[2] = {0};

	memcpy(pid, e->data, MIN((size_t)e->size, sizeof(pid)));
	switch ((enum entry_kind)e->kind) {
	case ENTRY_MAPS: apply_maps(u, pid[0], (const char *)e->data + sizeof(uint32_t)); break;
	case ENTRY_MMAP: apply_mmap(u, e); break;
	case ENTRY_FORK: usyms_fork(u, pid[0], pid[1]); break;
	case ENTRY_EXEC: usyms_pid_exec(u, pid[0]); break;
	case ENTRY_RECORD: break;
	}
}
