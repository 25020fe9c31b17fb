/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernels and modules that distributions ship packed: gzip (RFC 1952), zstd (RFC 8878), xz (The .xz File
 * Format 1.2) and EFI zboot programs (Linux, drivers/firmware/efi/libstub/zboot-header.S) become what
 * is inside. Bytes to bytes: nothing here knows a machine or a file.
 *
 * The bytes are an enemy's. What comes out, and so time and memory, is bounded by UNPACK_MAX, by the
 * guest's RAM and by UNPACK_LAYERS; no step goes without progress. zlib needs some 40 KiB besides,
 * zstd at most a window of 2 to the power of UNPACK_WINDOW_LOG bytes, xz at most UNPACK_XZ_MEMORY.
 */
#ifndef VM_UNPACK_H
#define VM_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest kernel, packed or not; real ones have 10 to 100 MiB. */
#define UNPACK_MAX (UINT64_C(1) << 30)

enum {
	UNPACK_MODULE_MAX = 64 << 20, /* bytes of the largest module; real ones have up to 10 MiB */
	UNPACK_XZ_MEMORY = 80 << 20,  /* `xz -9` asks for 65 MiB, Linux's modules for 2 */
	UNPACK_LAYERS = 2,	      /* zboot in gzip, for one */
	UNPACK_WINDOW_LOG = 27,	      /* what `zstd -22 --ultra` asks for, as Linux is packed */
};

/* What came out, in a private mapping of its own that unpack_release frees. */
struct unpacked {
	uint8_t *data;
	size_t size; /* bytes, not 0 */
};

/* Whether a file that begins with the @size bytes at @data is packed in one of these ways. */
bool unpack_wanted(const uint8_t *data, size_t size);

/*
 * Unpacks the whole file at @data (unpack_wanted) for a guest with @ram bytes; @name is for messages.
 * Members of gzip and frames of zstd that follow each other are joined, as gzip(1) and zstd(1) do.
 * After the last there may be zeros, or 4 bytes with the size of what came out (Linux's own build
 * appends that to zstd); anything else is refused.
 *
 * 0 with *@out; or, with the reason said, -ENOEXEC (damaged, cut short, empty, packed in a way or
 * more often than is known here, larger than UNPACK_MAX), -ENOSPC (larger than @ram), -ENOMEM.
 */
int unpack(const char *name, const uint8_t *data, size_t size, uint64_t ram, struct unpacked *out);

/*
 * The same for a kernel's module (.ko.gz, .ko.zst, .ko.xz), of at most UNPACK_MODULE_MAX bytes. -ENOSPC does
 * not occur.
 */
int unpack_module(const char *name, const uint8_t *data, size_t size, struct unpacked *out);

/* Frees what unpack gave. One without data is allowed. */
void unpack_release(struct unpacked *plain);

#endif
