#include "ir/impl.h"
void ir_pass_cfg(struct ir_fn *fn)
{
}
