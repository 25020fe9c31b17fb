/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings of files, guests and hosts as JSON. */
#ifndef VM_JSON_TEXT_H
#define VM_JSON_TEXT_H

#include <jansson.h>

/*
 * @text as a JSON string. JSON is UTF-8: where @text is not, its bytes from 0x80 up become \xNN. A new
 * reference, or NULL without memory.
 */
json_t *json_text(const char *text);

#endif
