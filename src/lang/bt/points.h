/* points.h - inside the reader of attach points: what points.c has cut in parts, and the providers (providers.c) that read them. */
#pragma once

#include "lang/bt/parse.h"

struct bt_point_reader {
	struct lang_input *in;
	struct bt_point *pt;
	struct probe_spec *spec;
	const char *provider;
	unsigned not_given; /* the first of the script's parameters that is used and absent; 0: none */
	bool lenient;  /* made from a wildcard over bt_providers: what does not fit is left out */
	bool has_iter; /* in this probe */
	VEC(const char *) part;
};

struct bt_provider {
	const char *name;
	const char *alias[2]; /* case counts, unlike in names */
	enum probe_kind kind;
	bool (*read)(struct bt_point_reader *r); /* false: cannot be used */
	char listed;                    /* what a wildcard provider stands for: 'k'ernel, 'u'ser */
};
extern const struct bt_provider bt_providers[]; /* ended by a row without a name */
const struct bt_provider *bt_provider_find(const char *name); /* NULL: none */
void bt_provider_unknown(struct bt_point_reader *r, const char *name);
/* Complains at the point, unless the reader is lenient.  Always false. */
bool bt_point_wrong(struct bt_point_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool bt_has_wildcard(const char *s);
