/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the modules of a kernel in the folder that its package installs (lib/modules/RELEASE), with
 * those that they need. Files are the user's or the distribution's, not the guest's; a broken one gives
 * an error all the same.
 */
#ifndef VM_KMOD_H
#define VM_KMOD_H

#include <stdbool.h>
#include <stddef.h>

struct kmod_index;

/*
 * Reads the names of all modules below @dir into *@out, to be freed with kmod_free. 0, or -errno with
 * the reason said.
 */
int kmod_open(const char *dir, struct kmod_index **out);
void kmod_free(struct kmod_index *index);

/* Whether the kernel has @name at all: as a module, or (by modules.builtin) built in. */
bool kmod_has(const struct kmod_index *index, const char *name);

/* Takes one module's file: @path can be opened. 0 goes on, else kmod_each returns it. */
typedef int (*kmod_fn)(void *opaque, const char *path);

/*
 * Calls @fn for each module that @names (@count of them) need and for themselves, each once for one
 * index, in an order in which they can be loaded. Names that are not there are passed over: a kernel may
 * have them built in. 0, what @fn returned, or -errno with the reason said.
 */
int kmod_each(struct kmod_index *index, const char *const *names, size_t count, kmod_fn fn,
	      void *opaque);

/*
 * The "depends=" words of a module file's .modinfo section (@size bytes at @elf): a pointer into it, ""
 * if there are none; NULL if this is not a 64-bit module.
 */
const char *kmod_depends(const unsigned char *elf, size_t size);

#endif
