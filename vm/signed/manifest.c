/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot manifests: a strict reader, and the writer whose text it reads. */
#include "vm/signed/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/diag.h"

static const char magic[] = "hvrun-manifest 1";
static const char digits[] = "0123456789abcdef";

struct reader {
	const char *name; /* of the manifest, for messages */
	const char *at;	  /* what is left of the line, or of the text between lines */
	const char *line_end;
	const char *end;
	unsigned line; /* its number, from 1 */
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct reader *r, const char *fmt, ...)
{
	char words[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	diag_error("manifest %s: line %u: %s", r->name, r->line, words);
	return -ENOEXEC;
}

/* Goes on to the next line. False at the text's end, and then @r is there. */
static bool next_line(struct reader *r)
{
	if (r->at == r->end)
		return false;
	r->line++;
	r->line_end = memchr(r->at, '\n', (size_t)(r->end - r->at));
	return true;
}

/* The line's bytes are judged before its words: whole, without control characters. */
static int judge_line(const struct reader *r)
{
	if (!r->line_end)
		return wrong(r, "it has no end; each line ends with a newline");
	for (const char *c = r->at; c < r->line_end; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return wrong(r, "it holds the control character \\x%02x",
				     (unsigned)(unsigned char)*c);
	}
	return 0;
}

/* Moves behind @word if the line goes on with it. */
static bool take(struct reader *r, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(r->line_end - r->at) < len || memcmp(r->at, word, len) != 0)
		return false;
	r->at += len;
	return true;
}

static int digit(char c, const char *of)
{
	const char *found = c ? strchr(of, c) : NULL;

	return found ? (int)(found - of) : -1;
}

/* Whether a byte of a name stands for itself; the others are %XX. */
static bool plain(char c)
{
	return c > ' ' && c <= '~' && c != '%';
}

/* One byte of a name: itself, or %XX where that is needed. -1: neither. */
static int take_byte(struct reader *r)
{
	static const char upper[] = "0123456789ABCDEF";
	int high, low;

	if (r->line_end - r->at >= 1 && plain(*r->at))
		return (unsigned char)*r->at++;
	if (r->line_end - r->at < 3 || *r->at != '%')
		return -1;
	high = digit(r->at[1], upper);
	low = digit(r->at[2], upper);
	if (high < 0 || low < 0 || plain((char)(high << 4 | low)))
		return -1;
	r->at += 3;
	return high << 4 | low;
}

bool manifest_name_ok(const char *name)
{
	if (!*name || strnlen(name, MANIFEST_NAME_MAX + 1) > MANIFEST_NAME_MAX)
		return false;
	for (;;) {
		size_t len = strcspn(name, "/");

		if (!len || (len == 1 && name[0] == '.') || (len == 2 && !memcmp(name, "..", 2)))
			return false;
		if (!name[len])
			return true;
		name += len + 1;
	}
}

static int take_name(struct reader *r, const char *key, char name[MANIFEST_NAME_MAX + 1])
{
	size_t len = 0;

	if (!take(r, key))
		return wrong(r, "\"%s\" is missing", key);
	while (r->at < r->line_end && *r->at != ' ') {
		int byte = take_byte(r);

		if (byte <= 0 || len == MANIFEST_NAME_MAX)
			return wrong(r, "the name after \"%s\" is too long or wrongly written",
				     key);
		name[len++] = (char)byte;
	}
	name[len] = '\0';
	if (!manifest_name_ok(name))
		return wrong(r,
			     "the name after \"%s\" leads out of the manifest's folder, or to "
			     "nothing",
			     key);
	return 0;
}

/* A number without leading zeros. */
static int take_size(struct reader *r, const char *key, uint64_t *size)
{
	const char *start;
	uint64_t n = 0;

	if (!take(r, key))
		return wrong(r, "\"%s\" is missing", key);
	for (start = r->at; r->at < r->line_end && *r->at >= '0' && *r->at <= '9'; r->at++) {
		if (!u64_mul(n, 10, &n) || !u64_add(n, (uint64_t)(*r->at - '0'), &n))
			return wrong(r, "the number after \"%s\" is too large", key);
	}
	if (r->at == start || (*start == '0' && r->at > start + 1))
		return wrong(r, "no number after \"%s\"", key);
	*size = n;
	return 0;
}

/* Up to @max bytes in lower-case hexadecimal digits: how many in *@len. */
static int take_hex(struct reader *r, const char *key, uint8_t *out, size_t max, size_t *len)
{
	if (!take(r, key))
		return wrong(r, "\"%s\" is missing", key);
	for (*len = 0; *len < max && r->line_end - r->at >= 2; (*len)++) {
		int high = digit(r->at[0], digits);
		int low = digit(r->at[1], digits);

		if (high < 0 || low < 0)
			break;
		out[*len] = (uint8_t)(high << 4 | low);
		r->at += 2;
	}
	return 0;
}

static int take_hash(struct reader *r, const char *key, uint8_t hash[MANIFEST_HASH])
{
	size_t len = 0;
	int err = take_hex(r, key, hash, MANIFEST_HASH, &len);

	if (!err && len != MANIFEST_HASH)
		err = wrong(r, "\"%s\" wants 64 digits of 0-9a-f", key);
	return err;
}

static int take_end(struct reader *r)
{
	if (r->at != r->line_end)
		return wrong(r, "more words than this kind of line has");
	r->at = r->line_end + 1;
	return 0;
}

static int take_file(struct reader *r, struct manifest_file *file)
{
	int err = take_name(r, " file=", file->name);

	if (!err)
		err = take_size(r, " size=", &file->size);
	if (!err)
		err = take_hash(r, " blake2b-256=", file->hash);
	return err ? err : take_end(r);
}

static int take_cmdline(struct reader *r, char *cmdline)
{
	size_t len;

	if (r->at == r->line_end)
		return take_end(r);
	if (!take(r, " ") || r->at == r->line_end)
		return wrong(r, "\"cmdline\" stands alone, or a space and the words follow");
	len = (size_t)(r->line_end - r->at);
	if (len >= MANIFEST_CMDLINE_MAX)
		return wrong(r, "the command line is longer than %d bytes",
			     MANIFEST_CMDLINE_MAX - 1);
	memcpy(cmdline, r->at, len);
	cmdline[len] = '\0';
	r->at = r->line_end;
	return take_end(r);
}

static int take_verity(struct reader *r, struct manifest_disk *disk)
{
	int err = take_name(r, " file=", disk->name);

	if (!err)
		err = take_name(r, " hash-file=", disk->hash_name);
	if (!err)
		err = take_hex(r, " root-hash=", disk->root, sizeof(disk->root), &disk->root_len);
	if (!err && disk->root_len != 32 && disk->root_len != 64)
		err = wrong(r, "\" root-hash=\" wants 64 or 128 digits of 0-9a-f");
	if (!err)
		err = take_hash(r, " superblock=", disk->superblock);
	return err ? err : take_end(r);
}

static int take_disk(struct reader *r, struct manifest_disk *disk)
{
	int err;

	if (take(r, " verity")) {
		disk->kind = MANIFEST_VERITY;
		return take_verity(r, disk);
	}
	if (take(r, " untrusted-ro"))
		disk->kind = MANIFEST_UNTRUSTED_RO;
	else if (take(r, " untrusted-rw"))
		disk->kind = MANIFEST_UNTRUSTED_RW;
	else
		return wrong(r, "a disk is verity, untrusted-ro or untrusted-rw");
	err = take_name(r, " file=", disk->name);
	return err ? err : take_end(r);
}

/* The lines that may follow, in this order: each part once, then disks. */
enum stage { WANT_KERNEL, WANT_INITRD, WANT_CMDLINE, WANT_DISKS };

static int take_line(struct reader *r, enum stage *stage, struct manifest *m)
{
	if (*stage == WANT_KERNEL && take(r, "kernel")) {
		*stage = WANT_INITRD;
		return take_file(r, &m->kernel);
	}
	if (*stage == WANT_INITRD && take(r, "initrd")) {
		*stage = WANT_CMDLINE;
		return take_file(r, &m->initrd);
	}
	if ((*stage == WANT_INITRD || *stage == WANT_CMDLINE) && take(r, "cmdline")) {
		*stage = WANT_DISKS;
		return take_cmdline(r, m->cmdline);
	}
	if (*stage == WANT_DISKS && take(r, "disk")) {
		if (m->disk_count == VM_MAX_DISKS)
			return wrong(r, "there can be at most %d disks", VM_MAX_DISKS);
		return take_disk(r, &m->disks[m->disk_count++]);
	}
	return wrong(r, "not a line that can stand here; the order is kernel, initrd, cmdline, "
			"disks, and this hvrun knows no others");
}

int manifest_parse(const char *name, const uint8_t *data, size_t len, struct manifest *out)
{
	struct reader r = { .name = name,
			    .at = (const char *)data,
			    .end = (const char *)data + len };
	enum stage stage = WANT_KERNEL;
	int err = 0;

	memset(out, 0, sizeof(*out));
	if (len > MANIFEST_MAX)
		return wrong(&r, "%zu bytes are more than any manifest has", len);
	if (!next_line(&r) || !r.line_end || !take(&r, magic) || r.at != r.line_end)
		return wrong(&r, "this is no manifest that this hvrun knows; it begins \"%s\"",
			     magic);
	r.at++;
	while (!err && next_line(&r)) {
		err = judge_line(&r);
		if (!err)
			err = take_line(&r, &stage, out);
	}
	if (!err && stage != WANT_DISKS)
		err = wrong(&r, "it ends here, and a kernel and a cmdline line are needed");
	return err;
}

/* Text that grows; too much is noticed at the end. */
struct writer {
	char *buf;
	size_t size;
	size_t used;
	bool full;
};

static void put(struct writer *w, const char *text)
{
	size_t len = strlen(text);

	if (w->full || len >= w->size - w->used) {
		w->full = true;
		return;
	}
	memcpy(w->buf + w->used, text, len + 1);
	w->used += len;
}

static void put_name(struct writer *w, const char *key, const char *name)
{
	put(w, key);
	for (; *name; name++) {
		char text[4] = { *name };

		if (!plain(*name))
			(void)snprintf(text, sizeof(text), "%%%02X",
				       (unsigned)(unsigned char)*name);
		put(w, text);
	}
}

static void put_hex(struct writer *w, const char *key, const uint8_t *bytes, size_t len)
{
	put(w, key);
	for (size_t i = 0; i < len; i++) {
		char text[3] = { digits[bytes[i] >> 4], digits[bytes[i] & 15] };

		put(w, text);
	}
}

static void put_file(struct writer *w, const char *kind, const struct manifest_file *file)
{
	char size[40];

	put(w, kind);
	put_name(w, " file=", file->name);
	(void)snprintf(size, sizeof(size), " size=%" PRIu64, file->size);
	put(w, size);
	put_hex(w, " blake2b-256=", file->hash, sizeof(file->hash));
	put(w, "\n");
}

static void put_disk(struct writer *w, const struct manifest_disk *disk)
{
	static const char *const kinds[] = {
		[MANIFEST_VERITY] = "disk verity",
		[MANIFEST_UNTRUSTED_RO] = "disk untrusted-ro",
		[MANIFEST_UNTRUSTED_RW] = "disk untrusted-rw",
	};

	put(w, kinds[disk->kind]);
	put_name(w, " file=", disk->name);
	if (disk->kind == MANIFEST_VERITY) {
		put_name(w, " hash-file=", disk->hash_name);
		put_hex(w, " root-hash=", disk->root, disk->root_len);
		put_hex(w, " superblock=", disk->superblock, sizeof(disk->superblock));
	}
	put(w, "\n");
}

int manifest_write(const struct manifest *manifest, char *buf, size_t size)
{
	struct writer w = { .buf = buf, .size = size };

	put(&w, magic);
	put(&w, "\n");
	put_file(&w, "kernel", &manifest->kernel);
	if (*manifest->initrd.name)
		put_file(&w, "initrd", &manifest->initrd);
	put(&w, "cmdline");
	if (*manifest->cmdline)
		put(&w, " ");
	put(&w, manifest->cmdline);
	put(&w, "\n");
	for (size_t i = 0; i < manifest->disk_count; i++)
		put_disk(&w, &manifest->disks[i]);
	return w.full ? -ENOSPC : (int)w.used;
}
