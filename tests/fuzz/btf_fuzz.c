/* btf_fuzz.c - any bytes as BTF: opened or refused, and every type built and spelled within bounds.
 */
#include "debuginfo/world.h"

#include <stdint.h>
#include <stdlib.h>

static void look(void *arg, const char *name, uint32_t id)
{
	struct btf *b = arg;
	btf_find(b, BTF_NS_STRUCT, name);
	btf_find(b, BTF_NS_FUNC, name);
}

static void complete(struct type *t, unsigned depth)
{
	if (!t || depth > 3)
		return;
	if (t->complete)
		type_complete(t, NULL);
	for (uint32_t i = 0; i < t->nfield && i < 64; i++)
		complete(t->field[i].type, depth + 1);
	complete(t->elem, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct btf *b = NULL;
	char *copy = malloc(n ? n : 1); /* exact, so that the sanitizer sees its end */
	if (n)
		memcpy(copy, data, n);
	struct err *e = btf_open_bytes(copy, n, NULL, &b);
	if (b) {
		for (enum btf_namespace ns = BTF_NS_STRUCT; ns <= BTF_NS_VAR; ns++)
			btf_each(b, ns, look, b);
		for (uint32_t id = 0; id < 64; id++) {
			struct buf text = {0};
			struct btf_params params = {0};
			uint32_t ret;
			btf_spell_decl(b, id, "name", &text);
			btf_spell_struct(b, id, &text);
			btf_func(b, id, &params, &ret);
			btf_func_is_traceable(b, id);
			btf_pointee(b, id);
			complete(btf_type(b, id, AS_KERNEL, NULL), 0);
			vec_free(&params.list);
			buf_free(&text);
		}
		int64_t value;
		btf_enumerator(b, "x", &value, NULL);
	}
	btf_close(b);
	err_free(e);
	free(copy);
	return 0;
}
