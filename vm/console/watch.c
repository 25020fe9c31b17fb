/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest's console tells about the run, line by line. */
#include "vm/console/watch.h"

#include <string.h>

void watch_init(struct watch *watch, const char *until, const char *fail_on)
{
	*watch = (struct watch){ .verdict = WATCH_NONE };
	match_init(&watch->until, until);
	match_init(&watch->fail_on, fail_on);
}

void watch_release(struct watch *watch)
{
	match_release(&watch->until);
	match_release(&watch->fail_on);
}

static void decide(struct watch *watch, enum watch_verdict verdict, const char *line)
{
	if (watch->verdict != WATCH_NONE)
		return;
	watch->verdict = verdict;
	memcpy(watch->verdict_line, line,
	       strlen(line) + 1); /* at most VM_LINE_MAX, as line_fn says */
}

static void judge_patterns(struct watch *watch, const char *line)
{
	if (watch->verdict != WATCH_NONE)
		return;
	if (match_line(&watch->fail_on, line))
		decide(watch, WATCH_FAIL_ON, line);
	else if (match_line(&watch->until, line))
		decide(watch, WATCH_UNTIL, line);
}

/* "Run /init as init process" (Linux, init/main.c). */
static bool starts_init(const char *line)
{
	const char *run = strstr(line, "Run /");

	return run && strstr(run, " as init process");
}

static void judge_line(void *opaque, const char *line)
{
	struct watch *watch = opaque;

	panic_line(&watch->panic, line);
	watch->init_seen = watch->init_seen || starts_init(line);
	judge_patterns(watch, line);
	if (watch->panic.over)
		decide(watch, WATCH_PANIC, line);
}

void watch_output(struct watch *watch, const void *data, size_t len)
{
	lines_add(&watch->lines, data, len, judge_line, watch);
}

void watch_quiet(struct watch *watch)
{
	if (!watch->lines.len)
		return;
	watch->lines.line[watch->lines.len] = '\0';
	judge_patterns(watch, watch->lines.line);
}

void watch_end(struct watch *watch)
{
	lines_end(&watch->lines, judge_line, watch);
}
