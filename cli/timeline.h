/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of a boot in time: taken from a report, drawn as an SVG picture. */
#ifndef CLI_TIMELINE_H
#define CLI_TIMELINE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/parse.h"

enum { TIMELINE_STEPS_MAX = 32 };

/* One step, which took from the one before it (or launch) to @end_us. */
struct timeline_step {
	const char *name; /* a key of times_us in the report, or what that is called for people */
	uint64_t begin_us;
	uint64_t end_us;
};

struct timeline {
	struct timeline_step steps[TIMELINE_STEPS_MAX]; /* in their order of time */
	size_t count;
};

/*
 * The steps of @report, a file's object, which is not trusted and must outlive *@timeline. 0, or -EINVAL
 * with *@why (a constant) where it has none that can be read.
 */
int timeline_read(const json_t *report, struct timeline *timeline, const char **why);

/* Writes the picture (SVG 1.1) to @text; 64 KiB are plenty. @title and @end are any words. */
void timeline_draw(const struct timeline *timeline, const char *title, const char *end,
		   struct text *text);

#endif
