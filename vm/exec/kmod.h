/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds the modules of a kernel in the folder that its package installs (lib/modules/RELEASE), with
 * those that they need. They may be packed, as .ko.gz, .ko.zst or .ko.xz.
 */
#ifndef VM_EXEC_KMOD_H
#define VM_EXEC_KMOD_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kmod_index;
struct vm_config;

/*
 * Reads the names of all modules below @dir into *@out, to be freed with kmod_free. Their files are looked
 * into by a process behind a door of its own, as far as @config wants one (vm/exec/kmod_read.h). 0, or
 * -errno with the reason said.
 */
int kmod_open(const char *dir, const struct vm_config *config, struct kmod_index **out);
void kmod_free(struct kmod_index *index);

/*
 * What kind of file @entry of the folder @dir (a descriptor) is: DT_REG, DT_DIR and so on. File systems may leave
 * the answer to stat (DT_UNKNOWN, readdir(3)); links are not followed. DT_UNKNOWN if it is gone.
 */
unsigned char kmod_entry_type(int dir, const struct dirent *entry);

/* Whether the kernel has @name at all: as a module, or (by modules.builtin) built in. */
bool kmod_has(const struct kmod_index *index, const char *name);

/* Whether there is a list of what is built in, so that kmod_has is the last word. */
bool kmod_knows_builtin(const struct kmod_index *index);

/* Takes the module of the file @path, unpacked: @size bytes at @data. 0 goes on, else kmod_each returns it. */
typedef int (*kmod_fn)(void *opaque, const char *path, const uint8_t *data, size_t size);

/*
 * Calls @fn for each module that @names (@count of them) need and for themselves, each once for one
 * index, in an order in which they can be loaded. Names that are not there are passed over: a kernel may
 * have them built in. 0, what @fn returned, or -errno with the reason said.
 */
int kmod_each(struct kmod_index *index, const char *const *names, size_t count, kmod_fn fn,
	      void *opaque);

#endif
