/* speculate_test.c - texts that are kept until they are decided about, against a plain table. */
#include <stdlib.h>

#include "events/speculate.h"

#include "test.h"

static void test_order_and_limit(void)
{
	struct speculations s = {0};
	struct buf b;
	static char big[1 << 20];

	memset(big, 'x', sizeof(big));
	speculate(&s, -1, "a", 1);
	speculate(&s, 5, "b", 1);
	speculate(&s, -1, "cd", 2);
	b = speculation_take(&s, -1);
	CHECK_STR(buf_str(&b), "acd");
	buf_free(&b);
	b = speculation_take(&s, -1);
	CHECK(b.len == 0);
	/* 80 MiB are too many: the oldest go, and it is said how many texts they were */
	for (int i = 0; i < 80; i++)
		speculate(&s, i / 2 + 100, big, sizeof(big));
	CHECK(s.bytes <= 64 << 20);
	CHECK(s.given_up == 17);
	b = speculation_take(&s, 5);
	CHECK(b.len == 0);
	b = speculation_take(&s, 139);
	CHECK(b.len == 2 * sizeof(big));
	buf_free(&b);
	/* one that is too large by itself cannot be kept either */
	for (int i = 0; i < 70; i++)
		speculate(&s, 7, big, sizeof(big));
	CHECK(s.bytes <= 64 << 20);
	speculations_free(&s);
}

/* Random texts for a thousand ids, of which most are decided about soon; the tables do not grow for ever. */
static void test_random(void)
{
	enum { IDS = 1000, ROUNDS = 200000 };
	static char model[IDS][64];
	struct speculations s = {0};
	uint64_t seed = 1, wrong = 0;

	for (int i = 0; i < ROUNDS; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		unsigned id = (unsigned)(seed >> 33) % IDS;

		if (strlen(model[id]) < 60 && seed >> 60 < 8) {
			char one[2] = {(char)('a' + i % 26), 0};
			strcat(model[id], one);
			speculate(&s, id, one, 1);
			continue;
		}
		struct buf b = speculation_take(&s, id);
		wrong += strcmp(buf_str(&b), model[id]) != 0;
		buf_free(&b);
		model[id][0] = 0;
	}
	CHECK(!wrong);
	CHECK(s.in_order.len < 2 * IDS + 2048);
	speculations_free(&s);
}

int main(void)
{
	test_order_and_limit();
	test_random();
	return test_end();
}
