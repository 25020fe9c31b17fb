/* SPDX-License-Identifier: BSD-2-Clause */
/* The initramfs of hvrun exec: our own init, its instructions, and the modules that it loads. */
#ifndef CLI_EXEC_IMAGE_H
#define CLI_EXEC_IMAGE_H

#include "cli/exec_spec.h"
#include "vm/config.h"
#include "vm/initramfs.h"

struct exec_image {
	struct exec_spec spec; /* the caller adds the command's words before exec_image_make */
	struct initramfs fs;   /* fd: -1 before */
};

/*
 * Decides how @root reaches the guest (a share of @config, added here; read-only unless @rw), finds the
 * kernel's modules in @modules (NULL: where the kernel's file name says) and writes the archive. 0, or an
 * exit status with the reason said.
 */
int exec_image_make(struct exec_image *image, struct vm_config *config, const char *root, bool rw,
		    const char *modules);

void exec_image_free(struct exec_image *image);

#endif
