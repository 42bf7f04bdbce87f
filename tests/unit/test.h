/* test.h - the smallest harness: checks are counted, the first words of a failure are its place. */
#pragma once

#include <stdio.h>
#include <string.h>

static int checks_passed, checks_failed;

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (cond) {                                                                        \
			checks_passed++;                                                           \
		} else {                                                                           \
			checks_failed++;                                                           \
			printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #cond);                  \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (got_ && !strcmp(got_, want_)) {                                                \
			checks_passed++;                                                           \
		} else {                                                                           \
			checks_failed++;                                                           \
			printf("%s:%d: got:\n%s\nwant:\n%s\n", __FILE__, __LINE__,                 \
			       got_ ? got_ : "(null)", want_);                                     \
		}                                                                                  \
	} while (0)

static inline int test_end(void)
{
	printf("%d passed, %d failed\n", checks_passed, checks_failed);
	return checks_failed != 0;
}
