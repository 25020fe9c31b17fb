/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot manifest: a text that says exactly what boots, to be signed (docs/manifest.md has the
 * format). Text to struct and back: nothing here opens a file or judges a signature.
 *
 * There is one way to write each manifest, and only that one is read: manifest_write() of what
 * manifest_parse() gave are the same bytes.
 */
#ifndef VM_SIGNED_MANIFEST_H
#define VM_SIGNED_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/config.h"

enum {
	MANIFEST_MAX = 128 << 10, /* bytes of the text */
	MANIFEST_NAME_MAX = 1023, /* bytes of a file's name */
	MANIFEST_HASH = 32,	  /* bytes of BLAKE2b-256 */
	MANIFEST_ROOT_MAX = 64,	  /* bytes of a verity root hash */
	MANIFEST_CMDLINE_MAX = VM_CMDLINE_MAX + 256,
};

/* A file that is named: relative to the manifest's folder, and inside it. */
struct manifest_file {
	char name[MANIFEST_NAME_MAX + 1];
	uint64_t size; /* bytes */
	uint8_t hash[MANIFEST_HASH];
};

enum manifest_disk_kind {
	MANIFEST_VERITY,       /* read-only, each block checked against the root hash */
	MANIFEST_UNTRUSTED_RO, /* anything may be on it */
	MANIFEST_UNTRUSTED_RW,
};

struct manifest_disk {
	enum manifest_disk_kind kind;
	char name[MANIFEST_NAME_MAX + 1];
	char hash_name[MANIFEST_NAME_MAX + 1]; /* the tree's file; VERITY only, as all below */
	uint8_t root[MANIFEST_ROOT_MAX];
	size_t root_len;		   /* bytes, 32 or 64 */
	uint8_t superblock[MANIFEST_HASH]; /* BLAKE2b-256 of the tree file's first 512 bytes */
};

struct manifest {
	struct manifest_file kernel;
	struct manifest_file initrd; /* its name is "" if there is none */
	char cmdline[MANIFEST_CMDLINE_MAX];
	struct manifest_disk disks[VM_MAX_DISKS];
	size_t disk_count;
};

/*
 * Reads the @len bytes at @data of the manifest @name into *@out. 0, or -ENOEXEC having said what is
 * wrong in which line.
 */
int manifest_parse(const char *name, const uint8_t *data, size_t len, struct manifest *out);

/*
 * Writes @manifest as text to @buf (@size bytes; MANIFEST_MAX is enough for any), zero-ended. Its length
 * without the zero, or -ENOSPC.
 */
int manifest_write(const struct manifest *manifest, char *buf, size_t size);

/*
 * Whether @name may stand in a manifest: 1 to MANIFEST_NAME_MAX bytes, not from the root, and with no
 * part "", "." or "..".
 */
bool manifest_name_ok(const char *name);

#endif
