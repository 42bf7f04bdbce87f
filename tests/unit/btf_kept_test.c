/* btf_kept_test.c - indexes of BTF that another run has kept, and BTF that is read page by page. */
#include "test.h"

#include "debuginfo/btf_internal.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static char *fixture;
static size_t fixture_len;

static struct btf *open_fixture(void)
{
	struct btf *b = NULL;
	CHECK(!btf_open_bytes(fixture, fixture_len, NULL, &b));
	return b;
}

struct look {
	struct btf *b;
	enum btf_namespace ns;
	unsigned found, missed;
};

static void look(void *arg, const char *name, uint32_t id)
{
	struct look *l = arg;
	uint32_t got = btf_find(l->b, l->ns, name);
	l->found += got == id;
	l->missed += !got;
}

/* Every name of `from` in `in`. */
static void check_names(struct btf *from, struct btf *in, bool all)
{
	for (int ns = BTF_NS_STRUCT; ns <= BTF_NS_VAR; ns++) {
		struct look l = {.b = in, .ns = (enum btf_namespace)ns};
		btf_each(from, l.ns, look, &l);
		CHECK(all ? !l.missed && (l.found || ns == BTF_NS_VAR) : !l.found);
	}
}

static uint8_t *copy_of(const struct buf *b)
{
	return memcpy(malloc(b->len), b->data, b->len);
}

static void test_round_trip(void)
{
	struct btf *b = open_fixture(), *again = open_fixture();
	int64_t value;
	CHECK(btf_enumerator(b, "PIDTYPE_SID", &value, NULL));
	check_names(b, b, true);
	for (int i = 0; i < BTF_INDEXES; i++) {
		struct buf out = {0};
		btf_kept_pack(b, (enum btf_index)i, &out);
		CHECK(btf_kept_read(again, (enum btf_index)i, copy_of(&out), out.len));
		/* not as another index, nor of other types */
		CHECK(!btf_kept_read(again, (enum btf_index)((i + 1) % BTF_INDEXES), copy_of(&out), out.len));
		again->strings_len--;
		CHECK(!btf_kept_read(again, (enum btf_index)i, copy_of(&out), out.len));
		again->strings_len++;
		buf_free(&out);
	}
	check_names(b, again, true);
	CHECK(btf_enumerator(again, "PIDTYPE_SID", &value, NULL) && value == 3);
	btf_close(b);
	btf_close(again);
}

static void test_damage(void)
{
	struct btf *b = open_fixture();
	struct buf out = {0};
	btf_names(b, BTF_INDEX_TYPES);
	btf_kept_pack(b, BTF_INDEX_TYPES, &out);
	CHECK(!btf_kept_read(b, BTF_INDEX_TYPES, NULL, 0));
	for (size_t n = 0; n < out.len; n += 37)
		CHECK(!btf_kept_read(b, BTF_INDEX_TYPES, copy_of(&out), n));
	for (size_t at = 0; at < out.len; at++) {
		if (at >= 56 && at % 7)
			continue;
		uint8_t *damaged = copy_of(&out);
		damaged[at] ^= 0x10;
		CHECK(!btf_kept_read(b, BTF_INDEX_TYPES, damaged, out.len));
	}
	check_names(b, b, true);
	buf_free(&out);
	btf_close(b);
}

/* Only what is touched is read. */
static void test_pages(void)
{
	enum { PAGE = 4096, LEN = 4 * PAGE + 100 };
	char path[] = "/tmp/btf-XXXXXX", text[LEN];
	int fd = mkstemp(path);
	CHECK(fd >= 0 && !unlink(path));
	memset(text, 'x', LEN);
	text[2 * PAGE + 5] = text[LEN - 1] = 0;
	CHECK(write(fd, text, LEN) == LEN);
	struct btf_bytes m = {.data = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			      .len = LEN, .is_mapped = true, .fd = fd, .have = calloc(LEN / PAGE + 1, 1)};
	CHECK(btf_bytes_touch(&m, m.data, 0) && !m.have[0]);
	CHECK(btf_bytes_touch(&m, m.data + PAGE - 1, 1) && m.have[0] && !m.have[1] && m.data[PAGE - 1] == 'x' && !m.data[PAGE]);
	CHECK(strlen(btf_bytes_string(&m, (char *)m.data + 10)) == 2 * PAGE - 5 && m.have[2] && !m.have[3]);
	CHECK(btf_bytes_touch(&m, m.data, LEN) && m.have[3] && m.have[4] && !memcmp(m.data, text, LEN));
	/* a file that is shorter than it was */
	memset(m.have, 0, LEN / PAGE + 1);
	CHECK(!ftruncate(fd, PAGE + 1));
	CHECK(!btf_bytes_touch(&m, m.data + 3 * PAGE, 1) && *btf_bytes_string(&m, (char *)m.data + PAGE) == 0);
	btf_bytes_close(&m);
}

int main(void)
{
	fixture = read_file("tests/fixture/sys/kernel/btf/vmlinux", &fixture_len);
	CHECK(fixture);
	test_round_trip();
	test_damage();
	test_pages();
	free(fixture);
	return test_end();
}
