/* SPDX-License-Identifier: BSD-2-Clause */
/* Watches the guest's console for the line by which a Linux kernel says that it panicked. */
#include "vm/panic.h"

#include <string.h>

static const char mark[] = "Kernel panic - not syncing";

static void judge_line(struct panic_watch *watch)
{
	const char *at;

	watch->line[watch->len] = '\0';
	watch->len = 0;
	at = strstr(watch->line, mark);
	if (!at || watch->seen)
		return;
	at += sizeof(mark) - 1;
	if (strncmp(at, ": ", 2) == 0)
		at += 2;
	memcpy(watch->why, at, strlen(at) + 1); /* both have the same size */
	watch->seen = true;
}

void panic_watch(struct panic_watch *watch, const void *data, size_t len)
{
	const char *bytes = data;

	if (watch->seen)
		return;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n' || bytes[i] == '\r')
			judge_line(watch);
		else if (bytes[i] != '\0' && watch->len < sizeof(watch->line) - 1)
			watch->line[watch->len++] = bytes[i];
	}
}
