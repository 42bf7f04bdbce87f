#include "ir/impl.h"
void ir_pass_cse(struct ir_fn *fn)
{
}
