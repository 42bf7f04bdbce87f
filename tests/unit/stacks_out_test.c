/* stacks_out_test.c - maps of stacks as folded lines, flame graphs, pprof and speedscope. */
#include <zlib.h>

#include "output/flame.h"
#include "output_fixture.h"

static struct value none;

static struct row one_row(void)
{
	struct stack_value_wire w = {1, 2, 2};
	struct value k = bytes(type_stack(arena, false, STACK_BPFTRACE, 127), &w, sizeof(w)),
		     u = bytes(type_stack(arena, true, STACK_BPFTRACE, 127), &w, sizeof(w));
	return (struct row){TUPLE(k, str(16, "a;<b>\xff"), u), i64(3)};
}

static void show_map(void)
{
	struct row r = one_row();
	print_var("@hot", &r, 1, 0, 0, true);
}

static void folded(void)
{
	show_map();
	SEND(ACT_PRINTF, "aside\n", i64(0));
	VAR("@n", {none, i64(4)});
	CHECK_STR(written(), "a:<b>\xff;0xdead;main;0xbeef_[k];vfs_read_[k] 3\n");
	CHECK_STR(err_text, "aside\n@n: 4\n");
}

static void folded_inlined(void)
{
	fixture_has_source = true;
	show_map();
	fixture_has_source = false;
	CHECK_STR(written(), "a:<b>\xff;0xdead;main;small_[i];tiny_[i];0xbeef_[k];vfs_read_[k] 3\n");
}

static void speedscope(void)
{
	show_map();
	x->ops->finish(x);
	CHECK_STR(written(),
		  "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":\"spile " SPILE_VERSION
		  "\",\"shared\":{\"frames\":[\n"
		  "{\"name\":\"a;<b>\\ufffd\"},\n{\"name\":\"0xdead\"},\n{\"name\":\"main\",\"file\":\"/bin/victim\"},\n"
		  "{\"name\":\"0xbeef\"},\n{\"name\":\"vfs_read\"}\n]},\"profiles\":[\n"
		  "{\"type\":\"sampled\",\"unit\":\"none\",\"name\":\"@hot\",\"samples\":[[0,1,2,3,4]],\"weights\":[3],"
		  "\"startValue\":0,\"endValue\":3}\n]}\n");
}

/* Unpacks a whole gzip member into `out`; the length, 0 when the framing or the CRC is wrong. */
static size_t gunzip(const uint8_t *p, size_t n, uint8_t *out, size_t cap)
{
	z_stream z = {.next_in = (Bytef *)p, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)cap};
	int end;

	if (inflateInit2(&z, 15 + 16) != Z_OK)
		return 0;
	end = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return end == Z_STREAM_END && !z.avail_in ? z.total_out : 0;
}

/* Calls of profile.proto's fields, in order, as "field:varint" and "field:'bytes'" where they are text. */
static void spell_message(const uint8_t *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i + 1 < n;) {
		unsigned field = p[i] >> 3, kind = p[i] & 7;
		size_t len = p[i + 1];

		i += 2;
		if (kind == 2 && field == 6)
			buf_printf(out, "'%.*s' ", (int)len, (const char *)p + i);
		else if (kind == 2)
			buf_printf(out, "%u[%zu] ", field, len);
		if (kind == 2)
			i += len;
		else
			return; /* the time is last */
	}
}

static void check_pprof(const char *want)
{
	uint8_t raw[4096], message[4096];
	struct buf text = {0};
	size_t len;
	ssize_t n;

	show_map();
	x->ops->finish(x);
	exporter_flush(x);
	n = pread(x->fd, raw, sizeof(raw), 0);
	len = gunzip(raw, n > 0 ? (size_t)n : 0, message, sizeof(message));
	CHECK(len > 0);
	spell_message(message, len, &text);
	CHECK_STR(buf_str(&text), want);
	buf_free(&text);
}

/* a type; frames innermost first, each a function and a location, with a mapping for a new module; the sample */
static void pprof(void)
{
	check_pprof("1[4] 3[6] 5[6] 4[11] 5[6] 4[12] 3[6] 5[6] 4[11] 3[6] 5[6] 4[12] 2[15] '' '@hot' 'count' '[kernel]' 'vfs_read' '0xbeef' "
		    "'/bin/victim' 'main' '' '0xdead' 'key' 'a;<b>\xef\xbf\xbd' ");
}

/* One location with three functions at its address. */
static void pprof_inlined(void)
{
	fixture_has_source = true;
	check_pprof("1[4] 3[6] 5[6] 4[11] 5[6] 4[12] 3[6] 5[8] 5[8] 5[8] 4[25] 3[6] 5[6] 4[12] 2[15] '' '@hot' 'count' '[kernel]' 'vfs_read' "
		    "'0xbeef' '/bin/victim' 'tiny' '/src/a.h' 'small' 'main' '/src/a.c' '' '0xdead' 'key' 'a;<b>\xef\xbf\xbd' ");
	fixture_has_source = false;
}

static struct samples stacks(const char *text)
{
	struct samples s;
	samples_read_folded(text, strlen(text), &s);
	return s;
}

static bool has(struct buf *b, const char *text)
{
	return strstr(buf_str(b), text) != NULL;
}

static void flame(void)
{
	struct samples s = stacks("a;b;c 6\na;b 2\na;sys_[k] 2\nnot a line\na;b \n;; 0\na;b x\n"), before = stacks("a;b;c 1\na;gone 1\n");
	struct flame_options plain = {0}, icicle = {.icicle = true};
	struct buf b = {0};

	CHECK(s.sample.len == 4 && before.sample.len == 2);
	flame_svg(&s, NULL, &plain, &b);
	CHECK(has(&b, "data-total=\"10\" data-depth=\"3\""));
	CHECK(has(&b, "<g data-x=\"0\" data-w=\"1\" data-d=\"0\" data-v=\"10\" data-n=\"all\">"));
	CHECK(has(&b, "<g data-x=\"0\" data-w=\"0.8\" data-d=\"2\" data-v=\"8\" data-n=\"b\">"));
	CHECK(has(&b, "<g data-x=\"0\" data-w=\"0.6\" data-d=\"3\" data-v=\"6\" data-n=\"c\">"));
	CHECK(has(&b, "<g data-x=\"0.8\" data-w=\"0.2\" data-d=\"2\" data-v=\"2\" data-n=\"sys\"><rect x=\"954.00\" y=\"75\""));
	buf_clear(&b);
	flame_svg(&s, &before, &icicle, &b);
	/* 8 of 10 now, 1 of 2 before */
	CHECK(has(&b, "data-v=\"8\" data-c=\"30.00\" data-n=\"b\"><rect x=\"10.00\" y=\"92\""));
	CHECK(!has(&b, "gone"));
	buf_clear(&b);
	samples_free(&s);
	s = stacks("<&\"\x01\xff 1\n");
	flame_svg(&s, NULL, &plain, &b);
	CHECK(has(&b, "data-n=\"&lt;&amp;&quot;\xef\xbf\xbd\xef\xbf\xbd\""));
	samples_free(&s);
	samples_free(&before);
	buf_clear(&b);

	/* so deep that drawing it by recursion would not end well */
	struct buf deep = {0};
	for (unsigned i = 0; i < 200000; i++)
		buf_puts(&deep, "f;");
	buf_puts(&deep, "f 1\n");
	s = stacks(buf_str(&deep));
	flame_svg(&s, NULL, &plain, &b);
	CHECK(has(&b, "data-total=\"1\" data-depth=\"4096\""));
	samples_free(&s);
	buf_free(&deep);
	buf_free(&b);
}

static void flame_option(void)
{
	struct arena *a = arena_create();
	struct flame_options o;
	struct err *e = flame_parse("x.svg,icicle,map=@a,diff=old", a, &o);

	CHECK(!e && o.icicle);
	CHECK_STR(o.path, "x.svg");
	CHECK_STR(o.map, "@a");
	CHECK_STR(o.before, "old");
	e = flame_parse("x.svg,colour", a, &o);
	CHECK(e && strstr(e->msg, "not 'colour'"));
	err_free(e);
	arena_destroy(a);
}

int main(void)
{
	fixture_open(&output_folded, "bpftrace");
	folded();
	fixture_close();
	fixture_open(&output_folded, "bpftrace");
	folded_inlined();
	fixture_close();
	fixture_open(&output_speedscope, "bpftrace");
	speedscope();
	fixture_close();
	fixture_open(&output_pprof, "bpftrace");
	pprof();
	fixture_close();
	fixture_open(&output_pprof, "bpftrace");
	pprof_inlined();
	fixture_close();
	flame();
	flame_option();
	return test_end();
}
