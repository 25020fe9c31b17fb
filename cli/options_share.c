/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of --share and --vhost-user: devices that other processes serve. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "cli/options_apply.h"
#include "cli/parse.h"

/* Whether another file system of the machine has @tag already. */
static bool tag_taken(const struct vm_config *config, const char *tag)
{
	for (unsigned i = 0; i < config->share_count; i++) {
		if (strcmp(config->shares[i].tag, tag) == 0)
			return true;
	}
	for (unsigned i = 0; i < config->vhost_user_count; i++) {
		if (config->vhost_user[i].kind == VHOST_USER_FS &&
		    strcmp(config->vhost_user[i].tag, tag) == 0)
			return true;
	}
	return false;
}

static int take_tag(struct parser *parser, char to[VM_TAG_MAX + 1], const char *tag)
{
	const char *option = parser->option->name;
	size_t len = strlen(tag);

	if (*to)
		return parse_fail(parser, "--%s: tag is given twice", option);
	if (len < 1 || len > VM_TAG_MAX)
		return parse_fail(parser, "--%s: the tag %s is not 1 to %d bytes long", option, tag,
				  VM_TAG_MAX);
	if (tag_taken(options_config(parser), tag))
		return parse_fail(parser, "--%s: another share has the tag %s", option, tag);
	memcpy(to, tag, len + 1);
	return 0;
}

/* share0, share1 and so on: the first that is free. */
static void make_tag(const struct vm_config *config, char to[VM_TAG_MAX + 1])
{
	unsigned n = 0;

	do
		(void)snprintf(to, VM_TAG_MAX + 1, "share%u", n++);
	while (tag_taken(config, to));
}

int apply_share(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	struct vm_share_config *share = &config->shares[config->share_count];
	char *list = value;
	int err;

	if (config->share_count == VM_MAX_SHARES)
		return parse_fail(parser, "--share: there can be at most %d", VM_MAX_SHARES);
	*share = (struct vm_share_config){ 0 };
	err = parse_file(parser, &share->path, parse_part(&list));
	while (!err && list) {
		const char *part = parse_part(&list);
		const char *tag = parse_key(part, "tag");

		if (tag)
			err = take_tag(parser, share->tag, tag);
		else if (strcmp(part, "ro") == 0)
			share->readonly = true;
		else
			err = parse_fail(
				parser,
				"--share %s: unknown word \"%s\"; there are tag=TAG and ro, "
				"and a comma in a name is written twice",
				share->path, part);
	}
	if (err)
		return err;
	if (!*share->tag)
		make_tag(config, share->tag);
	config->share_count++;
	return 0;
}

static int take_kind(struct parser *parser, enum vhost_user_kind *kind, const char *word)
{
	static const char *const kinds[] = {
		[VHOST_USER_FS] = "fs", [VHOST_USER_BLK] = "blk", [VHOST_USER_NET] = "net"
	};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(word, kinds[i]) == 0) {
			*kind = (enum vhost_user_kind)i;
			return 0;
		}
	}
	return parse_unknown_value(parser, word, "fs, blk or net, then socket=PATH");
}

int apply_vhost_user(struct parser *parser, char *value)
{
	struct vm_config *config = options_config(parser);
	struct vm_vhost_user_config *device = &config->vhost_user[config->vhost_user_count];
	char *list = value;
	int err;

	if (config->vhost_user_count == VM_MAX_VHOST_USER)
		return parse_fail(parser, "--vhost-user: there can be at most %d",
				  VM_MAX_VHOST_USER);
	*device = (struct vm_vhost_user_config){ 0 };
	err = take_kind(parser, &device->kind, parse_part(&list));
	while (!err && list) {
		char *part = parse_part(&list);
		const char *path = parse_key(part, "socket");
		const char *tag = device->kind == VHOST_USER_FS ? parse_key(part, "tag") : NULL;

		if (path && !device->socket)
			err = parse_file(parser, &device->socket, part + strlen("socket="));
		else if (tag)
			err = take_tag(parser, device->tag, tag);
		else
			err = parse_fail(parser,
					 "--vhost-user: unknown or repeated word \"%s\"; there are "
					 "socket=PATH and, for fs, tag=TAG",
					 part);
	}
	if (err)
		return err;
	if (!device->socket)
		return parse_fail(parser, "--vhost-user: no socket=PATH is given");
	if (device->kind == VHOST_USER_FS && !*device->tag)
		make_tag(config, device->tag);
	config->vhost_user_count++;
	return 0;
}
