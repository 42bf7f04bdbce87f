#include "ir/impl.h"
void ir_pass_slots(struct ir_fn *fn)
{
}
