#!/bin/sh
# many.sh N: C text of a program with N functions many_0 ... that calls each once and prints "many N".
awk -v n="$1" 'BEGIN {
	print "#include <stdio.h>"
	for (i = 0; i < n; i++)
		printf "__attribute__((noinline)) int many_%d(int x) { __asm__ volatile(\"\" ::: \"memory\"); return x + %d; }\n", i, i
	print "int main(void) { int s = 0;"
	for (i = 0; i < n; i++)
		printf "s += many_%d(s);\n", i
	printf "printf(\"many %d\\n\"); return s == 42; }\n", n
}'
