/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A boot that is verified: what is opened for it before the door is locked, and what was found right
 * behind it (docs/manifest.md). Of the files of vm/ that do so, and nobody else.
 */
#ifndef VM_SIGNED_SIGNED_H
#define VM_SIGNED_SIGNED_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/verity.h"
#include "vm/config.h"
#include "vm/machine.h"
#include "vm/signed/manifest.h"
#include "vm/signed/minisign.h"

/* A signature beside the file that it is for; fd -1: not needed. */
struct signed_file {
	struct vm_file file;
	char name[PATH_MAX + 16];
};

/* The bytes that were verified, in a private mapping. */
struct signed_image {
	uint8_t *data; /* NULL: none */
	size_t size;
};

struct signed_boot {
	/* Opened before the door is locked; no byte read. */
	struct vm_file key_file;
	struct vm_file list_file; /* the manifest; fd -1: none */
	struct signed_file list_signature;
	struct signed_file kernel_signature; /* without a manifest */
	struct signed_file initrd_signature;

	struct vm_config config; /* the user's words; where they say nothing, the manifest's names */
	struct manifest names;	 /* what a child process read: only names, and only hints */
	bool disks_named;	 /* config's disks are those of names */

	/* Found right, behind the door. */
	struct minisign_key key;
	struct minisign_signature by; /* of manifest or, without one, of the kernel */
	struct manifest list;
	struct signed_image kernel;
	struct signed_image initrd;
	uint8_t superblocks[VM_MAX_DISKS][VERITY_SUPERBLOCK]; /* of verity disks in the manifest */
};

/*
 * vm/signed/signed.c: opens key, manifest and signatures, and what only the manifest names; sets vm->config to
 * the config of what is booted. Does nothing without --verify-key. The first part of vm_open_files.
 * 0 or an exit status, said.
 */
int signed_open(struct vm *vm);

/* Frees and closes. */
void signed_close(struct vm *vm);

/* Names FILE.minisig and opens it: 0, or VM_STATUS_REFUSED, said; @what is what it is for. */
int signed_open_signature(const char *what, const char *name, struct signed_file *signature);

/*
 * vm/signed/names.c: has a child process, which locks the door behind itself first, verify and read the manifest,
 * and takes over the names in it as signed->names. They are judged as names, and no more is believed
 * of them: everything is verified again by vm_verify. 0 or an exit status, said.
 */
int signed_ask_names(struct vm *vm);

/*
 * vm/signed/verify.c: reads key, manifest and signature from the start and verifies them: signed->key, by and
 * list. May be done more than once. 0 or an exit status, said.
 */
int signed_read_list(struct signed_boot *boot);

/* As much as signed_read_list does of the key alone. */
int signed_read_key(struct signed_boot *boot);

/*
 * Reads the whole @file, @what it is, once, into *@image, with the hash of @hash_len bytes (BLAKE2b) of
 * what was read in @hash. A terminal is shown how far it is, unless @quiet. 0 or an exit status, said.
 */
int signed_read_image(const char *what, const struct vm_file *file, bool quiet, uint64_t max,
		      struct signed_image *image, uint8_t *hash, size_t hash_len);

void signed_release(struct signed_image *image);

#endif
