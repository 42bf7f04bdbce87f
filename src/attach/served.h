/* served.h - inside the attach room: what users give to and take from a running trace: files, and what they type. */
#pragma once

#include "attach/session.h"

struct served;
/* After all probes are attached: makes the files that handlers answer, and takes the terminal when handlers want what is typed. */
struct err *served_open(struct session *s, struct served **ret);
void served_close(struct served *v); /* NULL is legal */

/* The text that a handler reads and writes as $value. */
const struct buf *served_value(const struct session *s); /* NULL: there is none */
void served_value_set(struct session *s, const char *text, size_t n, bool append);
