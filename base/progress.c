/* SPDX-License-Identifier: BSD-2-Clause */
/* A line on the terminal that tells how far a long piece of work has come. */
#include "base/progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	AFTER_MS = 500,
	EVERY_MS = 200,
	LINE = 160,
	NS_PER_MS = 1000000,
};

static uint64_t now_ns(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 * NS_PER_MS + (uint64_t)now.tv_nsec;
}

static void put(const char *text, size_t len)
{
	int saved = errno;

	while (write(STDERR_FILENO, text, len) < 0 && errno == EINTR)
		;
	errno = saved;
}

void progress_begin(struct progress *progress, bool wanted, const char *what, const char *name,
		    uint64_t total)
{
	int saved = errno;

	*progress = (struct progress){ .what = what, .name = name, .total = total };
	progress->on = wanted && isatty(STDERR_FILENO);
	if (progress->on)
		progress->begun_ns = now_ns();
	errno = saved;
}

static void show(const struct progress *progress, uint64_t done)
{
	char line[LINE];
	int len =
		snprintf(line, sizeof(line), "\rhvrun: %s %.100s", progress->what, progress->name);

	/* A name is a stranger's word: it is not to steer the terminal. */
	for (int i = 1; i < len && i < LINE - 1; i++) {
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	}
	len = (int)strlen(line);
	if (progress->total)
		(void)snprintf(line + len, sizeof(line) - (size_t)len, ": %3u %%",
			       (unsigned)((double)done * 100 / (double)progress->total));
	else
		(void)snprintf(line + len, sizeof(line) - (size_t)len, " ...");
	put(line, strlen(line));
}

void progress_step(struct progress *progress, uint64_t done)
{
	uint64_t now;

	if (!progress->on)
		return;
	now = now_ns();
	if (now - progress->begun_ns < (uint64_t)AFTER_MS * NS_PER_MS ||
	    (progress->shown && now - progress->shown_ns < (uint64_t)EVERY_MS * NS_PER_MS))
		return;
	if (done > progress->total && progress->total)
		done = progress->total;
	show(progress, done);
	progress->shown = true;
	progress->shown_ns = now;
}

void progress_end(struct progress *progress)
{
	static const char clear[] = "\r\033[K";

	if (progress->shown)
		put(clear, sizeof(clear) - 1);
	progress->shown = false;
}
