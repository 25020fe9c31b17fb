/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's console cut into lines, the last of which are kept. */
#include "vm/console/lines.h"

#include <string.h>

#include "base/checked.h"

void lines_end(struct lines *lines, line_fn fn, void *opaque)
{
	char *kept = lines->kept[lines->count % VM_LINES_KEPT];

	if (!lines->len)
		return;
	lines->line[lines->len] = '\0';
	memcpy(kept, lines->line, lines->len + 1);
	lines->count++;
	lines->len = 0;
	fn(opaque, kept);
}

void lines_add(struct lines *lines, const void *data, size_t len, line_fn fn, void *opaque)
{
	const char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r')
			lines_end(lines, fn, opaque);
		else if (bytes[i] != '\0' && lines->len < sizeof(lines->line) - 1)
			lines->line[lines->len++] = bytes[i];
	}
}

void lines_each(const struct lines *lines, line_fn fn, void *opaque)
{
	size_t shown = size_min(lines->count, VM_LINES_KEPT);

	for (size_t i = lines->count - shown; i < lines->count; i++)
		fn(opaque, lines->kept[i % VM_LINES_KEPT]);
}
