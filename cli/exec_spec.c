/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds /exec.spec in memory. */
#include "cli/exec_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void exec_spec_add(struct exec_spec *spec, char kind, const char *value)
{
	size_t len = strlen(value) + 1;
	char *more;

	if (spec->failed || len >= EXEC_SPEC_MAX || spec->len + len + 1 >= EXEC_SPEC_MAX) {
		spec->failed = true;
		return;
	}
	more = realloc(spec->text, spec->len + 1 + len);
	if (!more) {
		spec->failed = true;
		return;
	}
	spec->text = more;
	more[spec->len] = kind;
	memcpy(more + spec->len + 1, value, len);
	spec->len += 1 + len;
}

void exec_spec_add_number(struct exec_spec *spec, char kind, unsigned long value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%lu", value);
	exec_spec_add(spec, kind, text);
}

void exec_spec_free(struct exec_spec *spec)
{
	free(spec->text);
	*spec = (struct exec_spec){ .text = NULL };
}
