/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users and groups by name. Read from /etc by hand rather than through the C library's name services:
 * those load code by name, which a static program cannot and a process that is about to be locked in
 * should not.
 */
#include "vm/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "vm/config.h"

enum { NAME_MAX_LEN = 255 };

/* A whole number that can be an id: all bits set is none to the kernel. */
static bool parse_id(const char *text, uint32_t *id)
{
	char *end;
	unsigned long long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end || errno || value >= UINT32_MAX)
		return false;
	*id = (uint32_t)value;
	return true;
}

/* True with the ids of the user called @name, or numbered so. */
static bool look_up_user(const char *name, uid_t *uid, gid_t *gid)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;
	bool numeric = parse_id(name, uid);
	bool found = false;

	while (file && !found && (entry = fgetpwent(file)) != NULL) {
		found = numeric ? entry->pw_uid == *uid : strcmp(entry->pw_name, name) == 0;
		if (found) {
			*uid = entry->pw_uid;
			*gid = entry->pw_gid;
		}
	}
	if (file)
		(void)fclose(file);
	return found;
}

static bool look_up_group(const char *name, gid_t *gid)
{
	FILE *file;
	const struct group *entry;
	bool found = false;

	if (parse_id(name, gid))
		return true;
	file = fopen("/etc/group", "re");
	while (file && !found && (entry = fgetgrent(file)) != NULL) {
		found = strcmp(entry->gr_name, name) == 0;
		if (found)
			*gid = entry->gr_gid;
	}
	if (file)
		(void)fclose(file);
	return found;
}

static int wrong(const char *text, const char *why)
{
	diag_error("--user %s: %s", text, why);
	return VM_STATUS_USAGE;
}

int user_find(const char *text, struct sandbox_user *user)
{
	char name[NAME_MAX_LEN + 1];
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	uint32_t id;
	bool known;

	*user = (struct sandbox_user){ .set = true };
	if (len == 0 || len > NAME_MAX_LEN)
		return wrong(text, "there is no such user");
	memcpy(name, text, len);
	name[len] = '\0';
	known = look_up_user(name, &user->uid, &user->gid);
	if (!known && !parse_id(name, &id))
		return wrong(text, "there is no such user in /etc/passwd");
	if (colon && !look_up_group(colon + 1, &user->gid))
		return wrong(text, "there is no such group in /etc/group");
	if (!known && !colon)
		return wrong(text, "/etc/passwd does not know this user's group; give USER:GROUP");
	return 0;
}
