/* native.c - finding a native function by name and number of arguments. */
#include "lang/stp/native.h"

extern const struct stp_native stp_tapset_context[], stp_tapset_time[], stp_tapset_string[], stp_tapset_memory[],
	stp_tapset_log[], stp_tapset_decode[], stp_tapset_symbol[], stp_tapset_probe[],
	stp_tapset_utf[], stp_tapset_value[],
	stp_tapset_guru[], stp_tapset_fp[], stp_tapset_regex[];
const struct stp_native *const stp_natives[] = {stp_tapset_context, stp_tapset_time, stp_tapset_string,
						stp_tapset_memory, stp_tapset_log,     stp_tapset_decode, stp_tapset_symbol,
						stp_tapset_probe, stp_tapset_utf, stp_tapset_guru, stp_tapset_regex, stp_tapset_fp, stp_tapset_value, NULL};

unsigned stp_native_nargs(const struct stp_native *n)
{
	return (unsigned)strlen(n->sig + 2);
}

enum stp_type stp_native_type(char c)
{
	return c == 'l' ? ST_LONG : c == 's' ? ST_STRING : ST_UNKNOWN;
}

const struct stp_native *stp_native_find(const char *name, unsigned nargs)
{
	for (const struct stp_native *const *t = stp_natives; *t; t++)
		for (const struct stp_native *n = *t; n->name; n++)
			if (str_eq(n->name, name) && (nargs == ~0u || stp_native_nargs(n) == nargs))
				return n;
	return NULL;
}
