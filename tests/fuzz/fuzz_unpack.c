/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a packed kernel. The first byte says how they come: as they are; in a gzip member
 * with a right checksum, so that the second layer is tried; as the payload of a zboot program; or
 * they are the kernel, packed here, and must come out again.
 */
#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/le.h"
#include "vm/unpack.h"

enum {
	RAM = 8 << 20, /* bytes; keeps one input quick */
	ZBOOT_HEAD = 64,
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

struct bytes {
	uint8_t *data; /* of malloc */
	size_t len;
};

static struct bytes copy_of(const uint8_t *data, size_t size, size_t before)
{
	struct bytes b = { malloc(before + size + 1), before + size };

	require(b.data != NULL);
	memset(b.data, 0, before);
	if (size)
		memcpy(b.data + before, data, size);
	return b;
}

static struct bytes gzip_of(const uint8_t *data, size_t size, int level)
{
	z_stream z = { .zalloc = Z_NULL };
	struct bytes b;

	require(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	b.len = deflateBound(&z, size);
	b.data = malloc(b.len);
	require(b.data != NULL);
	z.next_in = (Bytef *)data;
	z.avail_in = (uInt)size;
	z.next_out = b.data;
	z.avail_out = (uInt)b.len;
	require(deflate(&z, Z_FINISH) == Z_STREAM_END);
	b.len -= z.avail_out;
	deflateEnd(&z);
	return b;
}

static struct bytes zstd_of(const uint8_t *data, size_t size)
{
	struct bytes b = { malloc(ZSTD_compressBound(size)), ZSTD_compressBound(size) };

	require(b.data != NULL);
	b.len = ZSTD_compress(b.data, b.len, data, size, 1);
	require(!ZSTD_isError(b.len));
	return b;
}

static struct bytes xz_of(const uint8_t *data, size_t size)
{
	struct bytes b = { malloc(lzma_stream_buffer_bound(size)), 0 };

	require(b.data != NULL);
	require(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, data, size, b.data, &b.len,
					lzma_stream_buffer_bound(size)) == LZMA_OK);
	return b;
}

static struct bytes zboot_of(const uint8_t *data, size_t size, const char *method)
{
	struct bytes b = copy_of(data, size, ZBOOT_HEAD);

	memcpy(b.data, "MZ\0\0zimg", 8);
	le32_store(b.data + 8, ZBOOT_HEAD);
	le32_store(b.data + 12, (uint32_t)size);
	memcpy(b.data + 24, method, strlen(method));
	return b;
}

/* Whatever comes out keeps what the header promises. */
static bool unpack_any(const struct bytes *b, struct unpacked *out)
{
	uint8_t *exact;
	int r;

	if (!unpack_wanted(b->data, b->len))
		return false;
	exact = malloc(b->len ? b->len : 1); /* of its own size, for the sanitizer */
	require(exact != NULL);
	memcpy(exact, b->data, b->len);
	r = unpack("fuzz", exact, b->len, RAM, out);
	free(exact);
	require(r == 0 || r == -ENOEXEC || r == -ENOSPC);
	if (r)
		return false;
	require(out->data && out->size > 0 && out->size <= RAM);
	require(!unpack_wanted(out->data, out->size));
	return true;
}

/* @b is @data packed by us. */
static void must_come_back(const struct bytes *b, const uint8_t *data, size_t size)
{
	struct unpacked out;
	bool ok = unpack_any(b, &out);

	if (!size || size > RAM || unpack_wanted(data, size)) {
		if (ok)
			unpack_release(&out);
		return;
	}
	require(ok && out.size == size && !memcmp(out.data, data, size));
	unpack_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unpacked out;
	struct bytes b;
	int how;

	if (!size)
		return 0;
	how = data[0] & 7;
	data++;
	size--;
	switch (how) {
	case 1:
		b = gzip_of(data, size, 0);
		break;
	case 2:
		b = zboot_of(data, size, "gzip");
		break;
	case 3:
		b = zboot_of(data, size, "zstd");
		break;
	case 4:
		b = gzip_of(data, size, 1);
		must_come_back(&b, data, size);
		break;
	case 5:
		b = zstd_of(data, size);
		must_come_back(&b, data, size);
		break;
	case 6:
		b = xz_of(data, size);
		must_come_back(&b, data, size);
		break;
	case 7:
		b = zboot_of(data, size, "xzkern");
		break;
	default:
		b = copy_of(data, size, 0);
		break;
	}
	if (unpack_any(&b, &out))
		unpack_release(&out);
	free(b.data);
	return 0;
}
