/*
 * elf_zstd.c - sections that are compressed with zstd (ELFCOMPRESS_ZSTD of the generic ABI), which the libelf of Debian 12 does not know.
 *
 * Few files have them, so the library is loaded when one does.  Its two functions are declared here: they have not changed since zstd 1.0 (zstd.h).
 */
#include "debuginfo/elf_internal.h"

#include <dlfcn.h>
#include <stdlib.h>

enum { MAX_RATIO = 1000 /* of a section that is believed */ };
#define MAX_BYTES ((uint64_t)4 << 30)

struct api {
	size_t (*decompress)(void *dst, size_t dst_size, const void *src, size_t src_size);
	unsigned (*is_error)(size_t code);
};

static bool load(struct api *api)
{
	void *lib = dlopen("libzstd.so.1", RTLD_NOW);
	if (!lib)
		return false;
	*(void **)&api->decompress = dlsym(lib, "ZSTD_decompress");
	*(void **)&api->is_error = dlsym(lib, "ZSTD_isError");
	return api->decompress && api->is_error;
}

uint8_t *zstd_unpack(const uint8_t *data, size_t n, uint64_t size, const char **why)
{
	struct api api;
	uint8_t *out = NULL;
	*why = "cannot be unpacked: its zstd data is broken";
	if (!load(&api))
		*why = "is compressed with zstd, and there is no libzstd.so.1 to unpack it";
	else if (size && size <= MAX_BYTES && size / MAX_RATIO <= n)
		out = malloc((size_t)size);
	if (!out)
		return NULL;
	size_t got = api.decompress(out, (size_t)size, data, n);
	if (!api.is_error(got) && got == size)
		return out;
	free(out);
	return NULL;
}

static bool is_packed(Elf_Scn *scn, GElf_Chdr *ret)
{
	GElf_Shdr sh;
	return gelf_getshdr(scn, &sh) && sh.sh_flags & SHF_COMPRESSED && gelf_getchdr(scn, ret) && ret->ch_type == ELFCOMPRESS_ZSTD;
}

bool elf_has_zstd(const struct elf_file *f)
{
	GElf_Chdr head;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(f->elf, scn));)
		if (is_packed(scn, &head))
			return true;
	return false;
}

/* In place, as far as libelf's and libdw's callers can see. */
static bool unpack(struct elf_file *f, Elf_Scn *scn, const GElf_Chdr *head, const char **why)
{
	GElf_Shdr sh;
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t skip = gelf_getclass(f->elf) == ELFCLASS64 ? sizeof(Elf64_Chdr) : sizeof(Elf32_Chdr);
	*why = "cannot be read";
	if (!data || !data->d_buf || data->d_size < skip || !gelf_getshdr(scn, &sh))
		return false;
	uint8_t *out = zstd_unpack((uint8_t *)data->d_buf + skip, data->d_size - skip, head->ch_size, why);
	if (!out)
		return false;
	vec_push(&f->unpacked, out);
	data->d_buf = out;
	data->d_size = (size_t)head->ch_size;
	sh.sh_flags &= ~(GElf_Xword)SHF_COMPRESSED;
	sh.sh_size = head->ch_size;
	sh.sh_addralign = head->ch_addralign;
	return gelf_update_shdr(scn, &sh);
}

const char *elf_unpack_zstd(struct elf_file *f)
{
	GElf_Chdr head;
	const char *why = NULL;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(f->elf, scn));)
		if (is_packed(scn, &head) && !unpack(f, scn, &head, &why))
			return why;
	return NULL;
}
