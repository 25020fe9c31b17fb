/* SPDX-License-Identifier: BSD-2-Clause */
/* Packs by the libraries whose work vm/unpack undoes. */
#include "tests/lib/packed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/le.h"

struct bytes plain_bytes(void)
{
	struct bytes b = { .len = PLAIN };
	uint32_t x = 1;

	for (size_t i = 0; i < PLAIN; i++) {
		x = x * 1664525 + 1013904223;
		b.data[i] = (uint8_t)(x >> 28);
	}
	return b;
}

/* The file name is there so that a header has a field of any length. */
struct bytes gzip_of(const void *data, size_t len)
{
	struct bytes b;
	gz_header head = { .name = (Bytef *)"Image", .os = 3 };
	z_stream z = { .next_in = (Bytef *)data,
		       .avail_in = (uInt)len,
		       .next_out = b.data,
		       .avail_out = ROOM };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflateSetHeader(&z, &head), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b.len = ROOM - z.avail_out;
	deflateEnd(&z);
	return b;
}

/* As Linux packs modules. */
struct bytes xz_of(const void *data, size_t len)
{
	struct bytes b = { .len = 0 };
	lzma_options_lzma options;
	lzma_filter filters[] = { { LZMA_FILTER_LZMA2, &options }, { LZMA_VLI_UNKNOWN, NULL } };

	assert_false(lzma_lzma_preset(&options, 6));
	options.dict_size = 2 * MIB;
	assert_int_equal(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, data, len,
						   b.data, &b.len, ROOM),
			 LZMA_OK);
	return b;
}

struct bytes zstd_of(const void *data, size_t len, int how)
{
	struct bytes b;
	ZSTD_CCtx *z = ZSTD_createCCtx();

	ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, !!(how & SIZED));
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, !!(how & SUMMED));
	b.len = ZSTD_compress2(z, b.data, ROOM, data, len);
	assert_false(ZSTD_isError(b.len));
	ZSTD_freeCCtx(z);
	return b;
}

struct bytes zboot_of(const struct bytes *payload, const char *method)
{
	struct bytes b = { .len = 512 };

	memcpy(b.data, "MZ\0\0zimg", 8);
	le32_store(b.data + 8, 512);
	le32_store(b.data + 12, (uint32_t)payload->len);
	memcpy(b.data + 24, method, strnlen(method, 32));
	memcpy(b.data + 512, payload->data, payload->len);
	b.len += payload->len + 16; /* what a linker adds */
	return b;
}

struct bytes joined(const struct bytes *a, const void *more, size_t len)
{
	struct bytes b = *a;

	assert_true(b.len + len <= ROOM);
	memcpy(b.data + b.len, more, len);
	b.len += len;
	return b;
}
