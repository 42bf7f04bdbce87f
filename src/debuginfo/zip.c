/* zip.c - see zip.h. */
#include "debuginfo/zip.h"

enum {
	END_SIGNATURE = 0x06054b50,
	ENTRY_SIGNATURE = 0x02014b50,
	LOCAL_SIGNATURE = 0x04034b50,
	END_BYTES = 22,
	ENTRY_BYTES = 46,
	LOCAL_BYTES = 30,
	MAX_COMMENT = 65535
};

static uint32_t u16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(const uint8_t *p)
{
	return u16(p) | u16(p + 2) << 16;
}

/* The end record, behind which there may only be a comment; NULL: no archive. */
static const uint8_t *find_end(const uint8_t *data, size_t n)
{
	size_t lowest = n > END_BYTES + MAX_COMMENT ? n - END_BYTES - MAX_COMMENT : 0;
	for (size_t at = n < END_BYTES ? 0 : n - END_BYTES + 1; at-- > lowest;)
		if (u32(data + at) == END_SIGNATURE && u16(data + at + 20) <= n - at - END_BYTES)
			return data + at;
	return NULL;
}

/* Behind the member's own header, whose name and extra field may differ from the directory's. */
static const char *locate(const uint8_t *data, size_t n, const uint8_t *entry, size_t *offset_ret, size_t *size_ret)
{
	size_t local = u32(entry + 42), size = u32(entry + 24);
	if (u16(entry + 10) || u32(entry + 20) != size)
		return "the member is compressed";
	if (n < LOCAL_BYTES || local > n - LOCAL_BYTES || u32(data + local) != LOCAL_SIGNATURE)
		return "the archive is damaged";
	size_t at = local + LOCAL_BYTES + u16(data + local + 26) + u16(data + local + 28);
	if (at > n || size > n - at)
		return "the archive is damaged";
	*offset_ret = at;
	*size_ret = size;
	return NULL;
}

const char *zip_find(const uint8_t *data, size_t n, const char *name, size_t *offset_ret, size_t *size_ret)
{
	const uint8_t *end = find_end(data, n);
	if (!end)
		return "it is no zip archive";
	size_t left = u16(end + 10), at = u32(end + 16), want = strlen(name);
	while (left-- && at <= n && n - at >= ENTRY_BYTES && u32(data + at) == ENTRY_SIGNATURE) {
		size_t len = u16(data + at + 28), rest = u16(data + at + 30) + u16(data + at + 32);
		if (len > n - at - ENTRY_BYTES)
			break;
		if (len == want && !memcmp(data + at + ENTRY_BYTES, name, len))
			return locate(data, n, data + at, offset_ret, size_ret);
		at += ENTRY_BYTES + len + rest;
	}
	return "there is no such member";
}

size_t zip_container(const char *path)
{
	const char *sep = strstr(path, "!/");
	return sep && sep != path && sep[2] ? (size_t)(sep - path) : 0;
}
