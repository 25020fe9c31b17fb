/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks into the files of kernel modules before the machine's door is locked: in a process behind a door of
 * its own, which gets a file's bytes, unpacks them and finds what the module needs. Whatever that
 * process answers is judged.
 *
 * The guest's kernel could unpack some of them itself (MODULE_INIT_COMPRESSED_FILE), in the one format that
 * it was built for, if it was. What a module needs stands inside the packed bytes, so they are
 * unpacked here in any case, and the guest gets what was unpacked: one way for all kernels.
 */
#ifndef VM_EXEC_KMOD_READ_H
#define VM_EXEC_KMOD_READ_H

#include <stddef.h>
#include <stdint.h>

enum { KMOD_DEPENDS_MAX = 4096 }; /* bytes of the list of what a module needs, its zero included */

struct kmod_reader;
struct vm_config;

/* A module, to be freed with kmod_file_free. */
struct kmod_file {
	uint8_t *data; /* unpacked, of malloc */
	size_t size;
	char depends[KMOD_DEPENDS_MAX]; /* names with commas between */
};

/*
 * Starts the process; its door is as @config says. Main thread, before other threads. 0, or -errno with the
 * reason said.
 */
int kmod_reader_start(const struct vm_config *config, struct kmod_reader **out);

/* NULL is allowed. */
void kmod_reader_end(struct kmod_reader *reader);

/*
 * The module in the file @path. 0, or with the reason said -ENOEXEC (not a 64-bit module, or its packed data
 * is damaged or too large), or another -errno.
 */
int kmod_read(struct kmod_reader *reader, const char *path, struct kmod_file *file);
void kmod_file_free(struct kmod_file *file);

/*
 * The "depends=" words of a module file's .modinfo section (@size bytes at @elf): a pointer into it, ""
 * if there are none; NULL if this is not a 64-bit module.
 */
const char *kmod_depends(const unsigned char *elf, size_t size);

#endif
