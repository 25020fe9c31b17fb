/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings of files, guests and hosts as JSON. */
#include "vm/json_text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
	static const char hex[] = "0123456789abcdef";
	json_t *json = json_string(text);
	char *escaped;
	size_t used = 0;

	if (json)
		return json;
	escaped = malloc(strlen(text) * 4 + 1);
	if (!escaped)
		return NULL;
	for (const uint8_t *s = (const uint8_t *)text; *s; s++) {
		if (*s < 0x80) {
			escaped[used++] = (char)*s;
			continue;
		}
		escaped[used++] = '\\';
		escaped[used++] = 'x';
		escaped[used++] = hex[*s >> 4];
		escaped[used++] = hex[*s & 15];
	}
	escaped[used] = '\0';
	json = json_string(escaped);
	free(escaped);
	return json;
}
