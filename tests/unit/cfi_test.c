/*
 * cfi_test.c - call frame information: every row of real files against readelf's own reading of them, the kinds of
 * rules one by one, broken input.
 */
#include "test.h"

#include "debuginfo/cfi_internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct cfi_rules rules;

static const struct uw_rule *rule_at(const struct cfi_table *t, uint64_t pc)
{
	size_t low = 0, high = t->row.len;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (t->row.at[mid].pc <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	return &rules.rule.at[low ? t->row.at[low - 1].rule : 0];
}

/* --- against readelf --------------------------------------------------------------------------------------- */

/* "rsp+16", "rbp+16", "exp", "r10+0" of the CFA column. */
static bool same_cfa(const struct uw_rule *r, const char *text)
{
	static const char *const names[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
					    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	char want[32];

	if (!strcmp(text, "exp"))
		return r->cfa != UW_CFA_NONE && r->cfa != UW_CFA_BAD;
	if (r->cfa == UW_CFA_END || r->cfa == UW_CFA_NONE || r->cfa == UW_CFA_BAD || r->reg >= 16)
		return false;
	snprintf(want, sizeof(want), "%s%+d", names[r->cfa == UW_CFA_SP ? 7 : r->cfa == UW_CFA_FP ? 6 : r->reg], r->off);
	return !strcmp(want, text);
}

/* "c-16", "u", "s", "exp" of a register's column. */
static bool same_saved(const struct uw_rule *r, int16_t off, const char *text)
{
	char want[32];

	if (!strcmp(text, "u") || !strcmp(text, "s") || !strcmp(text, ""))
		return off == UW_SAME;
	if (!strcmp(text, "exp"))
		return true;
	if (*text == 'r')
		return off == UW_LOST;
	snprintf(want, sizeof(want), "c%+d", off);
	return r->base == UW_FROM_CFA && !strcmp(want, text);
}

/* The columns of one function: where each register's text is in a row. */
struct columns {
	int fp, ra, rbx, r12;
	bool is_signal;
};

static void read_columns(char *line, struct columns *ret)
{
	int i = 0;
	char *save = NULL;

	*ret = (struct columns){-1, -1, -1, -1, false};
	for (char *w = strtok_r(line, " \n", &save); w; w = strtok_r(NULL, " \n", &save), i++) {
		if (!strcmp(w, "rbp"))
			ret->fp = i;
		else if (!strcmp(w, "ra"))
			ret->ra = i;
		else if (!strcmp(w, "rbx"))
			ret->rbx = i;
		else if (!strcmp(w, "r12"))
			ret->r12 = i;
	}
}

static const char *column(char *const word[], int n, int i)
{
	return i >= 0 && i < n ? word[i] : "";
}

static bool same_row(const struct uw_rule *r, char *word[], int n, const struct columns *c)
{
	if (c->ra >= 0 && c->ra < n && !strcmp(word[c->ra], "u"))
		return r->cfa == UW_CFA_END;
	if (r->cfa == UW_CFA_SIGNAL)
		return !strcmp(word[1], "exp");
	return same_cfa(r, word[1]) && (r->cfa == UW_CFA_DEREF || same_saved(r, r->fp, column(word, n, c->fp))) &&
	       (r->cfa == UW_CFA_DEREF || same_saved(r, r->saved[0], column(word, n, c->rbx))) &&
	       (r->cfa == UW_CFA_DEREF || same_saved(r, r->saved[1], column(word, n, c->r12)));
}

/* Rows of the same address follow each other there; the last one counts. */
static void compare_file(const char *path)
{
	_cleanup_free_ char *cmd = xasprintf("readelf --debug-dump=frames-interp '%s' 2>/dev/null", path);
	struct cfi_file f;
	struct columns c = {-1, -1, -1, -1, false};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned same = 0, differ = 0;
	char line[1024], copy[1024];
	bool is_cie = false;
	FILE *in;

	if (fd < 0)
		return;
	CHECK(!cfi_open(fd, &rules, &f));
	CHECK(f.table.nbad == 0);
	in = popen(cmd, "r");
	while (in && fgets(line, sizeof(line), in)) {
		char *word[40] = {0}, *save = NULL, *end;
		int n = 0;

		if (strstr(line, " CIE ") || strstr(line, " FDE ")) {
			is_cie = strstr(line, " CIE ") != NULL;
			continue;
		}
		if (!strncmp(line, "   LOC", 6)) {
			read_columns(line, &c);
			continue;
		}
		if (is_cie || strlen(line) < 18 || line[0] == ' ' || line[16] != ' ')
			continue;
		strcpy(copy, line);
		for (char *w = strtok_r(copy, " \n", &save); w && n < 40; w = strtok_r(NULL, " \n", &save))
			if (*w != '(') /* "r8 (r8)" is one column */
				word[n++] = w;
		uint64_t pc = strtoull(word[0], &end, 16);
		if (n < 2 || *end)
			continue;
		if (same_row(rule_at(&f.table, pc), word, n, &c)) {
			same++;
		} else if (differ++ < 5) {
			const struct uw_rule *r = rule_at(&f.table, pc);

			printf("%s: %s  cfa %u reg %u off %d fp %d base %u\n", path, line, r->cfa, r->reg, r->off, r->fp, r->base);
		}
	}
	if (in)
		pclose(in);
	printf("%s: %u rows as readelf reads them, %u not\n", path, same, differ);
	CHECK(same > 20);
	CHECK(differ == 0);
	cfi_file_free(&f);
	close(fd);
}

/* --- single rules ------------------------------------------------------------------------------------------ */

/* A .eh_frame of one CIE (absolute 8-byte addresses) and one function at 0x1000 of 64 bytes. */
static struct cfi_table make(const char *augmentation, const uint8_t *program, size_t n)
{
	static const struct cfi_range code = {0x1000, 0x2000};
	struct buf b = {0}, cie = {0}, fde = {0};
	struct cfi_table t;
	uint32_t len, zero = 0, back;
	uint64_t begin = 0x1000, size = 64;

	buf_add(&cie, &zero, 4);
	buf_putc(&cie, 1);
	buf_add(&cie, augmentation, strlen(augmentation) + 1);
	buf_add(&cie, "\1\x78\x10\1\0", 5); /* 1, -8, r16, augmentation data: absolute */
	buf_add(&cie, "\x0c\7\x08\x90\1", 5); /* cfa = rsp + 8, ra at cfa - 8 */
	len = (uint32_t)cie.len;
	buf_add(&b, &len, 4);
	buf_add(&b, cie.data, cie.len);
	back = (uint32_t)b.len + 4;
	buf_add(&fde, &back, 4);
	buf_add(&fde, &begin, 8);
	buf_add(&fde, &size, 8);
	buf_putc(&fde, 0);
	buf_add(&fde, program, n);
	len = (uint32_t)fde.len;
	buf_add(&b, &len, 4);
	buf_add(&b, fde.data, fde.len);
	buf_add(&b, &zero, 4);
	struct cfi_section s = {(const uint8_t *)b.data, b.len, 0x100, false};
	cfi_read(&s, 1, &code, 1, &rules, &t);
	buf_free(&b);
	buf_free(&cie);
	buf_free(&fde);
	return t;
}
#define MAKE(aug, ...) make(aug, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_rows(void)
{
	/* push rbp; mov rbp, rsp; push rbx; ...; leave */
	struct cfi_table t = MAKE("zR", 0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x41, 0x83, 3, 0x0a, 0x60, 0x0c, 7, 8, 0x41, 0x0b);
	const struct uw_rule *r = rule_at(&t, 0x1000);

	CHECK(t.nfde == 1 && t.nbad == 0);
	CHECK(r->cfa == UW_CFA_SP && r->off == 8 && r->fp == UW_SAME && r->ra_kind == UW_RA_CFA && r->ra == -8);
	r = rule_at(&t, 0x1001);
	CHECK(r->cfa == UW_CFA_SP && r->off == 16 && r->fp == -16 && r->base == UW_FROM_CFA);
	r = rule_at(&t, 0x1004);
	CHECK(r->cfa == UW_CFA_FP && r->off == 16 && r->saved[0] == UW_SAME);
	r = rule_at(&t, 0x1005);
	CHECK(r->cfa == UW_CFA_FP && r->saved[0] == -24 && r->saved[1] == UW_SAME);
	r = rule_at(&t, 0x1025);
	CHECK(r->cfa == UW_CFA_SP && r->off == 8 && r->saved[0] == -24);
	r = rule_at(&t, 0x1026);
	CHECK(r->cfa == UW_CFA_FP && r->off == 16 && r->saved[0] == -24);
	CHECK(rule_at(&t, 0x0fff)->cfa == UW_CFA_NONE && rule_at(&t, 0x1040)->cfa == UW_CFA_NONE);
	cfi_table_free(&t);
}

static void test_expressions(void)
{
	/* the linkage table: rsp + 8 + ((pc & 15) >= 11) << 3 */
	struct cfi_table t = MAKE("zR", 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22);
	CHECK(rule_at(&t, 0x1000)->cfa == UW_CFA_PLT && rule_at(&t, 0x1000)->off2 == 11);
	cfi_table_free(&t);
	/* a realigned stack: *(rbp - 8), rbp at rbp + 0, rbx at rbp - 24 */
	t = MAKE("zR", 0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0, 0x10, 3, 2, 0x76, 0x68);
	const struct uw_rule *r = rule_at(&t, 0x1000);
	CHECK(r->cfa == UW_CFA_DEREF && r->reg == 6 && r->off == -8 && r->off2 == 0 && r->index == UW_NO_REG);
	CHECK(r->base == UW_FROM_FP && r->fp == 0 && r->saved[0] == -24);
	cfi_table_free(&t);
	/* *(rsp + 152) + 8 */
	t = MAKE("zR", 0x0f, 6, 0x77, 0x98, 1, 0x06, 0x23, 8);
	r = rule_at(&t, 0x1000);
	CHECK(r->cfa == UW_CFA_DEREF && r->reg == 7 && r->off == 152 && r->off2 == 8);
	cfi_table_free(&t);
	/* *(rsp + r9 * 8 + 16) + 8 */
	t = MAKE("zR", 0x0f, 10, 0x77, 16, 0x79, 0, 0x38, 0x1e, 0x22, 0x06, 0x23, 8);
	r = rule_at(&t, 0x1000);
	CHECK(r->cfa == UW_CFA_DEREF && r->index == 9 && r->scale == 8 && r->off == 16 && r->off2 == 8);
	cfi_table_free(&t);
	/* nothing that we know */
	t = MAKE("zR", 0x0f, 2, 0x12, 0x12);
	CHECK(rule_at(&t, 0x1000)->cfa == UW_CFA_BAD && t.nbad == 0);
	cfi_table_free(&t);
}

static void test_odd(void)
{
	struct cfi_table t = MAKE("zR", 0x07, 16);
	CHECK(rule_at(&t, 0x1000)->cfa == UW_CFA_END);
	cfi_table_free(&t);
	/* vfork: the return address in rdi */
	t = MAKE("zR", 0x41, 0x0e, 0, 0x09, 16, 5);
	CHECK(rule_at(&t, 0x1001)->ra_kind == UW_RA_REG && rule_at(&t, 0x1001)->ra == 5 && rule_at(&t, 0x1001)->off == 0);
	cfi_table_free(&t);
	t = MAKE("zR", 0x0c, 10, 0);
	CHECK(rule_at(&t, 0x1000)->cfa == UW_CFA_REG && rule_at(&t, 0x1000)->reg == 10);
	cfi_table_free(&t);
	/* a signal's frame: the return address at rsp + 168 */
	t = MAKE("zRS", 0x0f, 4, 0x77, 0xa0, 1, 0x06, 0x10, 16, 3, 0x77, 0xa8, 1);
	CHECK(rule_at(&t, 0x1000)->cfa == UW_CFA_SIGNAL && rule_at(&t, 0x1000)->off == 40);
	cfi_table_free(&t);
}

static void test_broken(void)
{
	/* the rule before an unknown instruction holds, what comes after it is not known */
	struct cfi_table t = MAKE("zR", 0x44, 0x0e, 16, 0x41, 0x3f, 0x41, 0x0e, 24);
	CHECK(t.nbad == 1);
	CHECK(rule_at(&t, 0x1000)->cfa == UW_CFA_SP && rule_at(&t, 0x1004)->off == 16);
	CHECK(rule_at(&t, 0x1005)->cfa == UW_CFA_BAD && rule_at(&t, 0x103f)->cfa == UW_CFA_BAD);
	cfi_table_free(&t);
	t = MAKE("zR", 0x0b); /* restores what was never remembered */
	CHECK(rule_at(&t, 0x1000)->cfa == UW_CFA_BAD);
	cfi_table_free(&t);
	t = MAKE("zR", 0x0f, 200, 1); /* an expression past the end */
	CHECK(rule_at(&t, 0x1000)->cfa == UW_CFA_BAD);
	cfi_table_free(&t);
}

/* What the BPF side finds in the packed words is what the rows say, at every byte. */
static void test_pack(void)
{
	struct cfi_file f;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint32_t *seg = xcalloc(UW_SEG_WORDS, 4);
	unsigned wrong = 0, pieces = 0;

	CHECK(!cfi_open(fd, &rules, &f));
	for (size_t from = 0, to; from < f.table.row.len; from = to) {
		to = cfi_pack_fit(&f.table, from, 300);
		CHECK(to > from && cfi_pack_words(&f.table, from, to) <= 300);
		cfi_pack(&f.table, from, to, seg + 100);
		uint64_t base = cfi_pack_base(&f.table, from);
		uint64_t end = to < f.table.row.len ? f.table.row.at[to].pc : f.table.row.at[to - 1].pc + 1;
		for (uint64_t pc = f.table.row.at[from].pc; pc < end; pc++)
			wrong += &rules.rule.at[uw_find_rule(seg, 100, pc - base)] != rule_at(&f.table, pc);
		pieces++;
	}
	CHECK(wrong == 0);
	CHECK(pieces > 1);
	free(seg);
	cfi_file_free(&f);
	close(fd);
}

#ifdef __x86_64__
/* What is said of the address `pc` of code at 0x1000: how far the CFA is from the stack pointer, minus that from the frame
 * pointer, 0 when nothing is said. */
static int said(const struct cfi_table *t, const struct cfi_rules *r, unsigned pc, int16_t *fp)
{
	const struct uw_rule *rule = &r->rule.at[0];

	vec_each(row, &t->row)
		if (row->pc <= 0x1000 + pc)
			rule = &r->rule.at[row->rule];
	if (fp)
		*fp = rule->fp;
	return rule->cfa == UW_CFA_SP ? rule->off : rule->cfa == UW_CFA_FP ? -rule->off : 0;
}

#define FROM_CODE(bytes)                                                                         \
	struct cfi_rules r;                                                                      \
	struct cfi_table t = {.nfde = 0};                                                        \
	int16_t fp;                                                                              \
	cfi_rules_init(&r);                                                                      \
	cfi_from_code((const uint8_t *)(bytes), sizeof(bytes) - 1, 0x1000, &r, &t)
#define CODE_END (cfi_table_free(&t), cfi_rules_free(&r))

static void test_code_sp(void)
{
	FROM_CODE("\x48\x83\xec\x18"	  /* 0: sub $24,%rsp */
		  "\x53"		  /* 4: push %rbx */
		  "\x48\x85\xc0"	  /* 5: test %rax,%rax */
		  "\x74\x05"		  /* 8: je 15 */
		  "\xe8\x00\x10\x00\x00" /* 10: call */
		  "\x5b"		  /* 15: pop %rbx */
		  "\x48\x83\xc4\x18"	  /* 16: add $24,%rsp */
		  "\xc3"		  /* 20: ret */
		  "\x90\x90");

	CHECK(said(&t, &r, 0, &fp) == 8 && fp == UW_SAME);
	CHECK(said(&t, &r, 4, NULL) == 32 && said(&t, &r, 5, NULL) == 40 && said(&t, &r, 15, NULL) == 40);
	CHECK(said(&t, &r, 16, NULL) == 32 && said(&t, &r, 20, NULL) == 8);
	CHECK(said(&t, &r, 21, NULL) == 0 && said(&t, &r, 100, NULL) == 0);
	CODE_END;
}

static void test_code_fp(void)
{
	FROM_CODE("\x55"		    /* 0: push %rbp */
		  "\x48\x89\xe5"	    /* 1: mov %rsp,%rbp */
		  "\x48\x83\xe4\xe0"	    /* 4: and $-32,%rsp */
		  "\xeb\x02"		    /* 8: jmp 12 */
		  "\xff\xc8"		    /* 10: dec %eax; a loop that is entered at its test */
		  "\x75\xfc"		    /* 12: jne 10 */
		  "\x80\xe4\x01"	    /* 14: and $1,%ah, which is no stack pointer */
		  "\xc9"		    /* 17: leave */
		  "\xc3"		    /* 18: ret */
		  "\x0f\x1f\x44\x00\x00\x90\x90\x90\x90\x90\x90\x90\x90" /* 19: to 32 */
		  "\xe9\xdb\xff\xff\xff" /* 32: jmp 0 */
	);

	CHECK(said(&t, &r, 1, &fp) == 16 && fp == -16);
	CHECK(said(&t, &r, 8, &fp) == -16 && fp == -16 && said(&t, &r, 10, NULL) == -16 && said(&t, &r, 17, NULL) == -16);
	CHECK(said(&t, &r, 18, &fp) == 8 && fp == UW_SAME);
	CHECK(said(&t, &r, 19, NULL) == 0 && said(&t, &r, 32, NULL) == 8);
	CODE_END;
}

static void test_code_lost(void)
{
	FROM_CODE("\x50\x31\xed\x58\xc3"); /* push %rax; xor %ebp,%ebp; pop %rax; ret */

	CHECK(said(&t, &r, 1, &fp) == 16 && fp == UW_LOST);
	CHECK(said(&t, &r, 4, &fp) == 8 && fp == UW_LOST);
	CODE_END;
}

/* What is pushed is no longer the caller's. */
static void test_code_pushed(void)
{
	FROM_CODE("\x31\xed\x55\x58\xc3"); /* xor %ebp,%ebp; push %rbp; pop %rax; ret */

	CHECK(said(&t, &r, 3, &fp) == 16 && fp == UW_LOST);
	CODE_END;
}

/* A function that is not as it must be has no rules, and those behind it have theirs. */
static void check_bad(const char *bytes, size_t n, bool is_next_known, int line)
{
	char code[64] = "";
	struct cfi_rules r;
	struct cfi_table t = {.nfde = 0};

	memset(code, '\x90', sizeof(code));
	memcpy(code, bytes, n);
	memcpy(code + 32, "\x50\x58\xc3", 3); /* push %rax; pop %rax; ret */
	cfi_rules_init(&r);
	cfi_from_code((const uint8_t *)code, sizeof(code), 0x1000, &r, &t);
	for (unsigned pc = 0; pc < 32; pc++)
		CHECK(said(&t, &r, pc, NULL) == 0);
	if ((said(&t, &r, 33, NULL) == 16) != is_next_known)
		printf("line %d\n", line);
	CHECK((said(&t, &r, 33, NULL) == 16) == is_next_known);
	CODE_END;
}
#define BAD_CODE(bytes, is_next_known) check_bad(bytes, sizeof(bytes) - 1, is_next_known, __LINE__)

static void test_code_bad(void)
{
	BAD_CODE("\x50\xc3", true);				 /* returns to what it pushed */
	BAD_CODE("\x75\x01\x50\x58\xc3", true);		 /* one way without the push that the other has */
	BAD_CODE("\x48\x83\xe4\xf0\xc3", true);		 /* aligns the stack without a frame pointer */
	BAD_CODE("\x48\x29\xc4\xc3", true);			 /* sub %rax,%rsp */
	BAD_CODE("\xe8\x00\x00\x00\x00\x58\xc3", true);	 /* call of what follows: a push */
	BAD_CODE("\x53\x5d\xc3", true);			 /* rbx to rbp */
	BAD_CODE("\x48\x89\xc4\xc3", true);			 /* mov %rax,%rsp */
	BAD_CODE("\x48\x8b\x20\xc3", true);			 /* mov (%rax),%rsp */
	BAD_CODE("\x58\x58\xc3", true);			 /* pops the return address */
	BAD_CODE("\x50\xff\xe0", true); /* push %rax; jmp *%rax */
	BAD_CODE("\x50\xeb\x7f", true);  /* leaves with something on the stack */
	BAD_CODE("\x62", true);	      /* is cut off, or no instruction */
}
#endif

int main(void)
{
#ifdef __x86_64__
	test_code_sp();
	test_code_fp();
	test_code_lost();
	test_code_pushed();
	test_code_bad();
#endif
	cfi_rules_init(&rules);
	test_rows();
	test_expressions();
	test_odd();
	test_broken();
	test_pack();
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[MAX(n, (ssize_t)0)] = '\0';
	compare_file(self);
	compare_file("/lib/x86_64-linux-gnu/libc.so.6");
	compare_file("/lib64/ld-linux-x86-64.so.2");
	compare_file("/lib/x86_64-linux-gnu/libcrypto.so.3");
	cfi_rules_free(&rules);
	return test_end();
}
