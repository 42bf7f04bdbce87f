/*
 * user_format.c - bpf_snprintf() for handlers in user space: the kernel's own subset of printf (see
 * bpf_bprintf_prepare() in kernel/bpf/helpers.c): flags 0 + - and space, a width, l and ll, and d i u x X c s p %.
 */
#include <errno.h>
#include <stdio.h>

#include "attach/user.h"

enum { MAX_FORMAT = 1024, MAX_TEXT = 1024, MAX_ARGS = 12 };

/* A NUL-terminated string of this process, cut to n - 1 bytes. */
static bool get_string(char *dst, size_t n, uint64_t addr)
{
	for (size_t i = 0; i + 1 < n; i++) {
		if (!user_get(dst + i, addr + i, 1))
			return false;
		if (!dst[i])
			return true;
	}
	dst[n - 1] = '\0';
	return true;
}

/* One conversion at p (after the %): appends it, returns what follows; NULL when the kernel refuses it. */
static const char *convert(struct buf *out, const char *p, uint64_t arg)
{
	char spec[40] = "%", text[MAX_TEXT];
	size_t n = strspn(p, "0+- ");

	n += strspn(p + n, "0123456789");
	if (n > 20)
		return NULL;
	memcpy(spec + 1, p, n);
	p += n;
	p += strspn(p, "l");
	switch (*p) {
	case 's':
		if (!get_string(text, sizeof(text), arg))
			text[0] = '\0';
		strcat(spec, "s");
		buf_printf(out, spec, text);
		break;
	case 'c':
		strcat(spec, "c");
		buf_printf(out, spec, (int)arg);
		break;
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
		snprintf(spec + 1 + n, sizeof(spec) - 1 - n, "ll%c", *p);
		buf_printf(out, spec, (unsigned long long)arg);
		break;
	case 'p': buf_printf(out, "%llx", (unsigned long long)arg); break;
	default: return NULL;
	}
	return p + 1;
}

/* v: string, size, format, arguments (u64 each), their bytes.  Returns the length with NUL before it was cut. */
int64_t user_snprintf(const uint64_t v[5])
{
	char fmt[MAX_FORMAT];
	uint64_t args[MAX_ARGS] = {0};
	unsigned n = (unsigned)(v[4] / 8), i = 0;
	struct buf out = {0};
	int64_t ret = -EINVAL;

	if (v[4] % 8 || n > MAX_ARGS || !user_get(args, v[3], v[4]) || !get_string(fmt, sizeof(fmt), v[2]))
		return -EINVAL;
	for (const char *p = fmt; p;) {
		size_t plain = strcspn(p, "%");

		buf_add(&out, p, plain);
		p += plain;
		if (!*p) {
			ret = (int64_t)out.len + 1;
			break;
		}
		if (p[1] == '%') {
			buf_putc(&out, '%');
			p += 2;
		} else {
			p = i < n ? convert(&out, p + 1, args[i]) : NULL;
			i++;
		}
	}
	if (ret > 0 && v[1]) {
		size_t len = MIN(out.len, (size_t)v[1] - 1);

		if (!user_put(v[0], buf_str(&out), len) || !user_put(v[0] + len, "", 1))
			ret = -EFAULT;
	}
	buf_free(&out);
	return ret;
}
