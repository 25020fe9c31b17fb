/* SPDX-License-Identifier: BSD-2-Clause */
/* Knows the lines by which a Linux kernel says on its console that it panicked. */
#include "vm/console/panic.h"

#include <string.h>

#include "base/checked.h"

static const char mark[] = "Kernel panic - not syncing";
/* The last line: without panic=, and before a rest of some seconds. A kernel that resets at once has none. */
static const char end_mark[] = "---[ end Kernel panic";
static const char rest_mark[] = "Rebooting in ";

static void keep(struct panic_watch *watch, const char *why)
{
	size_t len = size_min(strlen(why), sizeof(watch->why) - 1);

	memcpy(watch->why, why, len);
	watch->why[len] = '\0';
	watch->seen = true;
}

void panic_line(struct panic_watch *watch, const char *line)
{
	const char *at;

	if (watch->seen) {
		watch->over = watch->over || strstr(line, end_mark) || strstr(line, rest_mark);
		return;
	}
	at = strstr(line, mark);
	if (!at)
		return;
	at += sizeof(mark) - 1;
	if (strncmp(at, ": ", 2) == 0)
		at += 2;
	keep(watch, at);
}
