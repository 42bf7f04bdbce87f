/* escape.c - text from anywhere inside JSON, XML and profiles: always valid UTF-8, bytes that are none become U+FFFD. */
#include "output/parts.h"

/* Length of the well-formed UTF-8 sequence at s, 0 when there is none (Unicode, table 3-7). */
static size_t utf8_length(const uint8_t *s, size_t n)
{
	size_t len = s[0] < 0x80   ? 1
		     : s[0] < 0xc2 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf5 ? 4
				   : 0;
	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void json_string(const char *text, size_t n, struct buf *out)
{
	const uint8_t *s = (const uint8_t *)text;
	buf_putc(out, '"');
	for (size_t i = 0; i < n;) {
		size_t len = utf8_length(s + i, n - i);
		if (!len)
			buf_puts(out, "\\ufffd");
		else if (s[i] == '"' || s[i] == '\\')
			buf_printf(out, "\\%c", s[i]);
		else if (s[i] == '\n' || s[i] == '\r' || s[i] == '\t')
			buf_puts(out, s[i] == '\n' ? "\\n" : s[i] == '\r' ? "\\r" : "\\t");
		else if (s[i] < 0x20)
			buf_printf(out, "\\u%04x", s[i]);
		else
			buf_add(out, s + i, len);
		i += len ? len : 1;
	}
	buf_putc(out, '"');
}

void utf8_text(const char *text, size_t n, struct buf *out)
{
	const uint8_t *s = (const uint8_t *)text;
	for (size_t i = 0; i < n;) {
		size_t len = utf8_length(s + i, n - i);
		if (len)
			buf_add(out, s + i, len);
		else
			buf_puts(out, "\xef\xbf\xbd");
		i += len ? len : 1;
	}
}

void xml_text(const char *text, struct buf *out)
{
	const uint8_t *s = (const uint8_t *)text;
	for (size_t n = strlen(text), i = 0; i < n;) {
		size_t len = utf8_length(s + i, n - i);
		if (!len || (s[i] < 0x20 && s[i] != '\t'))
			buf_puts(out, "\xef\xbf\xbd");
		else if (s[i] == '&')
			buf_puts(out, "&amp;");
		else if (s[i] == '<' || s[i] == '>')
			buf_puts(out, s[i] == '<' ? "&lt;" : "&gt;");
		else if (s[i] == '"')
			buf_puts(out, "&quot;");
		else
			buf_add(out, s + i, len);
		i += len ? len : 1;
	}
}
