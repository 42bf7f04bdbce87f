/*
 * truth.h - for programs that say what their variables hold.
 *
 * A marked line is one instruction of its own:
 *
 *     seq++;
 *     MARK; // @name expr:format expr:format ...
 *     say("name", "expr=format expr=format", expr, expr);
 *
 * The tracer reads `seq` and the expressions at the marked line; say() prints them with the same `seq`.  An expression that
 * is not used after the mark is printed from a volatile copy, so that the compiler may forget it.
 */
#include <stdarg.h>
#include <stdio.h>

volatile long seq;

#define MARK __asm__ volatile("nop" ::: "memory")

__attribute__((noinline, format(printf, 2, 3))) static void say(const char *name, const char *fmt, ...)
{
	va_list ap;
	printf("%s %ld ", name, seq);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}
