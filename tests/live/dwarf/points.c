/* points.c - a small program whose functions, lines and variables the tests name; it prints what it does. */
#include <stdio.h>

struct part {
	int a;
	char c;
	const char *name;
};
struct point {
	int x;
	long y;
	struct part part;
	int arr[3];
	struct point *next;
	unsigned bits : 3;
};

int counter = 3;
static __thread int own = 70;

static inline __attribute__((always_inline)) int inlined(int q)
{
	int z = q * 2;
	counter += z;
	return z;
}

__attribute__((noinline)) long work(struct point *p, int n, double d, char *text)
{
	long local = n * 2 + p->x;
	for (int i = 0; i < 2; i++)
		local += inlined(i);
	own++;
	if (n > 5)
		goto out;
	counter++;
out:
	counter += n;
	printf("%ld %s\n", local, text); /* line 39 */
	return local + counter;
}

int main(void)
{
	struct point b = {7, 8, {1, 'q', "inner"}, {1, 2, 3}, NULL, 5}, a = {10, 20, {2, 'z', "outer"}, {4, 5, 6}, &b, 6};
	for (int i = 0; i < 2; i++)
		work(&a, i + 5, 1.5, "hello");
	return 0;
}
