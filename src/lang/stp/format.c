/* format.c - reads printf formats (reference: stap's printf directives). */
#include "lang/stp/format.h"

#include <ctype.h>

static int number(const char **p)
{
	int v = -1;
	for (; isdigit((unsigned char)**p); ++*p)
		v = MIN((v < 0 ? 0 : v) * 10 + (**p - '0'), 100000);
	return v;
}

bool stp_format_next(const char **pos, struct stp_conv *c, bool *bad)
{
	const char *p = *pos;
	*c = (struct stp_conv){.begin = p, .width = -1, .precision = -1};
	*bad = false;
	if (!*p)
		return false;
	while (*p && (p[0] != '%' || p[1] == '%'))
		p += *p == '%' ? 2 : 1;
	if (p > *pos) {
		c->end = *pos = p;
		return true;
	}
	p++;
	if (*p && strchr("0+- #", *p))
		c->flag = *p++;
	if (*p == '*')
		c->star_width = true, p++;
	else
		c->width = number(&p);
	if (*p == '.') {
		p++;
		if (*p == '*')
			c->star_precision = true, p++;
		else
			c->precision = MAX(number(&p), 0);
	}
	while (*p == 'l')
		p++;
	if (!*p || !strchr("bcdimMopsuxX", *p)) {
		*bad = true;
		return false;
	}
	c->type = *p++;
	c->end = *pos = p;
	return true;
}

int stp_format_nargs(const char *fmt)
{
	struct stp_conv c;
	bool bad = false;
	int n = 0;
	while (stp_format_next(&fmt, &c, &bad))
		n += (c.type != 0) + c.star_width + c.star_precision;
	return bad ? -1 : n;
}
