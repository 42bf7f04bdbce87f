/* truth.cpp - C++: methods, references, bases, namespaces, templates, lambdas. */
#include <string>
#include <vector>

#include "truth.h"

namespace space {
int inside = 70;
struct base {
	int id;
	virtual ~base() {}
};
struct shape : base {
	int width, height;
	static int count;
	shape(int w, int h) : width(w), height(h) { id = ++count; }
	__attribute__((noinline)) int area(int scale) const
	{
		int result = width * height * scale;
		seq++;
		MARK; // @method this->width:d this->height:d this->id:d scale:d result:d
		say("method", "this->width=%d this->height=%d this->id=%d scale=%d result=%d", width, height, id, scale, result);
		return result;
	}
};
int shape::count;
} // namespace space

__attribute__((noinline)) static int reference(const space::shape &s, int &out, long by)
{
	out += (int)by;
	seq++;
	MARK; // @reference s->width:d *out:d by:d g:inside:d
	say("reference", "s->width=%d *out=%d by=%ld g:inside=%d", s.width, out, by, space::inside);
	return out + s.height;
}

template <typename T> __attribute__((noinline)) static T maximum(T a, T b)
{
	T best = a > b ? a : b;
	seq++;
	MARK; // @maximum a:d b:d best:d
	say("maximum", "a=%ld b=%ld best=%ld", (long)a, (long)b, (long)best);
	return best;
}

struct handle { /* not trivially copied: passed by its address */
	int n;
	handle(int v) : n(v) {}
	handle(const handle &o) : n(o.n) {}
	~handle() {}
};

__attribute__((noinline)) static int by_value(handle h, int more)
{
	int sum = h.n + more;
	seq++;
	MARK; // @by_value more:d sum:d
	say("by_value", "more=%d sum=%d", more, sum);
	return sum + h.n;
}

__attribute__((noinline)) static int captured(int n)
{
	auto add = [n](int v) __attribute__((noinline)) {
		int sum = v + n;
		seq++;
		MARK; // @lambda v:d sum:d
		say("lambda", "v=%d sum=%d", v, sum);
		return sum;
	};
	return add(3) + add(n);
}

__attribute__((noinline)) static size_t library(const std::vector<int> &v, const std::string &s)
{
	size_t n = v.size() + s.size();
	bool is_long = s.size() > 3;
	seq++;
	MARK; // @library n:d is_long:d
	say("library", "n=%zu is_long=%d", n, is_long);
	return n + is_long;
}

int main(int argc, char **argv)
{
	long all = 0;
	setvbuf(stdout, nullptr, _IOLBF, 0);
	for (int i = 1; i <= 4; i++) {
		space::shape s(i, i + 2);
		int out = i;
		space::inside++;
		all += s.area(i);
		all += reference(s, out, i * 5);
		all += maximum(i, 3) + (int)maximum(i * 10000000000l, -5l);
		all += by_value(handle(i), argc);
		all += captured(i);
		all += (long)library(std::vector<int>((size_t)i, 7), std::string((size_t)i, 'x'));
	}
	return all == 42;
}
