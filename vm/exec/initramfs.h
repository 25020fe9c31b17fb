/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes an initial ramdisk into memory: a cpio archive in the "newc" format that Linux unpacks
 * (Documentation/driver-api/early-userspace/buffer-format.rst). All functions return 0 or -errno, said by
 * nobody.
 */
#ifndef VM_EXEC_INITRAMFS_H
#define VM_EXEC_INITRAMFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct initramfs {
	int fd; /* a memfd, the caller's to close */
	uint32_t files;
	uint64_t used;
};

int initramfs_begin(struct initramfs *fs);

/* A directory or file with this name, without a leading slash; its directories come before it. */
int initramfs_dir(struct initramfs *fs, const char *name);
int initramfs_file(struct initramfs *fs, const char *name, mode_t mode, const void *data,
		   size_t len);

/* The trailer, after which fd holds the whole archive. */
int initramfs_end(struct initramfs *fs);

#endif
