/*
 * texts.c - calls wide16(), wide32() and number() with addresses of what it prints: strings of 16- and 32-bit characters, numbers of several
 * sizes.  broken16() gets one with half a character, nothing() an address where there is nothing.  At the end it says what is there "now".
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uchar.h>

__attribute__((noinline)) void wide16(const char16_t *s) { __asm__ volatile("" : : "r"(s) : "memory"); }
__attribute__((noinline)) void wide32(const char32_t *s) { __asm__ volatile("" : : "r"(s) : "memory"); }
__attribute__((noinline)) void broken16(const char16_t *s) { __asm__ volatile("" : : "r"(s) : "memory"); }
__attribute__((noinline)) void number(const int64_t *n) { __asm__ volatile("" : : "r"(n) : "memory"); }
__attribute__((noinline)) void nothing(const void *p) { __asm__ volatile("" : : "r"(p) : "memory"); }
__attribute__((noinline)) void text(const char *s) { __asm__ volatile("" : : "r"(s) : "memory"); }

static const char *const utf8[] = {u8"plain", u8"Grüße, Ünïcödé", u8"漢字 かな", u8"\U0001F600 and \U0010FFFF", u8""};
static const char16_t *const utf16[] = {u"plain", u"Grüße, Ünïcödé", u"漢字 かな", u"\U0001F600 and \U0010FFFF", u""};
static const char32_t *const utf32[] = {U"plain", U"Grüße, Ünïcödé", U"漢字 かな", U"\U0001F600 and \U0010FFFF", U""};
static const char16_t half[] = {'a', 0xd83d, 'b', 0};
static char said[32] = "a \"quoted\"\ttext\0behind it";
static int64_t n = -0x1122334455667788;

int main(void)
{
	char16_t longer[600] = {0};
	for (int i = 0; i < 599; i++)
		longer[i] = 0xe9;
	for (unsigned i = 0; i < sizeof(utf8) / sizeof(*utf8); i++) {
		printf("16 %s\n32 %s\n", utf8[i], utf8[i]);
		wide16(utf16[i]);
		wide32(utf32[i]);
	}
	wide16(longer);
	broken16(half);
	printf("number %d %d %u %d %u %lld\n", (int8_t)n, (int16_t)n, (uint16_t)n, (int32_t)n, (uint32_t)n, (long long)n);
	number(&n);
	nothing((void *)8);
	text(said);
	printf("now %llx [%s] [%s]\n", (long long)n, said, said + strlen(said) + 1);
	return 0;
}
