/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel files as every architecture sees them: a stranger's bytes, read once into private memory,
 * judged there and copied from there, so that what was judged is what runs.
 */
#ifndef ARCH_KERNEL_H
#define ARCH_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole kernel file in private memory. */
struct kernel_file {
	const uint8_t *data; /* NULL is allowed if @size is 0 */
	size_t size;	     /* bytes */
	const char *name;    /* for messages */
};

/*
 * For a file that no loader of this architecture knows: says what it is (another architecture's
 * kernel by name, a packed one, what people hand over by mistake) and what is wanted: @wanted is
 * "an Image or an ELF file is needed". Returns -ENOEXEC.
 */
int kernel_refuse(const struct kernel_file *kernel, const char *wanted);

/* Whether the file begins as ELF files do. Says nothing. */
bool kernel_is_elf(const struct kernel_file *kernel);

#endif
