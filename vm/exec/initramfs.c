/* SPDX-License-Identifier: BSD-2-Clause */
/* The cpio archive of an initial ramdisk, written into a memfd. */
#include "vm/exec/initramfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

enum { HEADER = 110 }; /* bytes, without the zero that snprintf adds */

static int put(struct initramfs *fs, const void *data, size_t len)
{
	int r = write_full(fs->fd, data, len);

	fs->used += len;
	return r;
}

static int pad(struct initramfs *fs)
{
	static const char zeroes[4];

	return put(fs, zeroes, (4 - fs->used % 4) % 4);
}

static int entry(struct initramfs *fs, const char *name, mode_t mode, const void *data, size_t len)
{
	char header[HEADER + 1];
	size_t name_len = strlen(name) + 1;
	int r;

	if (len > UINT32_MAX)
		return -EFBIG;
	(void)snprintf(header, sizeof(header),
		       "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++fs->files,
		       (unsigned)mode, 0U, 0U, 1U, 0U, (unsigned)len, 0U, 0U, 0U, 0U,
		       (unsigned)name_len, 0U);
	r = put(fs, header, HEADER);
	if (!r)
		r = put(fs, name, name_len);
	if (!r)
		r = pad(fs);
	if (!r)
		r = put(fs, data, len);
	return r ? r : pad(fs);
}

int initramfs_begin(struct initramfs *fs)
{
	*fs = (struct initramfs){ .fd = memfd_create("initramfs", MFD_CLOEXEC) };
	return fs->fd < 0 ? -errno : 0;
}

int initramfs_dir(struct initramfs *fs, const char *name)
{
	return entry(fs, name, S_IFDIR | 0755, "", 0);
}

int initramfs_file(struct initramfs *fs, const char *name, mode_t mode, const void *data,
		   size_t len)
{
	return entry(fs, name, S_IFREG | mode, data, len);
}

int initramfs_end(struct initramfs *fs)
{
	return entry(fs, "TRAILER!!!", 0, "", 0);
}
