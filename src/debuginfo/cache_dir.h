/*
 * cache_dir.h - files that make the next run faster: $XDG_CACHE_HOME/spile, or ~/.cache/spile.
 *
 * The folder is used only when it belongs to who runs and nobody else may write there; so does the home that it lies in: root with the home of
 * another user (su, sudo -E) keeps nothing.  What cannot be read or written is simply not there; nothing here is an error.
 */
#pragma once

#include "base/base.h"

enum {
	CACHE_MAX_FILE = 2 << 20,   /* bytes; larger ones are neither read nor written */
	CACHE_MAX_TOTAL = 16 << 20, /* of all files: those that were not used for longest go first */
	CACHE_MAX_FILES = 256
};
/* The file's bytes on the heap, NULL when there are none.  It counts as used now. */
uint8_t *cache_read(const char *name, size_t *n);
/* All or nothing: a reader sees the old bytes or the new ones. */
void cache_write(const char *name, const void *data, size_t n);
