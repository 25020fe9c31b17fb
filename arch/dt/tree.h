/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device tree under construction: libfdt's sequential writer with names for what we write, and one
 * error that sticks, so that a builder reads as a list (Devicetree Specification 0.4).
 */
#ifndef ARCH_DT_TREE_H
#define ARCH_DT_TREE_H

#include <stddef.h>
#include <stdint.h>

struct dt {
	void *blob; /* of the caller */
	size_t size;
	int error;	/* of libfdt; 0 so far */
	unsigned depth; /* nodes that are open, the root included */
};

/* Begins a tree with its root node in @blob of @size bytes. */
void dt_begin(struct dt *dt, void *blob, size_t size);

/*
 * Ends the root node and the tree. The bytes used; -ENOSPC if anything did not fit; -EINVAL if the
 * caller opened and closed nodes that do not match.
 */
int dt_finish(struct dt *dt);

/* A node, named as by printf ("memory@%llx"), until the matching dt_node_end. */
__attribute__((format(printf, 2, 3))) void dt_node(struct dt *dt, const char *name, ...);
void dt_node_end(struct dt *dt);

/* Properties of the node that is open. */
void dt_flag(struct dt *dt, const char *name);
void dt_u32(struct dt *dt, const char *name, uint32_t value);
void dt_u64(struct dt *dt, const char *name, uint64_t value);
void dt_string(struct dt *dt, const char *name, const char *value);
void dt_bytes(struct dt *dt, const char *name, const void *bytes, size_t len);
void dt_cells(struct dt *dt, const char *name, const uint32_t *cells, size_t count);

/* A list of strings, ended by NULL. */
void dt_strings(struct dt *dt, const char *name, const char *const *values);

/* "reg" with one entry of two address cells and two size cells. */
void dt_reg(struct dt *dt, uint64_t addr, uint64_t size);

/* "reg" with @count such entries: address, size, address, size ... At most 8. */
void dt_regs(struct dt *dt, const uint64_t *pairs, size_t count);

#endif
