/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formats one diagnostic line safely and writes it to standard error.
 */
#include "base/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * The length in bytes of the printable UTF-8 character at s (which has n > 0 bytes), or 0 when
 * there is none: a control character (C1 too), a broken or overlong sequence, a surrogate.
 */
static size_t printable_len(const uint8_t *s, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t cp;
	size_t len;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f ? 1 : 0;
	if (s[0] >= 0xc0 && s[0] < 0xe0)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] < 0xf0)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] < 0xf8)
		len = 4;
	else
		return 0;
	if (len > n)
		return 0;
	cp = s[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3fu);
	}
	if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff) || cp < 0xa0)
		return 0;
	return len;
}

/*
 * Append text to the line of *used bytes, escaping what is not printable; keep room for "..." and
 * a newline. Returns false when the text had to be cut.
 */
static bool append_safe(char line[DIAG_MAX], size_t *used, const char *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	const size_t room = DIAG_MAX - sizeof("...\n") + 1;

	for (size_t i = 0; i < len;) {
		const uint8_t *s = (const uint8_t *)text + i;
		size_t n = printable_len(s, len - i);
		char out[4] = { '\\', 'x', hex[*s >> 4], hex[*s & 15] };

		if (*used + (n ? n : sizeof(out)) > room)
			return false;
		memcpy(line + *used, n ? (const char *)s : out, n ? n : sizeof(out));
		*used += n ? n : sizeof(out);
		i += n ? n : 1;
	}
	return true;
}

__attribute__((format(printf, 2, 0))) static void say(const char *prefix, const char *fmt,
						      va_list ap)
{
	int saved = errno;
	char text[DIAG_MAX];
	char line[DIAG_MAX];
	size_t used = 0;
	bool whole;
	size_t len;
	int n;

	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		n = snprintf(text, sizeof(text), "(a message could not be formatted: %s)", fmt);
	len = n < 0 ? 0 : (size_t)n;
	whole = len < sizeof(text);
	if (!whole)
		len = sizeof(text) - 1;

	append_safe(line, &used, prefix, strlen(prefix));
	whole = append_safe(line, &used, text, len) && whole;
	if (!whole) {
		memcpy(line + used, "...", 3);
		used += 3;
	}
	line[used++] = '\n';
	while (write(STDERR_FILENO, line, used) < 0 && errno == EINTR)
		;
	errno = saved;
}

void diag_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("hvrun: ", fmt, ap);
	va_end(ap);
}

void diag_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("hvrun: warning: ", fmt, ap);
	va_end(ap);
}

void diag_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("hvrun: ", fmt, ap);
	va_end(ap);
}
