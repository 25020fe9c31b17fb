/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest's console tells about the run: a panic, a line that --until or --fail-on waits for,
 * the start of its first program, and the last lines for the report. The guest's words; bounded.
 */
#ifndef VM_CONSOLE_WATCH_H
#define VM_CONSOLE_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "vm/console/lines.h"
#include "vm/console/match.h"
#include "vm/console/panic.h"

/* What the lines so far mean for the run. */
enum watch_verdict {
	WATCH_NONE,
	WATCH_UNTIL,   /* a line that --until waited for */
	WATCH_FAIL_ON, /* one that --fail-on waited for; on a line for both this one counts */
	WATCH_PANIC,   /* the kernel panicked and hangs */
};

struct watch {
	struct lines lines;
	struct panic_watch panic;
	struct match until;
	struct match fail_on;
	bool init_seen;			/* the kernel said that it runs the first program */
	enum watch_verdict verdict;	/* the first one counts */
	char verdict_line[VM_LINE_MAX]; /* the line that it comes from */
};

/* Prepares @watch for patterns that match_judge took; NULL: none. They stay the caller's. */
void watch_init(struct watch *watch, const char *until, const char *fail_on);

/* Takes console output; @watch->verdict may change. */
void watch_output(struct watch *watch, const void *data, size_t len);

/*
 * Judges the line under way as if it had ended, without ending it: a prompt has no end. To be called
 * when the console has been quiet for a while.
 */
void watch_quiet(struct watch *watch);

/* The console has ended: so has its last line. */
void watch_end(struct watch *watch);

/* Frees what the patterns hold. */
void watch_release(struct watch *watch);

#endif
