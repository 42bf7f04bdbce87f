#include "ir/impl.h"
bool ir_parse(struct program *prog, const struct source *src, struct diags *diags)
{
	return false;
}
