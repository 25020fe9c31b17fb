/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text as a public key (first byte 0), a signature (1) or a secret key (2) of minisign. What is read of
 * a signature does not hold for a key that did not make it; a secret key that is not encrypted makes
 * signatures that its public half holds good, in both forms, and for no other message.
 */
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vm/signed/minisign.h"
#include "vm/signed/minisign_secret.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void any_key(const uint8_t *data, size_t size)
{
	struct minisign_key key;
	int r = minisign_parse_key("fuzz", data, size, &key);

	require(r == 0 || r == -ENOEXEC);
}

static void any_signature(const uint8_t *data, size_t size)
{
	static const uint8_t message[MINISIGN_PREHASH] = "not this one";
	struct minisign_signature signature;
	struct minisign_key key = { .key = { 1 } };
	int r = minisign_parse_signature("fuzz", data, size, &signature);

	require(r == 0 || r == -EKEYREJECTED);
	if (r)
		return;
	require(signature.comment_len <= MINISIGN_COMMENT_MAX &&
		strlen(signature.comment) == signature.comment_len);
	memcpy(key.id, signature.id, sizeof(key.id));
	require(minisign_verify(&key, &signature, "fuzz", "fuzz", message, sizeof(message),
				message) == -EKEYREJECTED);
}

/* Signs, reads that back and verifies it; then one bit of the message is another. */
static void round_trip(const struct minisign_secret *secret, const char *comment, bool legacy)
{
	static char text[MINISIGN_SIGNATURE_TEXT];
	uint8_t message[MINISIGN_PREHASH] = "a message";
	struct minisign_signature signature;
	struct minisign_key key;
	size_t len = minisign_sign(secret, message, sizeof(message), legacy ? NULL : message,
				   comment, text);

	memcpy(key.id, secret->id, sizeof(key.id));
	memcpy(key.key, secret->key + 32, sizeof(key.key));
	require(minisign_parse_signature("own", (const uint8_t *)text, len, &signature) == 0);
	require(signature.prehashed == !legacy && !strcmp(signature.comment, comment));
	require(minisign_verify(&key, &signature, "own", "own", message, sizeof(message),
				message) == 0);
	message[5] ^= 1;
	require(minisign_verify(&key, &signature, "own", "own", message, sizeof(message),
				message) == -EKEYREJECTED);
}

static void any_secret(const uint8_t *data, size_t size)
{
	struct minisign_secret secret;
	int r = minisign_parse_secret("fuzz", data, size, &secret);

	require(r == 0 || r == -ENOEXEC);
	if (r || secret.encrypted)
		return;
	round_trip(&secret, "", false);
	round_trip(&secret, "some words\twith a tab", true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact;

	if (!size || minisign_init() < 0)
		return 0;
	exact = malloc(size); /* of its own size, for the sanitizer */
	require(exact != NULL);
	memcpy(exact, data + 1, size - 1);
	if (data[0] == 0)
		any_key(exact, size - 1);
	else if (data[0] == 1)
		any_signature(exact, size - 1);
	else
		any_secret(exact, size - 1);
	free(exact);
	return 0;
}
