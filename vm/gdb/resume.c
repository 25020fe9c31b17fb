/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet vCont: "c:1;s:2;c" and the like. */
#include "vm/gdb/resume.h"

static bool parse_action(struct gdb_text *text, enum gdb_action *action)
{
	uint64_t signal;

	if (gdb_text_char(text, 'c'))
		*action = GDB_CONTINUE;
	else if (gdb_text_char(text, 's'))
		*action = GDB_STEP;
	else if (gdb_text_char(text, 'C') && gdb_text_number(text, &signal))
		*action = GDB_CONTINUE;
	else if (gdb_text_char(text, 'S') && gdb_text_number(text, &signal))
		*action = GDB_STEP;
	else
		return false;
	return true;
}

/* The threads an action is for, [*first, *end). */
static bool parse_threads(struct gdb_text *text, unsigned cpus, unsigned *first, unsigned *end)
{
	uint64_t id;

	*first = 0;
	*end = cpus;
	if (!gdb_text_char(text, ':') || gdb_text_prefix(text, "-1"))
		return true;
	if (!gdb_text_number(text, &id) || id > cpus)
		return false;
	if (id) {
		*first = (unsigned)id - 1;
		*end = (unsigned)id;
	}
	return true;
}

bool gdb_resume_parse(struct gdb_text *text, unsigned cpus, enum gdb_action *actions)
{
	bool named[GDB_MAX_CPUS] = { false };
	bool moves = false;

	for (unsigned i = 0; i < cpus; i++)
		actions[i] = GDB_STAY;
	do {
		enum gdb_action action;
		unsigned first;
		unsigned end;

		if (!parse_action(text, &action) || !parse_threads(text, cpus, &first, &end))
			return false;
		for (unsigned i = first; i < end; i++) {
			if (!named[i])
				actions[i] = action;
			named[i] = true;
			moves = true;
		}
	} while (gdb_text_char(text, ';'));
	return moves && gdb_text_end(text);
}
