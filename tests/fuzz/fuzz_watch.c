/* SPDX-License-Identifier: BSD-2-Clause */
/* Any console output, cut anyhow, against what watches it; the first byte chooses the patterns. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vm/console/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void see(void *opaque, const char *line)
{
	size_t len = strlen(line);

	must(len > 0 && len < VM_LINE_MAX && !memchr(line, '\n', len));
	++*(size_t *)opaque;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const patterns[] = { NULL, "ok$", "^[a-z]+: (FAIL|BUG)",
						"(a|b)*a(a|b){6}", "[[:cntrl:]]" };
	struct watch *watch = malloc(sizeof(*watch));
	enum watch_verdict verdict = WATCH_NONE;
	size_t shown = 0;

	must(watch != NULL);
	watch_init(watch, patterns[size ? data[0] % 5 : 0], patterns[size ? data[0] / 5 % 5 : 0]);
	for (size_t at = 1; at + 1 < size;) {
		size_t len = data[at] % 64;

		at++;
		if (len > size - at)
			len = size - at;
		watch_output(watch, data + at, len);
		if (len == 0)
			watch_quiet(watch);
		/* What was decided stays. */
		must(verdict == WATCH_NONE || verdict == watch->verdict);
		verdict = watch->verdict;
		at += len;
	}
	watch_end(watch);
	lines_each(&watch->lines, see, &shown);
	must(shown <= VM_LINES_KEPT && strlen(watch->panic.why) < sizeof(watch->panic.why));
	watch_release(watch);
	free(watch);
	return 0;
}
