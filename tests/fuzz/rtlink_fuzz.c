/* rtlink_fuzz.c - any bytes as the runtime library's ELF file: every function and all that it refers to. */
#include "bpf/mi.h"

#include <stdlib.h>

static struct err *look(void *arg, const struct rt_ref *r)
{
	uint64_t *sum = arg;
	if (r->kind == RT_REF_RODATA)
		for (uint32_t i = 0; i < r->nbytes; i++)
			*sum += r->bytes[i];
	if (r->kind == RT_REF_EXTERN)
		*sum += strlen(r->name);
	if (r->kind == RT_REF_CALL || r->kind == RT_REF_FUNC) {
		struct bpf_insn last;
		memcpy(&last, (const uint8_t *)r->func.insn + 8 * (size_t)(r->func.ninsn - 1), 8);
		*sum += last.code;
	}
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1); /* of this very size, so that a read behind it is seen */
	memcpy(copy, data, n);
	struct rt_obj o;
	uint64_t sum = 0;
	struct err *e = rt_open(copy, n, &o);
	for (uint32_t s = 0; !e && s < o.nshdr && s < 16; s++)
		for (uint32_t at = 0; at < 64; at++) {
			struct rt_func fn;
			if (rt_find_at(&o, s, at, &fn)) {
				sum += strlen(fn.name);
				err_free(rt_refs(&o, &fn, look, &sum));
			}
		}
	if (!e)
		rt_find(&o, "rt_hist", &(struct rt_func){0});
	err_free(e);
	free(copy);
	return sum == 12345678901234567 ? 1 : 0;
}
