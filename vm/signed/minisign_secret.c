/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and unlocks minisign's secret keys, and signs with them; libsodium does the arithmetic. */
#include "vm/signed/minisign_secret.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "base/le.h"

/* What a key file's second line holds. */
enum {
	SIGN_ALGORITHM = 0,  /* "Ed" */
	KDF_ALGORITHM = 2,   /* "Sc", or zeros: not encrypted */
	CHECK_ALGORITHM = 4, /* "B2" */
	SALT = 6,
	OPS_LIMIT = 38,
	MEM_LIMIT = 46,
	ID = 54, /* from here on encrypted: id, key, check */
	KEY = 62,
	CHECK = 126,
	SECRET_BYTES = 158,
};

#define MEM_LIMIT_MAX (UINT64_C(1) << 30) /* what minisign asks for */

static int no_key(const char *name)
{
	diag_error("secret key %s: this is no minisign secret key: two lines are needed, an "
		   "untrusted comment and the key",
		   name);
	return -ENOEXEC;
}

/* The check is of algorithm, id and key: a wrong password gives another. */
static bool check_holds(const struct minisign_secret *secret)
{
	uint8_t found[sizeof(secret->check)];
	crypto_generichash_state state;

	(void)crypto_generichash_init(&state, NULL, 0, sizeof(found));
	(void)crypto_generichash_update(&state, (const uint8_t *)"Ed", 2);
	(void)crypto_generichash_update(&state, secret->id, sizeof(secret->id));
	(void)crypto_generichash_update(&state, secret->key, sizeof(secret->key));
	(void)crypto_generichash_final(&state, found, sizeof(found));
	return sodium_memcmp(found, secret->check, sizeof(found)) == 0;
}

/* The key has two halves, and the second follows from the first: minisign -W leaves the check empty. */
static int judge_key(const char *name, const struct minisign_secret *secret)
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES];
	uint8_t both[crypto_sign_SECRETKEYBYTES];
	bool right = crypto_sign_seed_keypair(public, both, secret->key) == 0 &&
		     sodium_memcmp(both, secret->key, sizeof(both)) == 0;

	sodium_memzero(both, sizeof(both));
	if (right)
		return 0;
	diag_error("secret key %s: it is damaged: its two halves do not belong together", name);
	return -ENOEXEC;
}

static int take_apart(const char *name, const uint8_t *bytes, struct minisign_secret *secret)
{
	static const uint8_t zeros[2];

	if (memcmp(bytes + SIGN_ALGORITHM, "Ed", 2) != 0 ||
	    memcmp(bytes + CHECK_ALGORITHM, "B2", 2) != 0)
		return no_key(name);
	secret->encrypted = memcmp(bytes + KDF_ALGORITHM, zeros, 2) != 0;
	if (secret->encrypted && memcmp(bytes + KDF_ALGORITHM, "Sc", 2) != 0) {
		diag_error("secret key %s: its password is used in a way that is not known here; "
			   "scrypt is",
			   name);
		return -ENOEXEC;
	}
	memcpy(secret->salt, bytes + SALT, sizeof(secret->salt));
	secret->ops_limit = le64_load(bytes + OPS_LIMIT);
	secret->mem_limit = le64_load(bytes + MEM_LIMIT);
	memcpy(secret->id, bytes + ID, sizeof(secret->id));
	memcpy(secret->key, bytes + KEY, sizeof(secret->key));
	memcpy(secret->check, bytes + CHECK, sizeof(secret->check));
	return secret->encrypted ? 0 : judge_key(name, secret);
}

int minisign_parse_secret(const char *name, const uint8_t *data, size_t len,
			  struct minisign_secret *secret)
{
	static const char mark[] = "untrusted comment: ";
	const uint8_t *line = memchr(data, '\n', len);
	uint8_t bytes[SECRET_BYTES];
	int err;

	if (!line || len < sizeof(mark) - 1 || memcmp(data, mark, sizeof(mark) - 1) != 0)
		return no_key(name);
	line++;
	len -= (size_t)(line - data);
	while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (!minisign_decode((const char *)line, len, bytes, sizeof(bytes)))
		err = no_key(name);
	else
		err = take_apart(name, bytes, secret);
	sodium_memzero(bytes, sizeof(bytes));
	return err;
}

int minisign_unlock(const char *name, struct minisign_secret *secret, const char *password)
{
	uint8_t stream[SECRET_BYTES - ID];

	if (secret->mem_limit > MEM_LIMIT_MAX) {
		diag_error("secret key %s: to unlock it would take %" PRIu64
			   " bytes of memory; 1 GiB is the limit",
			   name, secret->mem_limit);
		return -ENOEXEC;
	}
	if (crypto_pwhash_scryptsalsa208sha256(stream, sizeof(stream), password, strlen(password),
					       secret->salt, secret->ops_limit,
					       (size_t)secret->mem_limit) != 0) {
		diag_error("secret key %s: no memory to unlock it: %" PRIu64 " MiB are needed",
			   name, secret->mem_limit >> 20);
		return -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(secret->id); i++)
		secret->id[i] ^= stream[i];
	for (size_t i = 0; i < sizeof(secret->key); i++)
		secret->key[i] ^= stream[KEY - ID + i];
	for (size_t i = 0; i < sizeof(secret->check); i++)
		secret->check[i] ^= stream[CHECK - ID + i];
	sodium_memzero(stream, sizeof(stream));
	if (check_holds(secret))
		return judge_key(name, secret);
	diag_error("secret key %s: this is not its password", name);
	return -EKEYREJECTED;
}

/* Appends @text, then @len bytes in base64, as a line or two. */
static void put(char *out, const char *text, const uint8_t *bytes, size_t len)
{
	size_t used = strlen(out);

	used += (size_t)snprintf(out + used, MINISIGN_SIGNATURE_TEXT - used, "%s\n", text);
	(void)sodium_bin2base64(out + used, MINISIGN_SIGNATURE_TEXT - used, bytes, len,
				sodium_base64_VARIANT_ORIGINAL);
	used += strlen(out + used);
	(void)snprintf(out + used, MINISIGN_SIGNATURE_TEXT - used, "\n");
}

size_t minisign_sign(const struct minisign_secret *secret, const uint8_t *data, size_t size,
		     const uint8_t *prehash, const char *comment, char out[MINISIGN_SIGNATURE_TEXT])
{
	uint8_t bytes[2 + MINISIGN_ID + MINISIGN_SIGNATURE];
	uint8_t both[MINISIGN_SIGNATURE + MINISIGN_COMMENT_MAX];
	uint8_t *signature = bytes + 2 + MINISIGN_ID;
	uint8_t global[MINISIGN_SIGNATURE];
	char trusted[MINISIGN_COMMENT_MAX + 32];
	size_t len = strnlen(comment, MINISIGN_COMMENT_MAX);

	memcpy(bytes, prehash ? "ED" : "Ed", 2);
	memcpy(bytes + 2, secret->id, MINISIGN_ID);
	(void)crypto_sign_detached(signature, NULL, prehash ? prehash : data,
				   prehash ? MINISIGN_PREHASH : size, secret->key);
	memcpy(both, signature, MINISIGN_SIGNATURE);
	memcpy(both + MINISIGN_SIGNATURE, comment, len);
	(void)crypto_sign_detached(global, NULL, both, MINISIGN_SIGNATURE + len, secret->key);
	(void)snprintf(trusted, sizeof(trusted), "trusted comment: %.*s", (int)len, comment);
	out[0] = '\0';
	put(out, "untrusted comment: signature from hvrun sign", bytes, sizeof(bytes));
	put(out, trusted, global, sizeof(global));
	return strlen(out);
}

void minisign_forget(struct minisign_secret *secret)
{
	sodium_memzero(secret, sizeof(*secret));
}
