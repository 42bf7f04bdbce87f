/* inlined.cc - calls that the compiler has put into one another; prints the lines that they are made at. */
#include <cstdio>

namespace shop {

static int lines[4];

extern "C" __attribute__((noinline)) void sold(int n)
{
	__asm__ volatile("" : : "r"(n) : "memory");
}

struct till {
	__attribute__((always_inline)) void ring(int n)
	{
		lines[0] = __LINE__ + 1;
		sold(n);
		__asm__ volatile("" ::: "memory");
	}
};

static inline __attribute__((always_inline)) void sell(till &t, int n)
{
	lines[1] = __LINE__ + 1;
	t.ring(n);
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void day(int n)
{
	till t;
	lines[2] = __LINE__ + 1;
	sell(t, n);
	__asm__ volatile("" ::: "memory");
}

}

int main()
{
	shop::lines[3] = __LINE__ + 1;
	shop::day(3);
	std::printf("ring:%d sell:%d day:%d main:%d\n", shop::lines[0], shop::lines[1], shop::lines[2], shop::lines[3]);
	return 0;
}
