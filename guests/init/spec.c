/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads /exec.spec: words that end with a zero byte, the first letter of each says what it is
 * (cli/exec_spec.c has the list).
 */
#include "init.h"

static char text[SPEC_MAX];

/* The path of a share; its tag stands before it. */
static void take_share(struct spec *spec, const char *path, bool readonly)
{
	if (spec->share_count == SHARES_MAX || !spec->share_tag)
		return;
	spec->shares[spec->share_count++] = (struct share){ spec->share_tag, path, readonly };
}

static void take_word(struct spec *spec, char *word)
{
	char *value = word + 1;

	switch (*word) {
	case 'a':
		if (spec->argc < WORDS_MAX)
			spec->argv[spec->argc++] = value;
		break;
	case 'e':
		if (spec->envc < WORDS_MAX)
			spec->env[spec->envc++] = value;
		break;
	case 'c':
		spec->cwd = value;
		break;
	case 'h':
		spec->hostname = value;
		break;
	case 'u':
		spec->uid = number(value);
		break;
	case 'g':
		spec->gid = number(value);
		break;
	case 'G':
		if (spec->group_count < GROUPS_MAX)
			spec->groups[spec->group_count++] = number(value);
		break;
	case 'm':
		if (spec->module_count < MODULES_MAX)
			spec->modules[spec->module_count++] = value;
		break;
	case 't':
		spec->share_tag = value;
		break;
	case 's':
	case 'S':
		take_share(spec, value, *word == 's');
		break;
	case 'r':
		spec->root_tag = value;
		break;
	case 'b':
		spec->root_disk = value;
		break;
	case 'o':
		spec->root_readonly = true;
		break;
	default:
		break;
	}
}

void read_spec(struct spec *spec)
{
	long len = read_file("/exec.spec", text, sizeof(text));

	if (len < 0)
		fail("cannot read", "/exec.spec", len);
	for (char *p = text; p < text + len; p += length(p) + 1)
		take_word(spec, p);
}
