/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and string helpers. Short loops: where ring 0 is emulated every instruction costs. */
#include "lib/string.h"
#include "lib/platform.h"

void *memset(void *to, int byte, uptr size)
{
	plat_fill(to, (u8)byte, size);
	return to;
}

void *memcpy(void *to, const void *from, uptr size)
{
	plat_copy(to, from, size);
	return to;
}

int memcmp(const void *a, const void *b, uptr size)
{
	const u8 *x = a, *y = b;

	for (uptr i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

uptr strlen(const char *text)
{
	uptr n = 0;

	while (text[n])
		n++;
	return n;
}

/*
 * What follows NAME in the first word of the command line that begins with it and goes on with one of
 * the bytes of ENDS (its final zero included); NULL if there is no such word.
 */
static const char *find_word(const char *name, const char *ends, uptr ends_count)
{
	const char *at = plat_cmdline();
	uptr len = strlen(name);

	while (*at) {
		while (*at == ' ')
			at++;
		if (!memcmp(at, name, len))
			for (uptr i = 0; i < ends_count; i++)
				if (at[len] == ends[i])
					return at + len;
		while (*at && *at != ' ')
			at++;
	}
	return NULL;
}

bool cmdline_has(const char *word)
{
	return find_word(word, " ", 2) != NULL;
}

u64 cmdline_number(const char *name, u64 fallback)
{
	const char *at = find_word(name, "=", 1);
	u64 value = 0, base = 10;

	if (!at)
		return fallback;
	at++;
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		base = 16;
		at += 2;
	}
	for (; *at && *at != ' '; at++) {
		u64 digit = 99;

		if (*at >= '0' && *at <= '9')
			digit = (u64)(*at - '0');
		else if ((*at | 32) >= 'a' && (*at | 32) <= 'f')
			digit = (u64)((*at | 32) - 'a' + 10);
		if (digit >= base)
			return fallback;
		value = value * base + digit;
	}
	return value;
}
