/*
 * insn_x86_64.c - see insn.h.
 *
 * Only the parts, no meaning: prefixes, opcode, ModRM with SIB and displacement, immediate (Intel's manual, volume 2,
 * chapter 2 and appendix A).  The tables have one letter an opcode:
 *
 *   .  nothing follows           m  ModRM                    !  no instruction in 64-bit mode
 *   b  8-bit immediate           B  ModRM and 8 bits
 *   z  16 or 32 bits             Z  ModRM and 16 or 32       d  32 bits, whatever the operand size
 *   w  16 bits                   e  16 and 8 (enter)         v  16, 32 or 64 (mov)
 *   o  an address of 64 or 32    g  ModRM; f6: with 8 bits when it is a test     G  the same, f7: 16 or 32
 *   p  prefix                    x  another map begins
 */
#include "debuginfo/insn.h"

#ifdef __x86_64__
static const char one_byte[] =
	/* 0 */ "mmmmbz!!mmmmbz!x"
	/* 1 */ "mmmmbz!!mmmmbz!!"
	/* 2 */ "mmmmbzp!mmmmbzp!"
	/* 3 */ "mmmmbzp!mmmmbzp!"
	/* 4 */ "pppppppppppppppp"
	/* 5 */ "................"
	/* 6 */ "!!xmppppzZbB...."
	/* 7 */ "bbbbbbbbbbbbbbbb"
	/* 8 */ "BZ!Bmmmmmmmmmmmm"
	/* 9 */ "..........!....."
	/* a */ "oooo....bz......"
	/* b */ "bbbbbbbbvvvvvvvv"
	/* c */ "BBw.xxBZe.w..b!."
	/* d */ "mmmm!!!.mmmmmmmm"
	/* e */ "bbbbbbbbdd!b...."
	/* f */ "p.pp..gG......mm";

static const char after_0f[] =
	/* 0 */ "mmmm!.....!.!m.B"
	/* 1 */ "mmmmmmmmmmmmmmmm"
	/* 2 */ "mmmm!!!!mmmmmmmm"
	/* 3 */ "......!.x!x!!!!!"
	/* 4 */ "mmmmmmmmmmmmmmmm"
	/* 5 */ "mmmmmmmmmmmmmmmm"
	/* 6 */ "mmmmmmmmmmmmmmmm"
	/* 7 */ "BBBBmmm.mm!!mmmm"
	/* 8 */ "dddddddddddddddd"
	/* 9 */ "mmmmmmmmmmmmmmmm"
	/* a */ "...mBmmm...mBmmm"
	/* b */ "mmmmmmmmmmBmmmmm"
	/* c */ "mmBmBBBm........"
	/* d */ "mmmmmmmmmmmmmmmm"
	/* e */ "mmmmmmmmmmmmmmmm"
	/* f */ "mmmmmmmmmmmmmmmm";

enum {
	REX_W = 8
};

struct bytes {
	const uint8_t *p;
	unsigned at, n;
	bool short_address, repne; /* prefixes 67, f2 */
	struct insn *insn;
};

/* The next byte, 0 past the end; `at` tells. */
static uint8_t next(struct bytes *b)
{
	uint8_t c = b->at < b->n ? b->p[b->at] : 0;
	b->at++;
	return c;
}

static uint8_t skip_prefixes(struct bytes *b)
{
	for (;;) {
		uint8_t c = next(b);
		if (b->at > b->n || one_byte[c] != 'p')
			return c;
		b->insn->has_short_operand |= c == 0x66;
		b->short_address |= c == 0x67;
		b->repne |= c == 0xf2;
		b->insn->has_rep |= c == 0xf3;
		b->insn->rex = (c & 0xf0) == 0x40 ? c : 0; /* counts only right before the opcode */
	}
}

/* The number in the next n bytes, 0 when they are cut off. */
static int32_t number(struct bytes *b, unsigned n)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (uint32_t)next(b) << 8 * i;
	return n == 1 ? (int8_t)v : (int32_t)v;
}

/* ModRM, SIB and displacement; gives ModRM. */
static uint8_t modrm(struct bytes *b)
{
	uint8_t m = next(b), mod = m >> 6, rm = m & 7, base = rm;

	b->insn->has_modrm = true;
	b->insn->modrm = m;
	if (mod == 3)
		return m;
	if (rm == 4) {
		b->insn->sib = next(b);
		base = b->insn->sib & 7;
	}
	if (mod == 1)
		b->insn->disp = number(b, 1);
	else if (mod == 2 || base == 5)
		b->insn->disp = number(b, 4);
	return m;
}

static unsigned full_immediate(const struct bytes *b)
{
	return b->insn->has_short_operand && !(b->insn->rex & REX_W) ? 2 : 4;
}

static void immediate(struct bytes *b, unsigned n)
{
	if (n == 1 || n == 4)
		b->insn->imm = number(b, n);
	else
		b->at += n;
}

/* What follows an opcode of that letter; false: no instruction. */
static bool operands(struct bytes *b, char letter)
{
	switch (letter) {
	case '.': return true;
	case 'm': modrm(b); return true;
	case 'b': immediate(b, 1); return true;
	case 'B': modrm(b), immediate(b, 1); return true;
	case 'z': immediate(b, full_immediate(b)); return true;
	case 'Z': modrm(b), immediate(b, full_immediate(b)); return true;
	case 'd': immediate(b, 4); return true;
	case 'w': b->at += 2; return true;
	case 'e': b->at += 3; return true;
	case 'v': b->at += b->insn->rex & REX_W ? 8 : full_immediate(b); return true;
	case 'o': b->at += b->short_address ? 4 : 8; return true;
	case 'g': b->at += (modrm(b) & 0x38) < 0x10 ? 1 : 0; return true;
	case 'G': b->at += (modrm(b) & 0x38) < 0x10 ? full_immediate(b) : 0; return true;
	default: return false;
	}
}

static bool two_bytes(struct bytes *b)
{
	uint8_t op = next(b);

	b->insn->map = op == 0x38 || op == 0x3a ? INSN_OTHER : INSN_0F;
	b->insn->op = op;
	if (op == 0x38)
		return next(b), operands(b, 'm');
	if (op == 0x3a)
		return next(b), operands(b, 'B');
	if (op == 0x78 && (b->insn->has_short_operand || b->repne)) /* extrq, insertq: two bytes more */
		b->at += 2;
	return operands(b, after_0f[op]);
}

/* The opcode of a VEX or EVEX instruction in that map. */
static bool in_map(struct bytes *b, unsigned map)
{
	uint8_t op = next(b);
	switch (map) {
	case 1: return operands(b, op == 0x77 ? '.' : after_0f[op] == 'B' ? 'B' : 'm');
	case 2:
	case 5:
	case 6: return operands(b, 'm');
	case 3: return operands(b, 'B');
	default: return false;
	}
}

static bool vector(struct bytes *b, uint8_t escape)
{
	uint8_t first = next(b);

	b->insn->map = INSN_OTHER;
	if (escape == 0xc5)
		return in_map(b, 1);
	b->at += escape == 0x62 ? 2 : 1;
	return in_map(b, first & (escape == 0x62 ? 7 : 31));
}

bool insn_decode(const uint8_t *p, size_t n, struct insn *ret)
{
	struct bytes b = {.p = p, .n = (unsigned)MIN(n, (size_t)INSN_LONGEST), .insn = ret};

	*ret = (struct insn){.map = INSN_ONE_BYTE};
	uint8_t op = ret->op = skip_prefixes(&b);
	bool ok = op == 0x0f	      ? two_bytes(&b)
		  : one_byte[op] == 'x' ? vector(&b, op)
					: operands(&b, one_byte[op]);
	ret->length = (uint8_t)b.at;
	return ok && b.at <= b.n;
}
#else
bool insn_decode(const uint8_t *p, size_t n, struct insn *ret)
{
	return false;
}
#endif

unsigned insn_length(const uint8_t *p, size_t n)
{
	struct insn insn;

	return insn_decode(p, n, &insn) ? insn.length : 0;
}
