/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzzers of the boards' device trees share: odd configurations, and what must hold of any tree. */
#ifndef TESTS_FUZZ_DT_TREE_FUZZ_H
#define TESTS_FUZZ_DT_TREE_FUZZ_H

#include <errno.h>
#include <libfdt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "arch/dt/image.h"
#include "vm/config.h"

enum { TREE_LINE_MAX = 4096, TREE_RAM = 2 * DT_TREE_MAX };

static inline void tree_require(bool holds)
{
	if (!holds)
		abort();
}

struct tree_input {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t tree_take(struct tree_input *in, unsigned bytes)
{
	uint64_t v = 0;

	for (; bytes > 0 && in->left > 0; bytes--, in->left--)
		v = v << 8 | *in->at++;
	return v;
}

/* The rest of the input is the command line, in @line. */
static inline void tree_images(struct tree_input *in, unsigned windows, struct arch_images *images,
			       struct dt_boot *boot, char line[TREE_LINE_MAX])
{
	size_t len;

	*images =
		(struct arch_images){ .kernel_name = "any",
				      .initrd_fd = -1,
				      .tree_fd = -1,
				      .cmdline = line,
				      .virtio_count = (unsigned)tree_take(in, 1) % (windows + 1) };
	images->initrd_size = tree_take(in, 8);
	boot->initrd = tree_take(in, 8);
	len = in->left < TREE_LINE_MAX - 1 ? in->left : TREE_LINE_MAX - 1;
	if (len)
		memcpy(line, in->at, len);
	line[len] = '\0';
}

/* RAM of two trees' room at @start, and the tree's place in its middle. */
static inline struct guest_mem *tree_memory(uint64_t start, struct dt_boot *boot)
{
	struct guest_mem *mem;

	tree_require(!mem_create(&mem));
	tree_require(!mem_add(mem, gpa(0), start, MEM_HOLE));
	tree_require(!mem_add(mem, gpa(start), TREE_RAM, MEM_RAM));
	boot->tree = start + DT_TREE_MAX;
	return mem;
}

/* libfdt finds the tree right, as it lies in guest memory, and in it what the board was given. */
static inline void tree_check(struct guest_mem *mem, const struct dt_boot *boot, unsigned cpus,
			      const struct arch_images *images)
{
	uint8_t *blob = malloc(boot->tree_size);
	unsigned found[2] = { 0 };
	const char *line;
	int node, len;

	tree_require(blob && boot->tree_size <= DT_TREE_MAX);
	tree_require(!mem_read(mem, gpa(boot->tree), blob, boot->tree_size));
	tree_require(!fdt_check_full(blob, boot->tree_size));
	line = fdt_getprop(blob, fdt_path_offset(blob, "/chosen"), "bootargs", &len);
	tree_require(line && !strcmp(line, images->cmdline));
	fdt_for_each_subnode(node, blob, 0)
		found[0] += !strncmp(fdt_get_name(blob, node, NULL), "virtio_mmio@", 12);
	fdt_for_each_subnode(node, blob, fdt_path_offset(blob, "/cpus"))
		found[1] += !strncmp(fdt_get_name(blob, node, NULL), "cpu@", 4);
	tree_require(found[0] == images->virtio_count && found[1] == cpus);
	free(blob);
}

#endif
