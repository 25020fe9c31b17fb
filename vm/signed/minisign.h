/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Public keys and signatures in minisign's format (Ed25519; https://jedisct1.github.io/minisign/):
 * both its forms, prehashed ("ED", the signature is of BLAKE2b-512) and legacy ("Ed", of the bytes).
 *
 * A signature file is a stranger's bytes and is judged strictly: four lines and no word behind them, sizes exact.
 * A key file is the user's, and judged no less. Bytes to verdicts: nothing here opens or reads a file. What is
 * wrong is said here, once. Any thread, after minisign_init().
 */
#ifndef VM_SIGNED_MINISIGN_H
#define VM_SIGNED_MINISIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MINISIGN_ID = 8,
	MINISIGN_KEY = 32,
	MINISIGN_SIGNATURE = 64,
	MINISIGN_PREHASH = 64,		  /* bytes of BLAKE2b-512 */
	MINISIGN_COMMENT_MAX = 8192,	  /* bytes of a trusted comment, as in minisign */
	MINISIGN_COMMENT_MADE_MAX = 8173, /* of one that minisign reads: its line has 8192 */
	MINISIGN_FILE_MAX = 16 << 10,	  /* bytes of a signature or key file */
};

struct minisign_key {
	uint8_t id[MINISIGN_ID];
	uint8_t key[MINISIGN_KEY];
};

struct minisign_signature {
	bool prehashed;
	uint8_t id[MINISIGN_ID]; /* of the key that made it */
	uint8_t signature[MINISIGN_SIGNATURE];
	uint8_t global[MINISIGN_SIGNATURE]; /* of signature and trusted comment */
	size_t comment_len;
	char comment[MINISIGN_COMMENT_MAX + 1]; /* zero-ended */
};

/* Prepares the library; before anything else here, on the main thread. 0 or -EIO, said. */
int minisign_init(void);

/* Key id as minisign shows it: 16 hexadecimal digits. */
struct minisign_id_text {
	char text[2 * MINISIGN_ID + 1];
};
struct minisign_id_text minisign_id_text(const uint8_t id[MINISIGN_ID]);

/* Whether the @len bytes at @text are base64 of exactly @size bytes, then at @out, with nothing else among them. */
bool minisign_decode(const char *text, size_t len, uint8_t *out, size_t size);

/* The public key file @name with @len bytes at @data. 0, or -ENOEXEC, said. */
int minisign_parse_key(const char *name, const uint8_t *data, size_t len, struct minisign_key *key);

/* The signature file @name with @len bytes at @data. 0, or -EKEYREJECTED, said. */
int minisign_parse_signature(const char *name, const uint8_t *data, size_t len,
			     struct minisign_signature *signature);

/*
 * Whether @signature (of the file @signature_name) is @key's own, for @what (such as "kernel
 * vmlinuz"): of the @size bytes at @data, or of @prehash, the BLAKE2b-512 of them, if it is
 * prehashed; and the trusted comment's. 0, or -EKEYREJECTED with the difference said.
 */
int minisign_verify(const struct minisign_key *key, const struct minisign_signature *signature,
		    const char *signature_name, const char *what, const uint8_t *data, size_t size,
		    const uint8_t prehash[MINISIGN_PREHASH]);

#endif
