/* files_fuzz.c - any bytes as requests of the kernel for the files of a script: a length, a request, and on. */
#include <linux/fuse.h>
#include <stdint.h>

#include "attach/files.h"

static struct err *give(void *arg, unsigned file, struct buf *out)
{
	buf_puts(out, "some text");
	return NULL;
}

static struct err *take(void *arg, unsigned file, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(uint64_t *)arg += (unsigned char)text[i];
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct served_file file[] = {{"a", 0444, .is_read = true}, {"b", 0222, .is_written = true}, {"both", 0666, true, true}};
	uint64_t sum = 0;
	const struct files_ops ops = {.read = give, .write = take, .arg = &sum, .max_write = 511};
	struct files *f = files_create(file, ARRAY_SIZE(file), &ops);
	struct buf out = {0};

	for (size_t at = 0, len; at + 2 < n; at += len) {
		_Alignas(8) uint8_t request[512];
		len = MIN(MIN((size_t)data[at] + 1 + 256 * (data[at + 1] & 1), n - at - 2), sizeof(request));
		at += 2;
		memcpy(request, data + at, len);
		err_free(files_answer(f, request, len, &out));
		if (out.len && (out.len < sizeof(struct fuse_out_header) || ((struct fuse_out_header *)out.data)->len != out.len))
			__builtin_trap();
	}
	buf_free(&out);
	files_close(f);
	return 0;
}
