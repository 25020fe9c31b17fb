/* SPDX-License-Identifier: BSD-2-Clause */
/* Manifests and minisign's files, as text: what is read, what is refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "tests/lib/capture.h"
#include "vm/signed/manifest.h"
#include "vm/signed/minisign.h"
#include "vm/signed/minisign_secret.h"

#define HASH  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD  "hvrun-manifest 1\n"
#define KERN  "kernel file=vmlinuz size=123 blake2b-256=" HASH "\n"
#define LEAST HEAD KERN "cmdline\n"
#define ROOT  "disk verity file=r hash-file=t root-hash=" HASH " superblock=" HASH "\n"

static struct manifest m;

static int parse(const char *text)
{
	return manifest_parse("m", (const uint8_t *)text, strlen(text), &m);
}

/* It is read, and written again it is the same. */
static void good(const char *text)
{
	static char again[MANIFEST_MAX];

	assert_int_equal(parse(text), 0);
	assert_int_equal(manifest_write(&m, again, sizeof(again)), strlen(text));
	assert_string_equal(again, text);
}

static void child(void *text)
{
	if (parse(text) != -ENOEXEC)
		_exit(9);
}

/* Refused in one line with these words. */
static void bad(const char *text, const char *words)
{
	static struct captured said;

	capture_child(&said, child, (void *)text);
	assert_int_equal(said.status, 0);
	if (!strstr(said.text, words))
		fail_msg("not \"%s\" but: %s", words, said.text);
	assert_ptr_equal(strchr(said.text, '\n'), said.text + said.len - 1);
}

static void manifests(void **state)
{
	(void)state;
	good(LEAST);
	assert_string_equal(m.kernel.name, "vmlinuz");
	assert_int_equal(m.kernel.size, 123);
	assert_int_equal(m.kernel.hash[0], 0x00);
	assert_int_equal(m.kernel.hash[31], 0xff);
	assert_string_equal(m.initrd.name, "");
	assert_string_equal(m.cmdline, "");
	assert_int_equal(m.disk_count, 0);

	good(HEAD KERN "initrd file=a/b%20c%25%C3%A9%7F size=18446744073709551615 blake2b-256=" HASH
		       "\ncmdline  two  spaces \xc3\xa9 = ok \n" ROOT
		       "disk untrusted-ro file=x\ndisk untrusted-rw file=y\n");
	assert_string_equal(m.initrd.name, "a/b c%\xc3\xa9\x7f");
	assert_int_equal(m.initrd.size, UINT64_MAX);
	assert_string_equal(m.cmdline, " two  spaces \xc3\xa9 = ok ");
	assert_int_equal(m.disk_count, 3);
	assert_int_equal(m.disks[0].kind, MANIFEST_VERITY);
	assert_int_equal(m.disks[0].root_len, 32);
	assert_string_equal(m.disks[0].hash_name, "t");
	assert_int_equal(m.disks[1].kind, MANIFEST_UNTRUSTED_RO);
	assert_int_equal(m.disks[2].kind, MANIFEST_UNTRUSTED_RW);
	good(LEAST "disk verity file=r hash-file=t root-hash=" HASH HASH " superblock=" HASH "\n");
	assert_int_equal(m.disks[0].root_len, 64);
}

static void bad_manifests(void **state)
{
	(void)state;
	bad("", "line 0: this is no manifest");
	bad("hvrun-manifest 1", "this is no manifest");
	bad("hvrun-manifest 2\n", "it begins \"hvrun-manifest 1\"");
	bad("hvrun-manifest 1 \n" KERN "cmdline\n", "this is no manifest");
	bad("\n" LEAST, "this is no manifest");
	bad(HEAD, "line 1: it ends here");
	bad(HEAD KERN, "line 2: it ends here");
	bad(HEAD "cmdline\n" KERN, "line 2: not a line that can stand here");
	bad(LEAST KERN, "line 4: not a line that can stand here");
	bad(LEAST "cmdline\n", "line 4: not a line");
	bad(LEAST "dtb file=x\n", "this hvrun knows no others");
	bad(LEAST "\n", "line 4: not a line");
	bad(HEAD KERN "cmdline x", "line 3: it has no end");
	bad(HEAD KERN "cmdline \n", "stands alone, or a space and the words follow");
	bad(HEAD KERN "cmdlinex\n", "stands alone");
	bad(HEAD KERN "cmdline a\tb\n", "control character \\x09");
	bad(HEAD KERN "cmdline a\r\n", "control character \\x0d");
	bad(HEAD KERN "cmdline a\x7f\n", "control character \\x7f");
	bad(HEAD "kernel size=1 file=k blake2b-256=" HASH "\n", "\" file=\" is missing");
	bad(HEAD "kernel  file=k size=1\n", "\" file=\" is missing");
	bad(HEAD "kernel file= size=1\n", "or to nothing");
	bad(HEAD "kernel file=/k size=1\n", "leads out");
	bad(HEAD "kernel file=a/../k size=1\n", "leads out");
	bad(HEAD "kernel file=.. size=1\n", "leads out");
	bad(HEAD "kernel file=./k size=1\n", "leads out");
	bad(HEAD "kernel file=a//k size=1\n", "leads out");
	bad(HEAD "kernel file=k/ size=1\n", "leads out");
	bad(HEAD "kernel file=%2E%2E/k size=1\n", "wrongly written");
	bad(HEAD "kernel file=%41 size=1\n", "wrongly written");
	bad(HEAD "kernel file=a%c3 size=1\n", "wrongly written");
	bad(HEAD "kernel file=a%00 size=1\n", "wrongly written");
	bad(HEAD "kernel file=a%2 size=1\n", "wrongly written");
	bad(HEAD "kernel file=a\xc3\xa9 size=1\n", "wrongly written");
	bad(HEAD "kernel file=k size= \n", "no number");
	bad(HEAD "kernel file=k size=01 \n", "no number");
	bad(HEAD "kernel file=k size=-1 \n", "no number");
	bad(HEAD "kernel file=k size=18446744073709551616\n", "too large");
	bad(HEAD "kernel file=k size=1 blake2b-256=" HASH "00\n", "more words");
	bad(HEAD "kernel file=k size=1 blake2b-256=00\n", "64 digits");
	bad(HEAD "kernel file=k size=1 blake2b-256=A" HASH "\n", "64 digits");
	bad(HEAD "kernel file=k size=1 sha256=" HASH "\n", "\" blake2b-256=\" is missing");
	bad(LEAST "disk file=x\n", "verity, untrusted-ro or untrusted-rw");
	bad(LEAST "disk untrusted file=x\n", "verity, untrusted-ro or untrusted-rw");
	bad(LEAST "disk untrusted-rw file=x ro\n", "more words");
	bad(LEAST "disk verity file=r hash-file=t root-hash=00 superblock=" HASH "\n",
	    "64 or 128 digits");
	bad(LEAST "disk verity file=r root-hash=" HASH "\n", "\" hash-file=\" is missing");
}

static void manifests_are_bounded(void **state)
{
	static char text[MANIFEST_MAX + 2];
	size_t start;

	(void)state;
	strcpy(text, LEAST);
	for (int i = 0; i < VM_MAX_DISKS; i++)
		strcat(text, "disk untrusted-rw file=x\n");
	good(text);
	strcat(text, "disk untrusted-rw file=x\n");
	bad(text, "at most 12 disks");

	start = (size_t)sprintf(text, HEAD KERN "cmdline ");
	memset(text + start, 'x', MANIFEST_CMDLINE_MAX - 1);
	strcpy(text + start + MANIFEST_CMDLINE_MAX - 1, "\n");
	good(text);
	strcpy(text + start + MANIFEST_CMDLINE_MAX - 1, "x\n");
	bad(text, "longer than");

	start = (size_t)sprintf(text, HEAD "kernel file=");
	memset(text + start, 'n', MANIFEST_NAME_MAX);
	strcpy(text + start + MANIFEST_NAME_MAX, " size=1 blake2b-256=" HASH "\ncmdline\n");
	good(text);
	memset(text + start, 'n', MANIFEST_NAME_MAX + 1);
	strcpy(text + start + MANIFEST_NAME_MAX + 1, " size=1\n");
	bad(text, "too long");

	memset(text, 'x', MANIFEST_MAX + 1);
	text[MANIFEST_MAX + 1] = '\0';
	bad(text, "more than any manifest has");
}

/* Every byte of a manifest, changed: it is refused, or says something else. */
static void each_byte_matters(void **state)
{
	static const char text[] = HEAD KERN "cmdline a b\n" ROOT "disk untrusted-rw file=y\n";
	static struct manifest was;
	char copy[sizeof(text)];

	(void)state;
	assert_int_equal(parse(text), 0);
	was = m;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(copy, text, sizeof(text));
			copy[i] = (char)(copy[i] ^ 1 << bit);
			if (manifest_parse("m", (const uint8_t *)copy, sizeof(text) - 1, &m) == 0)
				assert_memory_not_equal(&m, &was, sizeof(m));
		}
	}
}

/* A key of our own, in the formats of the files. */
struct keys {
	struct minisign_secret secret;
	struct minisign_key key;
	char public_text[512];
};

static void make_keys(struct keys *k)
{
	uint8_t bytes[42] = "Ed";
	char text[128];

	memset(k, 0, sizeof(*k));
	assert_int_equal(minisign_init(), 0);
	(void)crypto_sign_keypair(k->key.key, k->secret.key);
	memcpy(k->secret.id, "\1\2\3\4\5\6\7\x08", 8);
	memcpy(k->key.id, k->secret.id, 8);
	memcpy(bytes + 2, k->key.id, 8);
	memcpy(bytes + 10, k->key.key, 32);
	(void)sodium_bin2base64(text, sizeof(text), bytes, sizeof(bytes),
				sodium_base64_VARIANT_ORIGINAL);
	(void)snprintf(k->public_text, sizeof(k->public_text), "untrusted comment: a key\n%s\n",
		       text);
}

static int parse_key(const char *text, struct minisign_key *key)
{
	return minisign_parse_key("k", (const uint8_t *)text, strlen(text), key);
}

static void public_keys(void **state)
{
	struct minisign_key key;
	struct keys k;
	char text[600];

	(void)state;
	make_keys(&k);
	assert_string_equal(minisign_id_text(k.key.id).text, "0807060504030201");
	assert_int_equal(parse_key(k.public_text, &key), 0);
	assert_memory_equal(&key, &k.key, sizeof(key));
	strcpy(text, k.public_text);
	text[strlen(text) - 1] = '\0'; /* the last newline may be lacking */
	assert_int_equal(parse_key(text, &key), 0);
	text[strlen(text) - 1] = '\0';
	assert_int_equal(parse_key(text, &key), -ENOEXEC);
	(void)snprintf(text, sizeof(text), "%sx\n", k.public_text);
	assert_int_equal(parse_key(text, &key), -ENOEXEC);
	assert_int_equal(parse_key(strchr(k.public_text, '\n') + 1, &key), -ENOEXEC);
	assert_int_equal(parse_key("", &key), -ENOEXEC);
	assert_int_equal(parse_key("untrusted comment: x", &key), -ENOEXEC);
	strcpy(text, k.public_text);
	*(strchr(text, '\n') + 1) = 'S'; /* another algorithm */
	assert_int_equal(parse_key(text, &key), -ENOEXEC);
}

static int verify(const struct keys *k, const char *text, size_t len, const uint8_t message[64])
{
	static struct minisign_signature signature;
	uint8_t prehash[MINISIGN_PREHASH];
	int r = minisign_parse_signature("s", (const uint8_t *)text, len, &signature);

	if (r)
		return r;
	(void)crypto_generichash(prehash, sizeof(prehash), message, 64, NULL, 0);
	return minisign_verify(&k->key, &signature, "s", "what", message, 64, prehash);
}

/* Nothing but the 64 characters and the padding in its place: each other byte in each place is refused. */
static void base64_is_strict(void **state)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789+/";
	uint8_t bytes[5];
	char text[9] = "+/+/+/8=";

	(void)state;
	assert_int_equal(minisign_init(), 0);
	assert_true(minisign_decode(text, 8, bytes, sizeof(bytes)));
	assert_memory_equal(bytes, "\xfb\xff\xbf\xfb\xff", sizeof(bytes));
	assert_false(minisign_decode(text, 7, bytes, sizeof(bytes)));
	assert_false(minisign_decode(text, 8, bytes, sizeof(bytes) - 1));
	for (size_t i = 0; i < 8; i++) {
		const char was = text[i];

		for (unsigned c = 0; c < 256; c++) {
			bool one = c && strchr(alphabet, (char)c);

			text[i] = (char)c;
			if (i < 6) /* the seventh has bits that must be zero; the last is padding */
				assert_int_equal(minisign_decode(text, 8, bytes, sizeof(bytes)),
						 one);
			else if (!one && text[i] != was)
				assert_false(minisign_decode(text, 8, bytes, sizeof(bytes)));
		}
		text[i] = was;
	}
}

/* Both forms hold; with any bit of the file changed behind its first line, none does. */
static void signatures(void **state)
{
	uint8_t message[65] = "sixty-four bytes, so that a hash of them has as many as they do.";
	uint8_t prehash[MINISIGN_PREHASH];
	char text[MINISIGN_SIGNATURE_TEXT];
	struct keys k;

	(void)state;
	make_keys(&k);
	(void)crypto_generichash(prehash, sizeof(prehash), message, 64, NULL, 0);
	for (int form = 0; form < 2; form++) {
		size_t len = minisign_sign(&k.secret, message, 64, form ? prehash : NULL,
					   "a comment", text);
		size_t first = (size_t)(strchr(text, '\n') + 1 - text);

		assert_int_equal(verify(&k, text, len, message), 0);
		assert_int_equal(verify(&k, text, len - 1, message), 0); /* no last newline */
		for (size_t i = first; i < len - 1; i++) {
			for (unsigned bit = 0; bit < 8; bit++) {
				text[i] = (char)(text[i] ^ 1 << bit);
				assert_int_equal(verify(&k, text, len, message), -EKEYREJECTED);
				text[i] = (char)(text[i] ^ 1 << bit);
			}
		}
		for (size_t i = 0; i < len - 1; i++)
			assert_int_equal(verify(&k, text, i, message), -EKEYREJECTED);
		for (unsigned i = 0; i < 64; i++) {
			message[i] ^= 0x10;
			assert_int_equal(verify(&k, text, len, message), -EKEYREJECTED);
			message[i] ^= 0x10;
		}
		k.key.id[3] ^= 1;
		assert_int_equal(verify(&k, text, len, message), -EKEYREJECTED);
		k.key.id[3] ^= 1;
		k.key.key[3] ^= 1;
		assert_int_equal(verify(&k, text, len, message), -EKEYREJECTED);
		k.key.key[3] ^= 1;
		/* One form is not taken for the other: "RW" and "RU" are "Ed" and "ED". */
		text[first + 1] = (char)(text[first + 1] == 'W' ? 'U' : 'W');
		assert_int_equal(verify(&k, text, len, message), -EKEYREJECTED);
	}
}

static void trusted_comments(void **state)
{
	static char comment[MINISIGN_COMMENT_MAX + 1];
	uint8_t message[64] = "x";
	uint8_t prehash[MINISIGN_PREHASH];
	char text[MINISIGN_SIGNATURE_TEXT];
	struct keys k;
	size_t len;

	(void)state;
	make_keys(&k);
	(void)crypto_generichash(prehash, sizeof(prehash), message, 64, NULL, 0);
	memset(comment, 'c', MINISIGN_COMMENT_MAX);
	len = minisign_sign(&k.secret, message, 64, prehash, comment, text);
	assert_int_equal(verify(&k, text, len, message), 0);
	len = minisign_sign(&k.secret, message, 64, prehash, "", text);
	assert_int_equal(verify(&k, text, len, message), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifests),
		cmocka_unit_test(bad_manifests),
		cmocka_unit_test(manifests_are_bounded),
		cmocka_unit_test(each_byte_matters),
		cmocka_unit_test(public_keys),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(signatures),
		cmocka_unit_test(trusted_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
