/* kept_test.c - the index that is kept between runs: what was put in comes out, damaged bytes are nothing, the folder is ours alone. */
#include "test.h"

#include "debuginfo/cache_dir.h"
#include "debuginfo/dwarf_kept.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PRINT = 77 };

static struct buf sample(void)
{
	static const uint32_t units[] = {3, 9, 4000};
	struct kept *k = kept_read(NULL, 0, PRINT);
	struct buf out = {0};
	CHECK(!kept_is_changed(k));
	kept_set(k, "f3 vfs_read", units, 3);
	kept_set(k, "t19 nothing", NULL, 0);
	kept_set(k, "lfs/read_write.c", units + 1, 1);
	CHECK(kept_is_changed(k));
	kept_pack(k, CACHE_MAX_FILE, PRINT, &out);
	kept_free(k);
	return out;
}

static void test_round_trip(void)
{
	struct buf b = sample();
	struct kept *k = kept_read(b.data, b.len, PRINT);
	uint32_t n;
	const uint32_t *u = kept_get(k, "f3 vfs_read", &n);
	CHECK(u && n == 3 && u[0] == 3 && u[1] == 9 && u[2] == 4000);
	CHECK(kept_get(k, "t19 nothing", &n) && n == 0);
	u = kept_get(k, "lfs/read_write.c", &n);
	CHECK(u && n == 1 && u[0] == 9);
	CHECK(!kept_get(k, "f3 vfs_rea", &n));
	CHECK(!kept_is_changed(k));
	kept_free(k);
	buf_free(&b);
}

static bool is_empty(const void *data, size_t n, uint64_t print)
{
	struct kept *k = kept_read(data, n, print);
	uint32_t count;
	bool empty = !kept_get(k, "f3 vfs_read", &count) && !kept_get(k, "t19 nothing", &count) &&
		     !kept_get(k, "lfs/read_write.c", &count);
	kept_free(k);
	return empty;
}

static void test_damage(void)
{
	struct buf b = sample();
	CHECK(is_empty(b.data, b.len, PRINT + 1)); /* of another file */
	unsigned cut = 0, flipped = 0;
	for (size_t n = 0; n < b.len; n++)
		cut += is_empty(b.data, n, PRINT);
	CHECK(cut == b.len);
	for (size_t i = 0; i < b.len * 8; i++) {
		b.data[i / 8] ^= (char)(1 << i % 8);
		flipped += is_empty(b.data, b.len, PRINT);
		b.data[i / 8] ^= (char)(1 << i % 8);
	}
	CHECK(flipped == b.len * 8);
	CHECK(!is_empty(b.data, b.len, PRINT));
	buf_free(&b);
}

/* The newest answers stay when there is not room for all. */
static void test_limit(void)
{
	struct kept *k = kept_read(NULL, 0, PRINT);
	struct buf out = {0};
	uint32_t unit[100], n;
	for (uint32_t i = 0; i < 100; i++)
		unit[i] = i;
	for (int i = 0; i < 50; i++) {
		char question[16];
		snprintf(question, sizeof(question), "q%d", i);
		kept_set(k, question, unit, 100);
	}
	kept_pack(k, 5000, PRINT, &out);
	CHECK(out.len <= 5000);
	kept_free(k);
	k = kept_read(out.data, out.len, PRINT);
	CHECK(kept_get(k, "q49", &n) && n == 100);
	CHECK(!kept_get(k, "q0", &n));
	kept_free(k);
	buf_free(&out);
}

static unsigned count_files(const char *path)
{
	unsigned n = 0;
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		n += e->d_name[0] != '.' || str_has_prefix(e->d_name, ".new-");
	if (d)
		closedir(d);
	return n;
}

static bool reads(const char *name, const char *want)
{
	size_t n;
	_cleanup_free_ uint8_t *data = cache_read(name, &n);
	return want ? data && n == strlen(want) && !memcmp(data, want, n) : !data;
}

static void test_folder(void)
{
	char top[] = "/tmp/kept-XXXXXX", path[64];
	CHECK(mkdtemp(top) != NULL);
	setenv("XDG_CACHE_HOME", top, 1);
	CHECK(reads("a", NULL));
	cache_write("a", "hello", 5);
	cache_write("a", "again", 5);
	CHECK(reads("a", "again"));
	snprintf(path, sizeof(path), "%s/spile", top);
	CHECK(count_files(path) == 1);
	/* no more than so many, the oldest goes first */
	struct timespec old[2] = {{1000, 0}, {1000, 0}};
	CHECK(!utimensat(AT_FDCWD, path, old, 0));
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	utimensat(dir, "a", old, 0);
	for (int i = 0; i < CACHE_MAX_FILES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "b%d", i);
		cache_write(name, "x", 1);
	}
	CHECK(count_files(path) == CACHE_MAX_FILES);
	CHECK(reads("a", NULL) && reads("b1", "x") && reads("b255", "x"));
	/* a link is not followed, a folder that others may write is not used */
	CHECK(!symlinkat("b1", dir, "link") && reads("link", NULL));
	CHECK(!fchmod(dir, 0777) && reads("b1", NULL));
	cache_write("c", "x", 1);
	CHECK(!fchmod(dir, 0700) && reads("c", NULL) && reads("b1", "x"));
	close(dir);
	snprintf(path, sizeof(path), "rm -rf %s", top);
	CHECK(!system(path));
	/* nowhere to write is no error */
	setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
	cache_write("a", "x", 1);
	CHECK(reads("a", NULL));
}

int main(void)
{
	test_round_trip();
	test_damage();
	test_limit();
	test_folder();
	return test_end();
}
