/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the writes of disks go that say cow: a file that never has a name, or loses it before a byte is
 * written, so that nothing stays behind however the run ends.
 */
#include "vm/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* For file systems without O_TMPFILE (overlayfs before Linux 6.3). */
static int open_and_unlink(const char *dir)
{
	static const char name[] = "/hvrun-cow-";
	enum { RANDOM = 6 }; /* letters that mkostemp changes */
	char path[PATH_MAX];
	size_t len = strlen(dir) + sizeof(name) - 1;
	int fd;

	if (len + RANDOM >= sizeof(path))
		return -ENAMETOOLONG;
	(void)snprintf(path, sizeof(path), "%s%s", dir, name);
	memset(path + len, 'X', RANDOM);
	path[len + RANDOM] = '\0';
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	return fd;
}

static int open_in(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? open_and_unlink(dir) : fd;
}

static int open_somewhere(void)
{
	const char *const dirs[] = { getenv("TMPDIR"), "/var/tmp", "/tmp" };

	if (dirs[0] && *dirs[0])
		return open_in(dirs[0]);
	for (size_t i = 1; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int fd = open_in(dirs[i]);

		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

int overlay_open(bool in_memory, uint64_t size)
{
	int fd = in_memory ? -1 : open_somewhere();

	if (fd < 0)
		fd = memfd_create("hvrun-cow", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (size > INT64_MAX || ftruncate(fd, (off_t)size) < 0) {
		int err = size > INT64_MAX ? -EFBIG : -errno;

		close(fd);
		return err;
	}
	return fd;
}
