/* pretty.c - every kind of value that a script can have printed whole. */
#include <stdbool.h>
#include <stdio.h>

enum colour { RED, GREEN = 5 };
enum below { LOW = -2, HIGH };
struct inner {
	int a;
	char c;
	unsigned char uc;
	const char *s;
	char buf[8];
};
struct all {
	struct inner in, *pi;
	int arr[3], grid[2][3];
	struct inner two[2];
	enum colour col;
	enum below below;
	bool yes;
	double d;
	void *any;
	int (*code)(int);
	unsigned bits : 3;
	int sbits : 4;
	unsigned long ul;
	union {
		int ua;
		float ub;
	};
	struct {
		int sa;
	};
	const char *texts[2];
};

__attribute__((noinline)) struct inner whole(struct all *a, char ch, int n, char *text, int **pp, int (*code)(int), void *any)
{
	struct inner local = a->in;
	int vla[n];
	for (int i = 0; i < n; i++)
		vla[i] = i + 7;
	printf("%d %d %s\n", vla[1] + ch, **pp, text); /* line 44 */
	local.a++;
	return local;
}

int main(void)
{
	static struct all a = {.in = {1, 'q', 200, "str", "buf"}, .arr = {1, 2, 3}, .grid = {{4}}, .col = GREEN, .below = LOW, .yes = true,
			       .bits = 5, .sbits = -3, .ul = ~0ul, .ua = 7, .sa = 8, .texts = {"one"}};
	int n = 3, *p = &n;
	return whole(&a, '\n', n, "text", &p, NULL, NULL).a == 9;
}
