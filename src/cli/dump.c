/* dump.c - --dump and -d: what the compiler made of the script, stage by stage. */
#include "cli/cli.h"

/* bpftrace's names for our stages. */
static const struct {
	const char *bpftrace, *stage;
} aliases[] = {
	{"ast", "ast"},        {"types", "types"}, {"codegen", "ir:none"},
	{"codegen-opt", "ir"}, {"dis", "bpf"},     {"verifier", "verifier"},
};

static bool in_list(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = list; p && *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
		size_t len = strcspn(p, ",");
		if (len == n && !strncmp(p, word, n))
			return true;
	}
	return false;
}

bool dump_wanted(const struct job *j, const char *stage)
{
	if (in_list(j->dump, stage))
		return true;
	for (size_t i = 0; j->debug && i < ARRAY_SIZE(aliases); i++)
		if (str_eq(aliases[i].stage, stage) &&
		    (in_list(j->debug, aliases[i].bpftrace) || in_list(j->debug, "all")))
			return true;
	return false;
}

struct err *pass_check(const char *option, const char *name, size_t n)
{
	struct buf b = {0};
	for (unsigned i = 0; i < ir_npasses; i++) {
		buf_printf(&b, " %s", ir_passes[i].name);
		if (strlen(ir_passes[i].name) == n && !strncmp(ir_passes[i].name, name, n)) {
			buf_free(&b);
			return NULL;
		}
	}
	struct err *e = err_new(0, "%s%.*s: no such pass", option, (int)n, name);
	e = err_hint(e, "passes, in order:%s", buf_str(&b));
	buf_free(&b);
	return e;
}

struct err *dump_check(const struct job *j)
{
	static const char *const stages[] = {"ast", "types", "ir", "bpf", "maps", "verifier"};
	for (const char *p = j->dump; p && *p;) {
		size_t n = strcspn(p, ",");
		bool known = false;
		for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
			known |= strlen(stages[i]) == n && !strncmp(p, stages[i], n);
		if (str_has_prefix(p, "ir:")) {
			bool is_start = n == strlen("ir:none") && !strncmp(p, "ir:none", n);
			struct err *e = is_start ? NULL : pass_check("--dump=ir:", p + 3, n - 3);
			if (e)
				return e;
			known = true;
		}
		if (!known)
			return err_new(
				0, "--dump knows ast, types, ir, ir:PASS, bpf and maps, not '%.*s'",
				(int)n, p);
		p += n + (p[n] == ',');
	}
	return NULL;
}

static void print_fn(const struct ir_fn *fn)
{
	struct buf b = {0};
	ir_print(fn, &b);
	fwrite(buf_str(&b), 1, b.len, stdout);
	buf_free(&b);
}

static void after_pass(const struct ir_fn *fn, const char *pass, void *arg)
{
	char stage[64];
	snprintf(stage, sizeof(stage), "ir:%s", pass);
	if (!dump_wanted(arg, stage))
		return;
	printf("; after %s\n", pass);
	print_fn(fn);
}

static bool wants_ir(const struct job *j)
{
	bool wanted = dump_wanted(j, "ir") || dump_wanted(j, "ir:none") || j->stop_after == 3;
	for (unsigned i = 0; i < ir_npasses && !wanted; i++) {
		char stage[64];
		snprintf(stage, sizeof(stage), "ir:%s", ir_passes[i].name);
		wanted = dump_wanted(j, stage);
	}
	return wanted;
}

static void dump_maps(struct script *s)
{
	struct buf b = {0};
	program_dump_maps(s->prog, &b);
	fwrite(buf_str(&b), 1, b.len, stdout);
	buf_free(&b);
}

/* IR is printed with the maps that it names, so that `spile ir` reads it. */
void script_optimize(struct job *j, struct script *s)
{
	bool any = j->dump || j->debug;
	if (wants_ir(j))
		dump_maps(s);
	vec_each(fn, &s->prog->fn) {
		if (dump_wanted(j, "ir:none")) {
			printf("; before all passes\n");
			print_fn(*fn);
		}
		ir_optimize(*fn, NULL, any ? after_pass : NULL, j);
		if (dump_wanted(j, "ir") || j->stop_after == 3)
			print_fn(*fn);
	}
	phases_end(&s->phases, "optimize");
}

static void dump_bpf(struct script *s)
{
	struct ir_fn *last = NULL;
	vec_each(p, &s->prog->probe) {
		struct bpf_image *img = NULL;
		struct buf b = {0};
		if ((*p)->fn == last)
			continue;
		last = (*p)->fn;
		struct err *e = bpf_compile(s->prog, (*p)->fn, s->world, s->arena, &img);
		if (e) {
			printf("; %s: %s\n", (*p)->name, e->msg);
			err_free(e);
			continue;
		}
		printf("; %s\n", (*p)->name);
		bpf_disasm(s->prog, img, &b);
		fwrite(buf_str(&b), 1, b.len, stdout);
		buf_free(&b);
	}
}

void dump_program(const struct job *j, struct script *s)
{
	if (dump_wanted(j, "maps") && !wants_ir(j))
		dump_maps(s);
	if (dump_wanted(j, "bpf"))
		dump_bpf(s);
	fflush(stdout);
}
