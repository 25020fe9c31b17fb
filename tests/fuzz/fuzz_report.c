/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a report: read as JSON, its steps drawn. The picture never holds raw markup. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/timeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { ROOM = 64 << 10 };
	struct timeline timeline;
	const char *why = NULL;
	const char *words;
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);

	if (timeline_read(json, &timeline, &why) == 0) {
		struct text text = { .buf = malloc(ROOM), .size = ROOM };

		must(text.buf && timeline.count > 0 && timeline.count <= TIMELINE_STEPS_MAX);
		for (size_t i = 0; i < timeline.count; i++)
			must(timeline.steps[i].begin_us <= timeline.steps[i].end_us);
		words = json_string_value(json_object_get(json, "why"));
		timeline_draw(&timeline, words ? words : "", words ? words : "", &text);
		must(text.used < ROOM && memchr(text.buf, '\0', ROOM) == text.buf + text.used);
		must(!memchr(text.buf, '\x1b', text.used));
		free(text.buf);
	} else {
		must(why != NULL);
	}
	json_decref(json);
	return 0;
}
