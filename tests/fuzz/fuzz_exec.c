/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hvrun exec, both ways: any line as what the guest's init says, and any words as /exec.spec, written by
 * hvrun's writer and read by init's reader, or read as they are. The first byte chooses.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/exec_spec.h"
#include "vm/exec/exec.h"

/* Init's reader, a program of its own: its file is the input. */
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "guests/init/spec.c"

static const char *spec_bytes;
static size_t spec_len;

static void require(bool holds)
{
	if (!holds)
		abort();
}

long read_file(const char *path, char *to, size_t size)
{
	size_t n = spec_len < size - 1 ? spec_len : size - 1;

	(void)path;
	memcpy(to, spec_bytes, n);
	to[n] = '\0';
	return (long)n;
}

void fail(const char *what, const char *whom, long err)
{
	(void)what;
	(void)whom;
	(void)err;
	abort();
}

size_t length(const char *s)
{
	return strlen(s);
}

unsigned number(const char *s)
{
	return (unsigned)strtoul(s, NULL, 10);
}

static void take_line(const char *line)
{
	struct exec_watch watch = { .len = 0 };
	unsigned status;
	char rest;

	if (!exec_take_line(&watch, line))
		return;
	if (!watch.failed) {
		require(sscanf(line, "exit %u%c", &status, &rest) == 1);
		require(status == watch.status && status <= 255);
	}
	/* The first word counts. */
	require(!exec_take_line(&watch, "exit 7"));
}

static void read_any(const uint8_t *data, size_t size)
{
	static struct spec spec;

	memset(&spec, 0, sizeof(spec));
	spec_bytes = (const char *)data;
	spec_len = size;
	read_spec(&spec);
	require(spec.argc <= WORDS_MAX && spec.envc <= WORDS_MAX);
	require(spec.group_count <= GROUPS_MAX && spec.module_count <= MODULES_MAX);
	require(spec.share_count <= SHARES_MAX);
	for (unsigned i = 0; i < spec.share_count; i++)
		require(spec.shares[i].tag && spec.shares[i].at);
}

/* What the one writes, the other reads: arguments and variables, in their order. */
static void round_trip(const char *words, size_t size)
{
	static struct spec spec;
	struct exec_spec made = { NULL };
	unsigned args = 0, vars = 0;

	for (const char *p = words; p < words + size && args + vars < 64; p += strlen(p) + 1) {
		exec_spec_add(&made, *p & 1 ? 'a' : 'e', p);
		*(*p & 1 ? &args : &vars) += 1;
	}
	require(!made.failed);
	memset(&spec, 0, sizeof(spec));
	spec_bytes = made.text ? made.text : "";
	spec_len = made.len;
	read_spec(&spec);
	require(spec.argc == args && spec.envc == vars);
	args = vars = 0;
	for (const char *p = words; p < words + size && args + vars < 64; p += strlen(p) + 1)
		require(strcmp(*p & 1 ? spec.argv[args++] : spec.env[vars++], p) == 0);
	exec_spec_free(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (size < 1)
		return 0;
	copy = malloc(size);
	require(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	copy[size - 1] = '\0';
	if (data[0] % 3 == 0)
		take_line(copy);
	else if (data[0] % 3 == 1)
		read_any(data + 1, size - 1);
	else
		round_trip(copy, size - 1);
	free(copy);
	return 0;
}
