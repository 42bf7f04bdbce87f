/*
 * format.h - the pieces of a printf format: literal text and conversions.
 */
#pragma once

#include "base/base.h"

struct stp_conv {
	const char *begin, *end; /* in the format */
	char type;		 /* 0: literal text; else one of b c d i m M o p s u x X */
	char flag;		 /* 0 + - space #, or 0 byte */
	int width, precision;	 /* -1: none */
	bool star_width, star_precision;
};
/* The next piece at *pos (a literal run has %% still doubled); false at the end.  On an invalid conversion
 * *bad is set. */
bool stp_format_next(const char **pos, struct stp_conv *c, bool *bad);
/* Number of arguments; -1: invalid. */
int stp_format_nargs(const char *fmt);
