/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A copy of a directory as a disk with an ext4 file system, for guests that cannot be shown the directory
 * itself. It is made by mke2fs (e2fsprogs), in a process that may read what we may and write to the
 * image only, before the machine's door is locked.
 */
#ifndef VM_EXEC_DIR_IMAGE_H
#define VM_EXEC_DIR_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Bounds of what is copied: a directory for a test, not a whole system with its data. */
#define DIR_IMAGE_MAX (UINT64_C(4) << 30) /* bytes */
enum { DIR_IMAGE_FILES_MAX = 500000 };

struct dir_image {
	int fd;		 /* a file without a name, the caller's to close; -1: none */
	char path[32];	 /* by which this process can open it again while fd is open */
	uint64_t copied; /* bytes of the directory's files, in whole blocks */
};

/*
 * Makes an image of the directory @dir. Owners, modes, links and extended attributes come along; what another
 * file system holds that is mounted below @dir does not, and only root can leave it out. A terminal is shown that it takes a
 * while, unless @quiet. 0, or an exit status with the reason said; then there is no image.
 */
int dir_image_make(const char *dir, bool quiet, struct dir_image *image);

#endif
