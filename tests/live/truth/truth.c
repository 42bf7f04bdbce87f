/* truth.c - C as the compilers see it: scalars, structs, arrays, bit-fields, statics, threads' own variables, inlining. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "truth.h"

struct pair {
	int x, y;
};
struct big {
	long a[4];
	struct pair in;
	const char *name;
};
struct bits {
	unsigned low : 3;
	signed mid : 7;
	unsigned high : 20;
};
union either {
	uint32_t word;
	uint8_t byte[4];
};
enum colour { RED, GREEN = 5, BLUE };

int global_int = 41;
static short static_short = -7;
const char *global_text = "global text";
static struct pair global_pair = {11, 12};
static __thread int thread_int = 900;
static int table[8] = {3, 1, 4, 1, 5, 9, 2, 6};
volatile int sink;

static inline __attribute__((always_inline)) int twice(int v, int add)
{
	int doubled = v * 2 + add;
	seq++;
	MARK; // @inlined v:d add:d doubled:d
	say("inlined", "v=%d add=%d doubled=%d", v, add, doubled);
	return doubled;
}

__attribute__((noinline)) static int scalars(signed char c, unsigned short us, int i, unsigned u, long l, uint64_t ul)
{
	int sum = c + us + i;
	long dead = l * 3;
	volatile long copy = dead;
	sink += (int)dead;
	seq++;
	MARK; // @scalars c:d us:d i:d u:u l:d ul:u sum:d dead:d
	say("scalars", "c=%d us=%d i=%d u=%u l=%ld ul=%lu sum=%d dead=%ld", c, us, i, u, l, (unsigned long)ul, sum, copy);
	return sum;
}

/* What is not needed any more: parameters whose registers are used for other things. */
__attribute__((noinline)) static long forgotten(int a, int b, const char *text)
{
	volatile int ca = a, cb = b;
	const char *volatile ctext = text;
	long n = (long)strlen(text) + a * b;
	for (int i = 0; i < 3; i++)
		n += rand() & 0;
	seq++;
	MARK; // @forgotten a:d b:d n:d text:s
	say("forgotten", "a=%d b=%d n=%ld text=%s", ca, cb, n, ctext);
	return n;
}

__attribute__((noinline)) static long many(int a, int b, int c, int d, int e, int f, int g, long h, struct pair p)
{
	long all = a + b + c + d + e + f + g + h + p.x + p.y;
	seq++;
	MARK; // @many a:d f:d g:d h:d p.x:d p.y:d all:d
	say("many", "a=%d f=%d g=%d h=%ld p.x=%d p.y=%d all=%ld", a, f, g, h, p.x, p.y, all);
	return all;
}

__attribute__((noinline)) static int structs(struct pair p, struct big b, const struct big *ptr)
{
	struct pair local = {p.y, p.x};
	int sum = local.x + b.in.y + (int)ptr->a[2];
	seq++;
	MARK; // @structs p.x:d p.y:d b.in.x:d b.name:s ptr->a[1]:d ptr->in.y:d ptr->name:s local.x:d local.y:d sum:d
	say("structs", "p.x=%d p.y=%d b.in.x=%d b.name=%s ptr->a[1]=%ld ptr->in.y=%d ptr->name=%s local.x=%d local.y=%d sum=%d",
	    p.x, p.y, b.in.x, b.name, ptr->a[1], ptr->in.y, ptr->name, local.x, local.y, sum);
	return sum + sink;
}

__attribute__((noinline)) static int loops(int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++) {
		int square = i * i;
		sum += table[i] * square;
		seq++;
		MARK; // @loops n:d i:d square:d sum:d
		say("loops", "n=%d i=%d square=%d sum=%d", n, i, square, sum);
	}
	return sum;
}

__attribute__((noinline)) static int shapes(int n)
{
	struct bits b = {(unsigned)n & 7, -n, (unsigned)n * 1000};
	union either e = {.word = 0x01020304u * (unsigned)n};
	enum colour col = n & 1 ? GREEN : BLUE;
	int vla[n];
	char text[16] = "abc";
	for (int i = 0; i < n; i++)
		vla[i] = i + 100;
	text[0] = (char)('a' + n);
	sink += (int)b.low + b.mid + (int)b.high + (int)e.word + (int)col + vla[n - 1] + text[0];
	seq++;
	MARK; // @shapes b.low:d b.mid:d b.high:d e.byte[1]:d col:d vla[2]:d text:s
	say("shapes", "b.low=%d b.mid=%d b.high=%d e.byte[1]=%d col=%d vla[2]=%d text=%s", (int)b.low, (int)b.mid, (int)b.high,
	    e.byte[1], (int)col, vla[2], text);
	return text[1] + vla[1] + sink;
}

__attribute__((noinline)) static double floats(double d, float f, int scale)
{
	double product = d * f;
	int whole = (int)product + scale;
	seq++;
	MARK; // @floats scale:d whole:d
	say("floats", "scale=%d whole=%d", scale, whole);
	return product + whole;
}

__attribute__((noinline)) static int recursive(int depth, int acc)
{
	int here = depth * 10 + acc;
	if (depth > 0)
		here += recursive(depth - 1, here);
	seq++;
	MARK; // @recursive depth:d acc:d here:d
	say("recursive", "depth=%d acc=%d here=%d", depth, acc, here);
	return here;
}

__attribute__((noinline)) static int blocks(int outer)
{
	int v = outer + 1, total = v;
	{
		int v = outer + 100;
		total += v;
		seq++;
		MARK; // @inner v:d outer:d
		say("inner", "v=%d outer=%d", v, outer);
		total += v;
	}
	seq++;
	MARK; // @outer v:d total:d
	say("outer", "v=%d total=%d", v, total);
	return total + v;
}

__attribute__((noinline)) static int globals(int by)
{
	static int counter = 5;
	counter += by;
	global_int += by;
	thread_int += by;
	static_short--;
	seq++;
	MARK; // @globals by:d counter:d g:global_int:d g:static_short:d g:global_pair.y:d g:global_text:s g:thread_int:d g:table[5]:d
	say("globals", "by=%d counter=%d g:global_int=%d g:static_short=%d g:global_pair.y=%d g:global_text=%s g:thread_int=%d g:table[5]=%d",
	    by, counter, global_int, static_short, global_pair.y, global_text, thread_int, table[5]);
	return counter;
}

int main(int argc, char **argv)
{
	struct big b = {{10, 20, 30, 40}, {1, 2}, "big one"};
	long all = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i <= 4; i++) {
		struct pair p = {i, -i};
		all += scalars((signed char)-i, (unsigned short)(i * 1000), i * -7, (unsigned)i * 3000000000u, i * -10000000000l,
			       (uint64_t)i << 61);
		all += forgotten(i, i + 1, i & 1 ? "odd" : "even");
		all += many(i, 2, 3, 4, 5, i * 6, 7 + i, 800000000000l + i, p);
		all += structs(p, b, &b);
		all += loops(i + 1);
		all += shapes(i + 2);
		all += (long)floats(i * 1.5, 2.5f, i);
		all += recursive(i, 1);
		all += blocks(i);
		all += globals(i);
		all += twice(i, argc) + twice((int)all & 0xff, 3);
	}
	return all == 42;
}
