/* SPDX-License-Identifier: BSD-2-Clause */
/* The initramfs of hvrun exec: our own init, its instructions, and the modules that it loads. */
#ifndef CLI_EXEC_IMAGE_H
#define CLI_EXEC_IMAGE_H

#include "cli/exec_spec.h"
#include "vm/config.h"
#include "vm/exec/dir_image.h"
#include "vm/exec/initramfs.h"

struct exec_image {
	struct exec_spec spec; /* the caller adds the command's words before exec_image_make */
	struct initramfs fs;   /* fd: -1 before */
	struct dir_image copy; /* of the root; fd: -1 if there is none */
};

/* What the command's root is to be. */
struct exec_root {
	const char *path; /* a directory of this host, its real name */
	bool rw;	  /* what is written to it stays */
	bool copy;	  /* the guest gets a copy even if it could be shown the directory itself */
};

/*
 * Decides how @root reaches the guest (as a share of @config, or copied to a disk of it, added here), finds
 * the kernel's modules in @modules (NULL: where the kernel's file name says) and writes the archive. 0,
 * or an exit status with the reason said. The copy stays open until exec_image_free.
 */
int exec_image_make(struct exec_image *image, struct vm_config *config,
		    const struct exec_root *root, const char *modules);

void exec_image_free(struct exec_image *image);

#endif
