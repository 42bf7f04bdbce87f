/* cfi_cursor.c - numbers and pointers of call frame information. */
#include "debuginfo/cfi_internal.h"

uint8_t cfi_u8(struct cfi_cursor *c)
{
	if (c->at >= c->end) {
		c->bad = true;
		return 0;
	}
	return *c->at++;
}

uint64_t cfi_fixed(struct cfi_cursor *c, unsigned bytes)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->at) < bytes) {
		c->bad = true;
		c->at = c->end;
		return 0;
	}
	memcpy(&v, c->at, bytes);
	c->at += bytes;
	return v;
}

/* Bits past the 64th are dropped, as readers do. */
uint64_t cfi_uleb(struct cfi_cursor *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint8_t b = cfi_u8(c);

		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
}

int64_t cfi_sleb(struct cfi_cursor *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0;;) {
		uint8_t b = cfi_u8(c);

		if (shift < 64)
			v |= (uint64_t)(b & 0x7f) << shift;
		shift += 7;
		if (b & 0x80)
			continue;
		if (shift < 64 && (b & 0x40))
			v |= ~0ull << shift;
		return (int64_t)v;
	}
}

struct cfi_cursor cfi_block(struct cfi_cursor *c, uint64_t n)
{
	struct cfi_cursor b = {.at = c->at, .end = c->at};

	if (n > (size_t)(c->end - c->at)) {
		c->bad = b.bad = true;
		return b;
	}
	c->at += n;
	b.end = c->at;
	return b;
}

/* The low four bits are the format (LSB, "DWARF Exception Header Encoding"). */
static uint64_t value(struct cfi_cursor *c, unsigned format)
{
	switch (format) {
	case 0x00:
	case 0x04:
	case 0x0c: return cfi_fixed(c, 8);
	case 0x01: return cfi_uleb(c);
	case 0x02: return cfi_fixed(c, 2);
	case 0x03: return cfi_fixed(c, 4);
	case 0x09: return (uint64_t)cfi_sleb(c);
	case 0x0a: return (uint64_t)(int64_t)(int16_t)cfi_fixed(c, 2);
	case 0x0b: return (uint64_t)(int64_t)(int32_t)cfi_fixed(c, 4);
	}
	c->bad = true;
	return 0;
}

uint64_t cfi_pointer(struct cfi_cursor *c, uint8_t encoding, uint64_t address)
{
	uint64_t v;

	if (encoding == CFI_PE_OMIT)
		return 0;
	v = value(c, encoding & CFI_PE_FORMAT);
	switch (encoding & 0xf0) {
	case CFI_PE_ABS: return v;
	case CFI_PE_PCREL: return v + address;
	}
	c->bad = true;
	return 0;
}
