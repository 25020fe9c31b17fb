/* SPDX-License-Identifier: BSD-2-Clause */
/* Judges public keys and signatures in minisign's format; libsodium does the arithmetic. */
#include "vm/signed/minisign.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"

enum {
	ALGORITHM = 2,
	KEY_BYTES = ALGORITHM + MINISIGN_ID + MINISIGN_KEY,
	SIGNATURE_BYTES = ALGORITHM + MINISIGN_ID + MINISIGN_SIGNATURE,
};

static const char untrusted_mark[] = "untrusted comment: ";
static const char trusted_mark[] = "trusted comment: ";

int minisign_init(void)
{
	if (sodium_init() >= 0)
		return 0;
	diag_error("libsodium cannot start on this machine");
	return -EIO;
}

struct minisign_id_text minisign_id_text(const uint8_t id[MINISIGN_ID])
{
	struct minisign_id_text out;

	/* A little-endian number, so the last byte comes first. */
	for (size_t i = 0; i < MINISIGN_ID; i++)
		(void)snprintf(out.text + 2 * i, 3, "%02X", id[MINISIGN_ID - 1 - i]);
	return out;
}

/* A line of a file, without its end. */
struct line {
	const char *text;
	size_t len;
};

/*
 * Cuts the next line off @len bytes at *@at. Its end is a newline, perhaps with a return before it;
 * the last line may lack it. False when nothing is left, or the line has a zero in it.
 */
static bool next_line(const uint8_t **at, size_t *left, struct line *line)
{
	const uint8_t *end = *left ? memchr(*at, '\n', *left) : NULL;
	size_t len = end ? (size_t)(end - *at) : *left;

	if (!*left)
		return false;
	line->text = (const char *)*at;
	line->len = len;
	if (len && line->text[len - 1] == '\r')
		line->len--;
	*at += len + (end ? 1 : 0);
	*left -= len + (end ? 1 : 0);
	return !line->len || !memchr(line->text, 0, line->len);
}

/* Whether nothing but ends of lines is left: minisign does not look there, and an editor may leave some. */
static bool only_ends(const uint8_t *at, size_t left)
{
	for (size_t i = 0; i < left; i++)
		if (at[i] != '\n' && at[i] != '\r')
			return false;
	return true;
}

static bool begins(const struct line *line, const char *mark)
{
	return line->len >= strlen(mark) && !memcmp(line->text, mark, strlen(mark));
}

bool minisign_decode(const char *text, size_t len, uint8_t *out, size_t size)
{
	const char *end;
	size_t got;

	/* libsodium 1.0.18 takes the bytes 0xab and 0xaf for a plus and a slash. */
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)text[i] > '~')
			return false;
	return sodium_base642bin(out, size, text, len, NULL, &got, &end,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       got == size && end == text + len;
}

int minisign_parse_key(const char *name, const uint8_t *data, size_t len, struct minisign_key *key)
{
	uint8_t bytes[KEY_BYTES];
	struct line comment, text;

	if (!next_line(&data, &len, &comment) || !begins(&comment, untrusted_mark) ||
	    !next_line(&data, &len, &text) ||
	    !minisign_decode(text.text, text.len, bytes, sizeof(bytes)) || !only_ends(data, len)) {
		diag_error("public key %s: this is no minisign public key: two lines are needed, "
			   "an untrusted comment and the key",
			   name);
		return -ENOEXEC;
	}
	if (memcmp(bytes, "Ed", ALGORITHM) != 0) {
		diag_error("public key %s: a key of another kind; Ed25519 is known here", name);
		return -ENOEXEC;
	}
	memcpy(key->id, bytes + ALGORITHM, MINISIGN_ID);
	memcpy(key->key, bytes + ALGORITHM + MINISIGN_ID, MINISIGN_KEY);
	return 0;
}

static int bad_signature(const char *name, const char *why)
{
	diag_error("signature %s: %s", name, why);
	return -EKEYREJECTED;
}

int minisign_parse_signature(const char *name, const uint8_t *data, size_t len,
			     struct minisign_signature *signature)
{
	static const char form[] = "this is no minisign signature: four lines are needed, an "
				   "untrusted comment, the signature, a trusted comment and its "
				   "signature";
	uint8_t bytes[SIGNATURE_BYTES];
	struct line comment, text, trusted, global;

	if (!next_line(&data, &len, &comment) || !begins(&comment, untrusted_mark) ||
	    !next_line(&data, &len, &text) ||
	    !minisign_decode(text.text, text.len, bytes, sizeof(bytes)) ||
	    !next_line(&data, &len, &trusted) || !begins(&trusted, trusted_mark) ||
	    !next_line(&data, &len, &global) ||
	    !minisign_decode(global.text, global.len, signature->global,
			     sizeof(signature->global)) ||
	    !only_ends(data, len))
		return bad_signature(name, form);
	if (memcmp(bytes, "ED", ALGORITHM) != 0 && memcmp(bytes, "Ed", ALGORITHM) != 0)
		return bad_signature(name, "of another kind; Ed25519 is known here");
	trusted.text += strlen(trusted_mark);
	trusted.len -= strlen(trusted_mark);
	if (trusted.len > MINISIGN_COMMENT_MAX)
		return bad_signature(name, "its trusted comment is longer than 8192 bytes");
	signature->prehashed = bytes[1] == 'D';
	memcpy(signature->id, bytes + ALGORITHM, MINISIGN_ID);
	memcpy(signature->signature, bytes + ALGORITHM + MINISIGN_ID, MINISIGN_SIGNATURE);
	memcpy(signature->comment, trusted.text, trusted.len);
	signature->comment[trusted.len] = '\0';
	signature->comment_len = trusted.len;
	return 0;
}

/* The trusted comment is signed together with the signature, so that neither serves elsewhere. */
static bool comment_holds(const struct minisign_key *key,
			  const struct minisign_signature *signature)
{
	uint8_t both[MINISIGN_SIGNATURE + MINISIGN_COMMENT_MAX];

	memcpy(both, signature->signature, MINISIGN_SIGNATURE);
	memcpy(both + MINISIGN_SIGNATURE, signature->comment, signature->comment_len);
	return crypto_sign_verify_detached(signature->global, both,
					   MINISIGN_SIGNATURE + signature->comment_len,
					   key->key) == 0;
}

int minisign_verify(const struct minisign_key *key, const struct minisign_signature *signature,
		    const char *signature_name, const char *what, const uint8_t *data, size_t size,
		    const uint8_t prehash[MINISIGN_PREHASH])
{
	const uint8_t *message = signature->prehashed ? prehash : data;
	size_t len = signature->prehashed ? MINISIGN_PREHASH : size;

	if (memcmp(key->id, signature->id, MINISIGN_ID) != 0) {
		diag_error("%s: %s is by key %s, not by the key %s that is asked for", what,
			   signature_name, minisign_id_text(signature->id).text,
			   minisign_id_text(key->id).text);
		return -EKEYREJECTED;
	}
	if (crypto_sign_verify_detached(signature->signature, message, len, key->key) != 0) {
		diag_error("%s: %s does not sign this file: the file, the signature or the key was "
			   "changed",
			   what, signature_name);
		return -EKEYREJECTED;
	}
	if (!comment_holds(key, signature)) {
		diag_error("%s: the trusted comment of %s was changed", what, signature_name);
		return -EKEYREJECTED;
	}
	return 0;
}
