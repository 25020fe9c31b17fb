/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns files packed by gzip, zstd, xz or as EFI zboot programs into what is inside, within bounds. */
#include "vm/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <lzma.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>
#include <zstd_errors.h>

#define ZLIB_CONST /* it does not write to its input */
#include <zlib.h>

#include "base/checked.h"
#include "base/diag.h"
#include "base/le.h"

enum {
	FIRST_ROOM = 1 << 20, /* bytes; doubled when they are full */

	/* The head of a zboot program: "MZ" at 0, then */
	ZBOOT_TYPE = 4,	   /* "zimg" */
	ZBOOT_OFFSET = 8,  /* of the payload in the file */
	ZBOOT_SIZE = 12,   /* of the payload */
	ZBOOT_METHOD = 24, /* its name, with a NUL */
	ZBOOT_METHOD_MAX = 32,
	ZBOOT_HEAD = 64,

	GZIP_WINDOW = 15 + 16, /* zlib: 32 KiB, and gzip's header and trailer are judged */
};

#define ZSTD_FRAME     UINT32_C(0xfd2fb528)
#define ZSTD_SKIPPABLE UINT32_C(0x184d2a50) /* the low 4 bits are free */

/* One layer on its way: packed bytes, and a mapping that grows as they are unpacked. */
struct job {
	const char *what; /* "kernel" or "module" */
	const char *name;
	const uint8_t *in;
	size_t in_len;
	size_t in_pos;
	uint8_t *out; /* @room bytes, or NULL */
	size_t out_len;
	size_t room;  /* at most limit + 1: the byte that tells too much from just enough */
	size_t limit; /* bytes */
	bool by_ram;  /* that is the guest's memory, else what a file of this kind can have */
};

static int damaged(const struct job *job, const char *method, const char *why)
{
	diag_error("%s %s: its %s data is damaged: %s", job->what, job->name, method, why);
	return -ENOEXEC;
}

static int cut_short(const struct job *job, const char *method)
{
	diag_error("%s %s: cut short: its %s data has no end (%zu bytes)", job->what, job->name,
		   method, job->in_len);
	return -ENOEXEC;
}

static int no_memory(const struct job *job)
{
	diag_error("%s %s: no memory to unpack it (%zu bytes so far)", job->what, job->name,
		   job->out_len);
	return -ENOMEM;
}

static int too_large(const struct job *job)
{
	if (!job->by_ram) {
		diag_error("%s %s: its %zu bytes unpack to more than any %s has (the limit "
			   "is %zu)",
			   job->what, job->name, job->in_len, job->what, job->limit);
		return -ENOEXEC;
	}
	diag_error("%s %s: its %zu bytes unpack to more than the guest's memory (%zu bytes); "
		   "give it more memory",
		   job->what, job->name, job->in_len, job->limit);
	return -ENOSPC;
}

/* Makes room for @want bytes in all. The bytes so far may move. */
static int make_room(struct job *job, size_t want)
{
	void *map;

	want = size_min(want, job->limit + 1);
	if (want <= job->room)
		return 0;
	if (job->out)
		map = mremap(job->out, job->room, want, MREMAP_MAYMOVE);
	else
		map = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return no_memory(job);
	(void)madvise(map, want, MADV_HUGEPAGE);
	job->out = map;
	job->room = want;
	return 0;
}

/* Room for one byte more, at least; refused beyond the limit. */
static int more_room(struct job *job)
{
	if (job->out_len > job->limit)
		return too_large(job);
	if (job->out_len < job->room)
		return 0;
	return make_room(job, job->room ? 2 * job->room : FIRST_ROOM);
}

/* What follows the packed data: nothing, zeros, or the size that Linux's build appends. */
static int judge_rest(const struct job *job, const char *method)
{
	const uint8_t *rest = job->in + job->in_pos;
	size_t len = job->in_len - job->in_pos;
	size_t zeros = 0;

	if (len == 4 && le32_load(rest) == job->out_len)
		return 0;
	while (zeros < len && !rest[zeros])
		zeros++;
	if (zeros == len)
		return 0;
	diag_error("%s %s: %zu bytes follow its %s data that do not belong to it", job->what,
		   job->name, len, method);
	return -ENOEXEC;
}

static bool gzip_here(const uint8_t *data, size_t size)
{
	return size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

static int gzip_member(struct job *job, z_stream *z)
{
	for (;;) {
		int r = more_room(job);

		if (r < 0)
			return r;

		size_t in = size_min(job->in_len - job->in_pos, UINT_MAX);
		size_t out = size_min(job->room - job->out_len, UINT_MAX);

		z->next_in = job->in + job->in_pos;
		z->avail_in = (uInt)in;
		z->next_out = job->out + job->out_len;
		z->avail_out = (uInt)out;
		r = inflate(z, Z_NO_FLUSH);
		job->in_pos += in - z->avail_in;
		job->out_len += out - z->avail_out;
		if (r == Z_STREAM_END)
			return 0;
		if (r == Z_MEM_ERROR)
			return no_memory(job);
		if (r != Z_OK && r != Z_BUF_ERROR)
			return damaged(job, "gzip", z->msg ? z->msg : "it makes no sense");
		/* It wants more; it had room enough, so it wants input. */
		if (z->avail_out && job->in_pos == job->in_len)
			return cut_short(job, "gzip");
	}
}

static int unpack_gzip(struct job *job)
{
	z_stream z = { .zalloc = Z_NULL };
	int r;

	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return no_memory(job);
	do {
		inflateReset(&z);
		r = gzip_member(job, &z);
	} while (!r && gzip_here(job->in + job->in_pos, job->in_len - job->in_pos));
	inflateEnd(&z);
	return r ? r : judge_rest(job, "gzip");
}

/* Frames of today's format only: the library may know older ones. */
static bool zstd_here(const uint8_t *data, size_t size)
{
	return size >= 4 && (le32_load(data) == ZSTD_FRAME ||
			     (le32_load(data) & ~UINT32_C(15)) == ZSTD_SKIPPABLE);
}

static int zstd_refused(const struct job *job, size_t error)
{
	switch (ZSTD_getErrorCode(error)) {
	case ZSTD_error_memory_allocation:
		return no_memory(job);
	case ZSTD_error_frameParameter_windowTooLarge:
		diag_error("%s %s: to unpack its zstd data needs a window of more than %d MiB; "
			   "pack it with a smaller one (zstd -22 --ultra, without --long)",
			   job->what, job->name, 1 << (UNPACK_WINDOW_LOG - 20));
		return -ENOEXEC;
	default:
		return damaged(job, "zstd", ZSTD_getErrorName(error));
	}
}

/* A frame that tells its size gets its room at once; then the library needs no window of its own. */
static int zstd_room(struct job *job)
{
	unsigned long long size =
		ZSTD_getFrameContentSize(job->in + job->in_pos, job->in_len - job->in_pos);

	if (job->out_len > job->limit)
		return too_large(job);
	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
		return 0;
	if (size > job->limit - job->out_len)
		return too_large(job);
	return size ? make_room(job, job->out_len + (size_t)size) : 0;
}

static int zstd_frame(struct job *job, ZSTD_DStream *z)
{
	int r = zstd_room(job);

	while (!r) {
		r = more_room(job);
		if (r < 0)
			return r;

		ZSTD_inBuffer in = { job->in, job->in_len, job->in_pos };
		ZSTD_outBuffer out = { job->out, job->room, job->out_len };
		size_t wants = ZSTD_decompressStream(z, &out, &in);

		job->in_pos = in.pos;
		job->out_len = out.pos;
		if (ZSTD_isError(wants))
			return zstd_refused(job, wants);
		if (!wants)
			return 0;
		if (out.pos < out.size && in.pos == in.size)
			return cut_short(job, "zstd");
	}
	return r;
}

static int unpack_zstd(struct job *job)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	int r = 0;

	if (!z || ZSTD_isError(ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, UNPACK_WINDOW_LOG)))
		r = no_memory(job);
	while (!r && zstd_here(job->in + job->in_pos, job->in_len - job->in_pos))
		r = zstd_frame(job, z);
	ZSTD_freeDStream(z);
	return r ? r : judge_rest(job, "zstd");
}

static bool xz_here(const uint8_t *data, size_t size)
{
	static const uint8_t magic[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };

	return size >= sizeof(magic) && !memcmp(data, magic, sizeof(magic));
}

static int xz_refused(const struct job *job, lzma_ret why)
{
	switch (why) {
	case LZMA_MEM_ERROR:
		return no_memory(job);
	case LZMA_MEMLIMIT_ERROR:
		diag_error("%s %s: to unpack its xz data needs more than %d MiB; pack it with a "
			   "smaller dictionary (xz -9 is not too large)",
			   job->what, job->name, UNPACK_XZ_MEMORY >> 20);
		return -ENOEXEC;
	case LZMA_OPTIONS_ERROR:
		return damaged(job, "xz", "it asks for what is not known here");
	default:
		return damaged(job, "xz", "it makes no sense");
	}
}

static int xz_stream(struct job *job, lzma_stream *z)
{
	lzma_ret r = LZMA_OK;

	z->next_in = job->in;
	z->avail_in = job->in_len;
	while (r == LZMA_OK) {
		int err = more_room(job);

		if (err)
			return err;
		z->next_out = job->out + job->out_len;
		z->avail_out = job->room - job->out_len;
		r = lzma_code(z, LZMA_FINISH);
		job->out_len = job->room - z->avail_out;
		job->in_pos = job->in_len - z->avail_in;
	}
	if (r == LZMA_STREAM_END)
		return 0;
	return r == LZMA_BUF_ERROR ? cut_short(job, "xz") : xz_refused(job, r);
}

/* One stream, as Linux's build makes them; what follows it is judged as for the others. */
static int unpack_xz(struct job *job)
{
	lzma_stream z = LZMA_STREAM_INIT;
	int r;

	if (lzma_stream_decoder(&z, UNPACK_XZ_MEMORY, 0) != LZMA_OK)
		return no_memory(job);
	r = xz_stream(job, &z);
	lzma_end(&z);
	return r ? r : judge_rest(job, "xz");
}

static bool zboot_here(const uint8_t *data, size_t size)
{
	return size >= ZBOOT_TYPE + 4 && !memcmp(data, "MZ", 2) &&
	       !memcmp(data + ZBOOT_TYPE, "zimg", 4);
}

/* Linux says "gzip", "zstd" and "xzkern"; until 6.13 the second was "zstd22". */
static int unpack_zboot(struct job *job)
{
	char method[ZBOOT_METHOD_MAX + 1] = { 0 };
	uint32_t offset;
	uint32_t size;

	if (job->in_len < ZBOOT_HEAD)
		return cut_short(job, "EFI zboot");
	memcpy(method, job->in + ZBOOT_METHOD, ZBOOT_METHOD_MAX);
	offset = le32_load(job->in + ZBOOT_OFFSET);
	size = le32_load(job->in + ZBOOT_SIZE);
	if (offset < ZBOOT_HEAD || !size || !range_fits(offset, size, job->in_len)) {
		diag_error("%s %s: the EFI zboot header says %" PRIu32 " bytes at %" PRIu32
			   ", the file has %zu and its header %d",
			   job->what, job->name, size, offset, job->in_len, ZBOOT_HEAD);
		return -ENOEXEC;
	}
	job->in += offset;
	job->in_len = size;
	if (!strcmp(method, "gzip"))
		return unpack_gzip(job);
	if (!strcmp(method, "zstd") || !strcmp(method, "zstd22"))
		return zstd_here(job->in, size) ? unpack_zstd(job)
						: damaged(job, "zstd", "it does not begin as zstd");
	if (!strcmp(method, "xz") || !strcmp(method, "xzkern"))
		return xz_here(job->in, size) ? unpack_xz(job)
					      : damaged(job, "xz", "it does not begin as xz");
	diag_error("%s %s: an EFI zboot program packed by \"%s\"; gzip, zstd and xz are known here",
		   job->what, job->name, method);
	return -ENOEXEC;
}

/* The mapping is cut to what is used, so that its size is enough to free it. */
static int finish(struct job *job, struct unpacked *out)
{
	if (job->out_len > job->limit)
		return too_large(job);
	if (!job->out_len) {
		diag_error("%s %s: unpacked, it is empty", job->what, job->name);
		return -ENOEXEC;
	}
	if (mremap(job->out, job->room, job->out_len, 0) == MAP_FAILED)
		return no_memory(job);
	*out = (struct unpacked){ .data = job->out, .size = job->out_len };
	return 0;
}

static int unpack_layer(struct job *job, struct unpacked *out)
{
	int r;

	if (gzip_here(job->in, job->in_len))
		r = unpack_gzip(job);
	else if (zboot_here(job->in, job->in_len))
		r = unpack_zboot(job);
	else if (xz_here(job->in, job->in_len))
		r = unpack_xz(job);
	else
		r = unpack_zstd(job);
	if (!r)
		r = finish(job, out);
	if (r && job->out)
		munmap(job->out, job->room);
	return r;
}

bool unpack_wanted(const uint8_t *data, size_t size)
{
	return gzip_here(data, size) || zboot_here(data, size) || xz_here(data, size) ||
	       (size >= 4 && le32_load(data) == ZSTD_FRAME);
}

/* What to unpack: "kernel" or "module", its name, and the most bytes that it may become. */
struct origin {
	const char *what, *name;
	size_t limit;
	bool by_ram; /* the limit is the guest's memory */
};

static int unpack_layers(const struct origin *origin, const uint8_t *data, size_t size,
			 struct unpacked *out)
{
	struct unpacked plain = { .data = NULL };

	for (int layer = 0; unpack_wanted(data, size); layer++) {
		struct unpacked inner = { .data = NULL };
		struct job job = {
			.what = origin->what,
			.name = origin->name,
			.in = data,
			.in_len = size,
			.limit = origin->limit,
			.by_ram = origin->by_ram,
		};
		int r = -ENOEXEC;

		if (layer == UNPACK_LAYERS)
			diag_error("%s %s: packed more than %d times; unpack it first",
				   origin->what, origin->name, UNPACK_LAYERS);
		else
			r = unpack_layer(&job, &inner);
		unpack_release(&plain);
		if (r)
			return r;
		plain = inner;
		data = plain.data;
		size = plain.size;
	}
	*out = plain;
	return 0;
}

int unpack(const char *name, const uint8_t *data, size_t size, uint64_t ram, struct unpacked *out)
{
	const struct origin origin = { "kernel", name, (size_t)u64_min(ram, UNPACK_MAX),
				       ram < UNPACK_MAX };

	return unpack_layers(&origin, data, size, out);
}

int unpack_module(const char *name, const uint8_t *data, size_t size, struct unpacked *out)
{
	const struct origin origin = { "module", name, UNPACK_MODULE_MAX, false };

	return unpack_layers(&origin, data, size, out);
}

void unpack_release(struct unpacked *plain)
{
	if (plain->data)
		munmap(plain->data, plain->size);
	plain->data = NULL;
}
