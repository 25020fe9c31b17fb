/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a machine says to `hvrun ctl`, judged. The process behind the socket may be in the hands of a hostile
 * guest: its lines are bounded, read strictly, and nothing of them steers the user's terminal.
 */
#ifndef CLI_CTL_ANSWER_H
#define CLI_CTL_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "vm/control/control.h"

/* Bytes that came and were not used yet, from @start. A line fits, or is none. */
struct ctl_input {
	size_t start, len;
	char bytes[CONTROL_OUT_MAX];
};

/* Where the next bytes go, and how many there may be (*@room): 0 if a line is too long. */
char *ctl_input_room(struct ctl_input *input, size_t *room);

/*
 * Takes the next line: 0 with *@object, the caller's; -EAGAIN if it has not ended yet; -EBADMSG if it is no
 * JSON object, one with a member twice, one too deep, or longer than a line can be.
 */
int ctl_input_next(struct ctl_input *input, json_t **object);

/* Whether @greeting is that of a machine that speaks our protocol; else @why, in words. */
bool ctl_greets(const json_t *greeting, char why[DIAG_MAX]);

/* Whether @answer says that it was done, with *@result (borrowed, an object or NULL); else @why, in words. */
bool ctl_answers(const json_t *answer, json_t **result, char why[DIAG_MAX]);

/*
 * @json with jansson's @flags as lines for a terminal: ASCII without control characters, whatever it holds,
 * and a newline at the end. To be freed; NULL without memory.
 */
char *ctl_text(const json_t *json, size_t flags);

#endif
