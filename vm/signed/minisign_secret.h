/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Secret keys in minisign's format, and signatures made with them. Only `hvrun sign` does this; the
 * key is its user's own. After minisign_init(). What is wrong is said here, once.
 */
#ifndef VM_SIGNED_MINISIGN_SECRET_H
#define VM_SIGNED_MINISIGN_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vm/signed/minisign.h"

enum {
	MINISIGN_SECRET = 64, /* bytes of an Ed25519 secret key with its public one */
	MINISIGN_SALT = 32,
	MINISIGN_SIGNATURE_TEXT = MINISIGN_FILE_MAX,
};

struct minisign_secret {
	bool encrypted; /* by a password; then id and key are noise until it is unlocked */
	uint8_t salt[MINISIGN_SALT];
	uint64_t ops_limit;
	uint64_t mem_limit; /* bytes */
	uint8_t id[MINISIGN_ID];
	uint8_t key[MINISIGN_SECRET];
	uint8_t check[32];
};

/* The secret key file @name with @len bytes at @data. 0, or -ENOEXEC, said. */
int minisign_parse_secret(const char *name, const uint8_t *data, size_t len,
			  struct minisign_secret *secret);

/*
 * Makes an encrypted key usable (scrypt: seconds, and up to 1 GiB of memory while it lasts). 0;
 * -EKEYREJECTED (another password), -ENOMEM, -ENOEXEC, said.
 */
int minisign_unlock(const char *name, struct minisign_secret *secret, const char *password);

/*
 * Writes a signature file's text, zero-ended, to @out: of the @size bytes at @data in the legacy form,
 * or of @prehash, their BLAKE2b-512, if that is not NULL. @comment is the trusted one, a line of at
 * most MINISIGN_COMMENT_MAX bytes. Its length.
 */
size_t minisign_sign(const struct minisign_secret *secret, const uint8_t *data, size_t size,
		     const uint8_t *prehash, const char *comment,
		     char out[MINISIGN_SIGNATURE_TEXT]);

/* Forgets the key. */
void minisign_forget(struct minisign_secret *secret);

#endif
